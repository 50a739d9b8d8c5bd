import { classifyReply } from '../classify.ts';
import { joinUrl, misconfigured, OPENAI_PATHS, passThroughFacet, type Wiring } from '../openai/facet.ts';
import type { AuthStyle } from '../openai/headers.ts';
import { DEVELOPER_TO_SYSTEM, STRIP_CACHE_CONTROL, STRIP_THINKING_BLOCKS } from '../openai/messages.ts';
import { PURE, type Rules } from '../openai/rules.ts';
import { STRIP_TOOL_CACHE_CONTROL } from '../openai/tools.ts';
import type { CallContext, Dialect, Provider, Refusal } from '../provider.ts';

/** What a host serves besides chat. */
export type Endpoint = 'chat' | 'completions' | 'embeddings';

/** One look-alike host: a row of the table. */
export interface Host {
  /** LiteLLM's prefix. */
  readonly id: string;
  /** As in `Provider`. */
  readonly conventionalName?: string;
  /** Null when every installation has its own; the deployment must say then. */
  readonly baseUrl: string | null;
  readonly keys: readonly string[];
  /** Variables for the base URL; by default `<ID>_API_BASE`. */
  readonly bases?: readonly string[];
  readonly needsKey?: false;
  readonly auth?: AuthStyle;
  /** Added to a base URL that does not end in it yet: operators give Ollama's address without `/v1`. */
  readonly basePath?: string;
  readonly endpoints: readonly Endpoint[];
  /** By default `LOOKALIKE`. */
  readonly rules?: Rules;
}

/**
 * What nearly every look-alike refuses or does not know (providers.md, "Request rule for all of them").
 *
 * Aggregators and gateways that hand the request on take `PURE` instead.
 */
export const LOOKALIKE: Rules = {
  ...PURE,
  renames: { max_completion_tokens: 'max_tokens' },
  advisory: [
    'store',
    'metadata',
    'service_tier',
    'prompt_cache_key',
    'prompt_cache_options',
    'prompt_cache_retention',
    'safety_identifier',
    'prediction',
    'verbosity',
  ],
  rewrites: [DEVELOPER_TO_SYSTEM, STRIP_THINKING_BLOCKS, STRIP_CACHE_CONTROL, STRIP_TOOL_CACHE_CONTROL],
};

const FACETS: Readonly<Record<Endpoint, Dialect>> = {
  chat: 'openai-chat',
  completions: 'openai-completions',
  embeddings: 'openai-embeddings',
};

/** The provider that a row of the table describes. */
export function hostProvider(host: Host): Provider {
  const wiring = wiringOf(host);
  const facets = host.endpoints.map((endpoint) => [endpoint, passThroughFacet(FACETS[endpoint], wiring)] as const);
  return {
    id: host.id,
    // As LiteLLM writes it before `Exception`: the prefix with a capital.
    name: host.id.charAt(0).toUpperCase() + host.id.slice(1),
    ...(host.conventionalName !== undefined && { conventionalName: host.conventionalName }),
    defaults: {
      baseUrl: host.baseUrl,
      apiKeyVariables: host.keys,
      baseUrlVariables: baseVariables(host),
      apiVersionVariables: [],
      needsKey: host.needsKey ?? true,
    },
    ...(Object.fromEntries(facets) as Pick<Provider, 'chat' | 'completions' | 'embeddings'>),
    classify: classifyReply,
  };
}

function wiringOf(host: Host): Wiring {
  const rules = host.rules ?? LOOKALIKE;
  return {
    provider: host.id,
    needsKey: () => host.needsKey ?? true,
    keyVariables: host.keys,
    rules: () => rules,
    auth: () => host.auth ?? 'bearer',
    url: (context, dialect) => hostUrl(host, context, dialect),
    headers: () => rules.headers,
  };
}

function hostUrl(host: Host, context: CallContext, dialect: Dialect): string | Refusal {
  const base = context.deployment.upstream.baseUrl ?? host.baseUrl;
  if (base === null) {
    return misconfigured(`No api_base for ${host.id}: set ${baseVariables(host)[0] ?? 'api_base'} or api_base.`);
  }
  const { basePath } = host;
  const whole = basePath === undefined ? base : joinUrl(base, basePath);
  return joinUrl(whole, OPENAI_PATHS[dialect]);
}

function baseVariables(host: Host): readonly string[] {
  return host.bases ?? [`${host.id.toUpperCase().replace(/[^A-Z0-9]/g, '_')}_API_BASE`];
}
