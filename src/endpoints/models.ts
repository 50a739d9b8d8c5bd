import { type GatewayError, gatewayError } from '../core/errors.ts';
import type { GroupName } from '../core/ids.ts';
import type { Deployment, FallbackMap, Snapshot } from '../core/snapshot.ts';
import type { EpochMillis } from '../core/units.ts';
import { shownPrices } from '../metering/price-keys.ts';

/** What LiteLLM gives as the birth of every model (litellm.md §3.3). */
const CREATED = 1677610602;

interface ModelObject {
  readonly id: string;
  readonly object: 'model';
  readonly created: number;
  readonly owned_by: 'openai';
  readonly metadata?: { readonly fallbacks: readonly string[] };
}

interface ModelList {
  readonly data: readonly ModelObject[];
  readonly object: 'list';
}

/**
 * `GET /v1/models`: every public name with at least one usable deployment, hidden aliases left out.
 *
 * @param query `include_metadata=true` adds the fallbacks of each (`fallback_type`: general, context_window,
 *   content_policy); `scope` may only be `expand`
 */
export function modelList(snapshot: Snapshot, query: URLSearchParams): ModelList | GatewayError {
  const scope = query.get('scope');
  if (scope !== null && scope !== 'expand') {
    return gatewayError('invalid-parameter', `Invalid scope '${scope}'. The only scope is 'expand'.`, {
      param: 'scope',
    });
  }
  const names = publicNames(snapshot);
  if (query.get('include_metadata') !== 'true') return { data: names.map(modelObject), object: 'list' };
  const fallbacks = fallbacksOf(snapshot, query.get('fallback_type') ?? 'general');
  if (fallbacks === null) {
    const message = 'fallback_type must be general, context_window or content_policy.';
    return gatewayError('invalid-parameter', message, { param: 'fallback_type' });
  }
  const data = names.map((name) => ({ ...modelObject(name), metadata: { fallbacks: fallbacks.get(name) ?? [] } }));
  return { data, object: 'list' };
}

function fallbacksOf({ routing }: Snapshot, type: string): FallbackMap | null {
  switch (type) {
    case 'general':
      return routing.fallbacks;
    case 'context_window':
      return routing.contextWindowFallbacks ?? new Map();
    case 'content_policy':
      return routing.contentPolicyFallbacks ?? new Map();
    default:
      return null;
  }
}

/** `GET /v1/models/{id}`, or null when no such name is served. */
export function oneModel(snapshot: Snapshot, id: string): ModelObject | null {
  const isServed = publicNames(snapshot).includes(id) || snapshot.wildcards.some((group) => group.pattern.test(id));
  return isServed ? modelObject(id) : null;
}

/**
 * `GET /model/info`: all deployments, or the one with this id; null when there is none.
 *
 * @param now decides which of the prices that change is shown
 */
export function modelInfo(
  snapshot: Snapshot,
  id: string | null,
  now: EpochMillis,
): { readonly data: readonly unknown[] } | null {
  const all = [...snapshot.deployments.values()];
  const chosen = id === null ? all : all.filter((deployment) => deployment.id === id);
  return id !== null && chosen.length === 0 ? null : { data: chosen.map((each) => infoOf(each, now)) };
}

function infoOf(deployment: Deployment, now: EpochMillis) {
  return {
    model_name: deployment.group,
    litellm_params: deployment.publicParams,
    model_info: {
      ...deployment.info,
      id: deployment.id,
      db_model: deployment.isStored,
      key: deployment.configuredModel,
      litellm_provider: deployment.provider,
      max_input_tokens: deployment.maxInputTokens,
      max_output_tokens: deployment.maxOutputTokens,
      input_cost_per_token: null,
      output_cost_per_token: null,
      ...(deployment.price === null ? {} : shownPrices(deployment.price, now)),
      ...(deployment.disabled === null ? {} : { disabled: deployment.disabled.message }),
    },
  };
}

function publicNames(snapshot: Snapshot): string[] {
  const isUsable = (name: GroupName) =>
    snapshot.groups.get(name)?.deployments.some((each) => each.disabled === null) === true;
  const names: string[] = [];
  for (const group of snapshot.groups.values()) if (isUsable(group.name)) names.push(group.name);
  for (const group of snapshot.wildcards)
    if (group.deployments.some((each) => each.disabled === null)) names.push(group.name);
  for (const [alias, { target, isHidden }] of snapshot.aliases) if (!isHidden && isUsable(target)) names.push(alias);
  return names;
}

function modelObject(id: string): ModelObject {
  return { id, object: 'model', created: CREATED, owned_by: 'openai' };
}
