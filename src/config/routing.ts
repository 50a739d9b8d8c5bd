import type {
  BackoffSchedule,
  Deployment,
  ErrorClass,
  FallbackMap,
  FallbackTrigger,
  RetryCounts,
  RoutingSettings,
} from '../core/snapshot.ts';
import { type Millis, millis, seconds } from '../core/units.ts';
import { type Environment, variable } from './environment.ts';
import type { Findings } from './findings.ts';
import type { ConfigFile, RouterSettings } from './keys/root.ts';
import { POLICY_CLASSES } from './keys/router.ts';
import { NOWHERE } from './tree.ts';

/** LiteLLM's is 6000 s, longer than any client or proxy waits. */
const TIMEOUT_SECONDS = 600;
const LEAST_TOTAL_SECONDS = 600;

/**
 * Routing settings: `router_settings`, then `litellm_settings`, then LiteLLM's variables, then defaults (litellm.md §1.7, §10.2).
 *
 * Without `total_timeout` a request may last twice the longest timeout of any attempt, at least 600 s, so that there is always
 * room for a fallback after a deployment that hung.
 */
export function compileRouting(
  file: ConfigFile,
  deployments: readonly Deployment[],
  options: {
    readonly environment: Environment;
    readonly findings: Findings;
    readonly contextUsesOrdinaryChain: boolean;
  },
): RoutingSettings {
  const router = file.router_settings ?? {};
  const shared = file.litellm_settings ?? {};
  const fromVariable = (name: string) => numericVariable(options.environment, name, options.findings);
  const timeout = seconds(
    router.timeout ?? shared.request_timeout ?? positiveOr(fromVariable('REQUEST_TIMEOUT'), TIMEOUT_SECONDS),
  );
  const streamTimeout = router.stream_timeout === undefined ? null : seconds(router.stream_timeout);
  return {
    strategy: router.routing_strategy ?? 'simple-shuffle',
    latencyBuffer: router.routing_strategy_args?.lowest_latency_buffer ?? 0,
    latencyWindow: seconds(router.routing_strategy_args?.ttl ?? 3600),
    latencySamples: router.routing_strategy_args?.max_latency_list_size ?? 10,
    numRetries: router.num_retries ?? shared.num_retries ?? fromVariable('DEFAULT_MAX_RETRIES') ?? 2,
    retryCounts: counts(router.retry_policy, 'Retries'),
    groupRetryCounts: new Map(
      Object.entries(router.model_group_retry_policy ?? {}).map(([group, policy]) => [
        group,
        counts(policy, 'Retries'),
      ]),
    ),
    backoff: backoff(router, fromVariable),
    fallbacks: chains(router.fallbacks, shared.fallbacks) ?? new Map(),
    contextWindowFallbacks: chains(router.context_window_fallbacks, shared.context_window_fallbacks),
    contextUsesOrdinaryChain: options.contextUsesOrdinaryChain,
    contentPolicyFallbacks: chains(router.content_policy_fallbacks, shared.content_policy_fallbacks),
    defaultFallbacks: filled(router.default_fallbacks) ?? filled(shared.default_fallbacks) ?? [],
    maxFallbacks: router.max_fallbacks ?? fromVariable('ROUTER_MAX_FALLBACKS') ?? 5,
    fallbackOn: triggers(router.fallback_on),
    noFallbackOn: triggers(router.no_fallback_on),
    allowedFails: router.allowed_fails ?? shared.allowed_fails ?? fromVariable('DEFAULT_ALLOWED_FAILS') ?? 3,
    allowedFailsPolicy: counts(router.allowed_fails_policy, 'AllowedFails'),
    cooldown: seconds(router.cooldown_time ?? fromVariable('DEFAULT_COOLDOWN_TIME_SECONDS') ?? 5),
    cooldownsEnabled: router.disable_cooldowns !== true,
    preCallChecks: router.enable_pre_call_checks ?? false,
    tagFiltering: router.enable_tag_filtering ?? false,
    tagMatch: router.tag_filtering_match_any === false ? 'all' : 'any',
    timeout,
    streamTimeout,
    connectTimeout: seconds(router.connect_timeout ?? 10),
    totalTimeout:
      router.total_timeout === undefined
        ? totalTimeout(timeout, streamTimeout, deployments)
        : seconds(router.total_timeout),
    defaultMaxParallel: router.default_max_parallel_requests ?? file.general_settings?.max_parallel_requests ?? null,
  };
}

function totalTimeout(timeout: Millis, streamTimeout: Millis | null, deployments: readonly Deployment[]): Millis {
  let longest = Math.max(timeout, streamTimeout ?? 0);
  for (const { timeout: own, streamTimeout: ownStream } of deployments)
    longest = Math.max(longest, own ?? 0, ownStream ?? 0);
  return millis(Math.max(seconds(LEAST_TOTAL_SECONDS), 2 * longest));
}

/** LiteLLM's schedule unless the file has one: 0.5·2ᵏ s up to 8 s, and up to 0.75 s at random. */
function backoff(router: RouterSettings, fromVariable: (name: string) => number | null): BackoffSchedule {
  const own = router.retry_backoff ?? {};
  const base = own.base ?? fromVariable('INITIAL_RETRY_DELAY') ?? 0.5;
  const max = own.max ?? fromVariable('MAX_RETRY_DELAY') ?? Math.max(8, base);
  return {
    base: seconds(Math.min(Math.max(base, router.retry_after ?? 0), max)),
    factor: own.factor ?? 2,
    max: seconds(max),
    jitter: seconds(own.jitter ?? fromVariable('JITTER') ?? 0.75),
  };
}

/** An empty list counts as missing (litellm.md §1.7). */
const filled = <Item>(items: readonly Item[] | undefined): readonly Item[] | null =>
  items === undefined || items.length === 0 ? null : items;

type Chain = Readonly<Record<string, readonly string[]>>;

/** The first section that has chains; of two entries for one group the first counts, as in LiteLLM. */
function chains(...candidates: readonly (readonly Chain[] | undefined)[]): FallbackMap | null {
  const list = candidates.map(filled).find((candidate) => candidate !== null);
  if (list === undefined || list === null) return null;
  const map = new Map<string, readonly string[]>();
  for (const item of list) {
    for (const [group, targets] of Object.entries(item)) if (!map.has(group)) map.set(group, [...new Set(targets)]);
  }
  return map;
}

function counts(
  policy: Readonly<Record<string, unknown>> | undefined,
  suffix: 'Retries' | 'AllowedFails',
): RetryCounts {
  const result: Partial<Record<ErrorClass, number>> = {};
  for (const [name, kind] of Object.entries(POLICY_CLASSES)) {
    const value = policy?.[`${name}${suffix}`];
    if (typeof value === 'number') result[kind] = value;
  }
  return result;
}

function triggers(words: readonly (number | string)[] | undefined): readonly FallbackTrigger[] {
  // The schema has let through only statuses and the five words.
  return (words ?? []).map((word) => (/^\d+$/.test(String(word)) ? Number(word) : word) as FallbackTrigger);
}

/** A variable that holds a number, 0 or more; anything else is reported and counts as unset. */
function numericVariable(environment: Environment, name: string, findings: Findings): number | null {
  const text = variable(environment, name);
  if (text === null) return null;
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  findings.add(
    'warning',
    NOWHERE,
    [name],
    `The environment variable ${name} is no number, 0 or more; it has no effect.`,
  );
  return null;
}

const positiveOr = (value: number | null, otherwise: number): number =>
  value === null || value <= 0 ? otherwise : value;
