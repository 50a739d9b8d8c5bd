import { deploymentId, groupName, providerId } from '../core/ids.ts';
import { Secret } from '../core/secret.ts';
import { type Deployment, NO_UPSTREAM_SETTINGS, NOTHING_SET } from '../core/snapshot.ts';
import { FREE } from '../metering/schedule.ts';

/**
 * The models `demo` and `demo-backup`, which the simulator in process serves, so that a first request works without any
 * account. The backup ignores the words that make `demo` fail: a fallback to it shows a failover.
 */
const DEMOS = ['demo', 'demo-backup'] as const;
type Demo = (typeof DEMOS)[number];

// Not the group's name: a request for a deployment's id goes past the group (litellm.md §2.2).
const idOf = (name: Demo) => deploymentId(`${name}-simulated`);

/** Adds the simulator's models, unless the file has a usable `demo` of its own. */
export function withDemo(
  deployments: readonly Deployment[],
  demo: { readonly baseUrl: string } | null,
): readonly Deployment[] {
  const isServed = deployments.some(({ group, disabled }) => group === 'demo' && disabled === null);
  if (demo === null || isServed) return deployments;
  const others = deployments.filter(({ group }) => !DEMOS.some((name) => name === group));
  return [...others, ...DEMOS.map((name) => demoDeployment(name, demo.baseUrl))];
}

function demoDeployment(name: Demo, baseUrl: string): Deployment {
  return {
    ...NOTHING_SET,
    id: idOf(name),
    group: groupName(name),
    // The dialect that the simulator speaks to it.
    provider: providerId('openai'),
    model: name,
    configuredModel: `openai/${name}`,
    upstream: {
      ...NO_UPSTREAM_SETTINGS,
      baseUrl: baseUrl.replace(/\/+$/, ''),
      apiKey: new Secret('demo-needs-no-key'),
    },
    price: FREE,
    info: { id: idOf(name), mode: 'chat', simulated: true },
    publicParams: { model: `openai/${name}` },
  };
}
