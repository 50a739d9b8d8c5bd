import { deploymentId, groupName, providerId } from '../../src/core/ids.ts';
import { isObject } from '../../src/core/json.ts';
import { Secret } from '../../src/core/secret.ts';
import { type Deployment, NO_UPSTREAM_SETTINGS, NOTHING_SET, type UpstreamSettings } from '../../src/core/snapshot.ts';
import type { CallContext, ClientCall, Dialect, ReplyHead } from '../../src/providers/provider.ts';
import { scanObject } from '../../src/wire/json-splice.ts';

/** The key that every test deployment has; tests look for it where it must not be. */
export const TEST_KEY = 'sk-test-credential';

/** A deployment with nothing set but a key. */
export function testDeployment(
  provider: string,
  model: string,
  upstream: Partial<UpstreamSettings> = {},
  overrides: Partial<Deployment> = {},
): Deployment {
  return {
    ...NOTHING_SET,
    id: deploymentId('deployment-1'),
    group: groupName('group'),
    provider: providerId(provider),
    model,
    configuredModel: `${provider}/${model}`,
    info: {},
    publicParams: {},
    ...overrides,
    upstream: { ...NO_UPSTREAM_SETTINGS, apiKey: new Secret(TEST_KEY), ...upstream },
  };
}

/** The client's call for these bytes; the dialect is told by the member that only it has. */
export function testCall(body: Uint8Array): ClientCall {
  const scanned = scanObject(body);
  if (scanned.kind === 'fault') throw new Error(`${scanned.message} at byte ${scanned.offset}`);
  const options = scanned.value('stream_options');
  return {
    dialect: dialectOf(scanned.keys()),
    body: scanned,
    isStreaming: scanned.value('stream') === true,
    wantsUsage: isObject(options) && options.include_usage === true,
  };
}

function dialectOf(keys: readonly string[]): Dialect {
  if (keys.includes('input')) return 'openai-embeddings';
  return keys.includes('prompt') ? 'openai-completions' : 'openai-chat';
}

/** What a translator is told about this call; ids and times are the same in every test. */
export function testContext(
  deployment: Deployment,
  call: ClientCall,
  overrides: Partial<CallContext> = {},
): CallContext {
  const requested = call.body.value('model');
  return {
    deployment,
    model: deployment.model,
    requestedModel: typeof requested === 'string' ? requested : deployment.model,
    id: '0123456789abcdef0123456789abcdef',
    created: 1_700_000_000,
    isStreaming: call.isStreaming,
    wantsUsage: call.wantsUsage,
    askUsage: true,
    dropParams: false,
    modifyParams: false,
    forwardedHeaders: [],
    answer: null,
    ...overrides,
  };
}

/** The head of an upstream's answer. */
export function testHead(status: number, headers: Readonly<Record<string, string>>): ReplyHead {
  return { status, header: (name) => headers[name] ?? null };
}
