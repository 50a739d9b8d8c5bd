import { deploymentId, groupName, providerId } from '../core/ids.ts';
import { Secret } from '../core/secret.ts';
import type { Deployment } from '../core/snapshot.ts';

/** The model `demo`, which the simulator in process serves, so that a first request works without any account. */

const DEMO = 'demo';
// Not the group's name: a request for a deployment's id goes past the group (litellm.md §2.2).
const DEMO_ID = deploymentId('demo-simulated');

/** Whether this is the simulator's model. */
export const isDemo = (deployment: Deployment): boolean => deployment.id === DEMO_ID;

/** Adds the simulator's model unless the file has a usable model of that name. */
export function withDemo(
  deployments: readonly Deployment[],
  demo: { readonly baseUrl: string } | null,
): readonly Deployment[] {
  const isServed = deployments.some(
    ({ group, disabled, id }) => id === DEMO_ID || (group === DEMO && disabled === null),
  );
  if (demo === null || isServed) return deployments;
  return [...deployments.filter(({ group }) => group !== DEMO), demoDeployment(demo.baseUrl)];
}

function demoDeployment(baseUrl: string): Deployment {
  return {
    id: DEMO_ID,
    group: groupName(DEMO),
    provider: providerId('openai'),
    model: DEMO,
    configuredModel: 'openai/demo',
    upstream: {
      baseUrl: baseUrl.replace(/\/+$/, ''),
      apiKey: new Secret('simulated'),
      apiVersion: null,
      organization: null,
      extraHeaders: [],
      extraBody: {},
    },
    disabled: null,
    order: null,
    weight: null,
    rpm: null,
    tpm: null,
    maxParallel: null,
    tags: [],
    timeout: null,
    streamTimeout: null,
    numRetries: null,
    cooldown: null,
    allowedFails: null,
    mockResponse: null,
    dropParams: null,
    additionalDropParams: [],
    allowedParams: [],
    maxInputTokens: null,
    maxOutputTokens: null,
    inputCostPerToken: null,
    outputCostPerToken: null,
    isWildcard: false,
    info: { id: DEMO_ID, mode: 'chat', simulated: true },
    publicParams: { model: 'openai/demo' },
  };
}
