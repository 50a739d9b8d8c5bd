import { type GatewayError, gatewayError } from '../core/errors.ts';
import type { GroupName } from '../core/ids.ts';
import { arrayMember } from '../core/json.ts';
import type { ModelSight } from '../core/model-access.ts';
import type { Deployment, FallbackMap, ModelGroup, Snapshot } from '../core/snapshot.ts';
import { teamModelOf } from '../core/team-model.ts';
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
 * `GET /v1/models`: every public name with at least one usable deployment that the caller may ask for, hidden aliases
 * left out.
 *
 * @param query `include_metadata=true` adds the fallbacks of each (`fallback_type`: general, context_window,
 *   content_policy); `scope` may only be `expand`; `include_model_access_groups` adds the access groups that the caller
 *   may name, `only_model_access_groups` lists nothing else
 */
export function modelList(snapshot: Snapshot, query: URLSearchParams, sight: ModelSight): ModelList | GatewayError {
  const scope = query.get('scope');
  if (scope !== null && scope !== 'expand') {
    return gatewayError('invalid-parameter', `Invalid scope '${scope}'. The only scope is 'expand'.`, {
      param: 'scope',
    });
  }
  const names = listedNames(snapshot, query, sight);
  if (!isAsked(query, 'include_metadata')) return { data: names.map(modelObject), object: 'list' };
  const fallbacks = fallbacksOf(snapshot, query.get('fallback_type') ?? 'general');
  if (fallbacks === null) {
    const message = 'fallback_type must be general, context_window or content_policy.';
    return gatewayError('invalid-parameter', message, { param: 'fallback_type' });
  }
  const data = names.map((name) => ({ ...modelObject(name), metadata: { fallbacks: fallbacks.get(name) ?? [] } }));
  return { data, object: 'list' };
}

/** Python's clients write `True`. */
const isAsked = (query: URLSearchParams, name: string): boolean => /^(true|1)$/i.test(query.get(name) ?? '');

function listedNames(snapshot: Snapshot, query: URLSearchParams, sight: ModelSight): readonly string[] {
  if (isAsked(query, 'only_model_access_groups')) return accessGroups(snapshot, sight);
  const names = visibleNames(snapshot, sight);
  return isAsked(query, 'include_model_access_groups') ? [...names, ...accessGroups(snapshot, sight)] : names;
}

function accessGroups({ deployments }: Snapshot, sight: ModelSight): readonly string[] {
  const groups = [...deployments.values()].flatMap(({ info }) => arrayMember(info, 'access_groups'));
  return [...new Set(groups)].filter((group) => typeof group === 'string').filter((group) => sight.may(group));
}

/** Public names that the caller may ask for, and what his lists name of a wildcard group. */
function visibleNames(snapshot: Snapshot, sight: ModelSight): readonly string[] {
  const names = publicNames(snapshot).flatMap(({ asked, shown }) => (sight.may(asked) ? [shown] : []));
  const behind = sight.listed.filter((name) => isBehindWildcard(snapshot, name) && sight.may(name));
  return [...new Set([...names, ...behind])];
}

const isBehindWildcard = ({ wildcards }: Snapshot, name: string): boolean =>
  wildcards.some(({ pattern, deployments }) => pattern.test(name) && deployments.some(isUsable));

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

/** `GET /v1/models/{id}`, or null when no such name is served, or the caller may not ask for it. */
export function oneModel(snapshot: Snapshot, id: string, sight: ModelSight): ModelObject | null {
  const isListed = visibleNames(snapshot, sight).includes(id);
  return isListed || (isBehindWildcard(snapshot, id) && sight.may(id)) ? modelObject(id) : null;
}

/**
 * `GET /model/info`: all deployments of models that the caller may ask for, or the one with this id; null when there is
 * none.
 *
 * @param now decides which of the prices that change is shown
 */
export function modelInfo(
  snapshot: Snapshot,
  id: string | null,
  { sight, now }: { readonly sight: ModelSight; readonly now: EpochMillis },
): { readonly data: readonly unknown[] } | null {
  const seen = [...snapshot.deployments.values()].filter((each) => isSeen(snapshot, each, sight));
  const chosen = id === null ? seen : seen.filter((deployment) => deployment.id === id);
  return id !== null && chosen.length === 0 ? null : { data: chosen.map((each) => infoOf(each, now)) };
}

function isSeen({ wildcards }: Snapshot, { group }: Deployment, sight: ModelSight): boolean {
  if (sight.may(group)) return true;
  const pattern = wildcards.find(({ name }) => name === group)?.pattern;
  return pattern !== undefined && sight.listed.some((name) => pattern.test(name) && sight.may(name));
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

/** A name by which something is asked for, and how lists have it. */
interface PublicName {
  readonly asked: string;
  readonly shown: string;
}

function publicNames({ groups, wildcards, aliases }: Snapshot): readonly PublicName[] {
  const isServed = (name: GroupName) => groups.get(name)?.deployments.some(isUsable) === true;
  const served = [...groups.values(), ...wildcards].filter(({ deployments }) => deployments.some(isUsable));
  const listed = [...aliases].filter(([, { target, isHidden }]) => !isHidden && isServed(target));
  return [
    ...served.map((group) => ({ asked: group.name, shown: shownName(group) })),
    ...listed.map(([alias]) => ({ asked: alias, shown: alias })),
  ];
}

/** What a team calls a group of its own; every other group by its name. */
export function shownName({ name, deployments }: ModelGroup): string {
  const [first] = deployments;
  return (first === undefined ? null : teamModelOf(first.info)?.publicName) ?? name;
}

const isUsable = ({ disabled }: Deployment): boolean => disabled === null;

function modelObject(id: string): ModelObject {
  return { id, object: 'model', created: CREATED, owned_by: 'openai' };
}
