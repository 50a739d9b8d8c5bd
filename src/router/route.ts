import type { GroupName } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { nearest } from '../core/nearest.ts';
import type { Outcome } from '../core/outcome.ts';
import type { Deployment, RoutingSettings, Snapshot } from '../core/snapshot.ts';
import { earliest, type Millis, plus } from '../core/units.ts';
import type { Leg, Refusal } from './leg.ts';
import { Planner } from './planner.ts';
import type { RouteRequest } from './request.ts';
import { type InferProvider, type Target, TargetTable } from './targets.ts';

export { type ClientFallback, NO_CONTROLS, type RouteRequest, type RoutingControls } from './request.ts';

/** One attempt that ended, as `decide` and the client's error message see it. */
export interface Attempt {
  readonly deployment: Deployment;
  readonly group: GroupName;
  readonly outcome: Outcome;
  readonly startedAt: Millis;
  readonly endedAt: Millis;
  /** How long the request slept before it. */
  readonly delay: Millis;
}

/** What to do next. */
export type Decision =
  | {
      readonly kind: 'attempt';
      readonly deployment: Deployment;
      readonly group: GroupName;
      /** Upstream model with wildcards filled in. */
      readonly model: string;
      /** Sleep this long first; 0 unless the deployment was tried before in this request. */
      readonly delay: Millis;
      readonly limits: AttemptLimits;
      /** Body members to replace for this target, from a client's fallback list. */
      readonly overrides: JsonObject | null;
      /** Retries and fallbacks taken so far, this attempt included (`x-litellm-attempted-*`). */
      readonly retries: number;
      readonly fallbacks: number;
    }
  | { readonly kind: 'give-up'; readonly reason: GiveUpReason };

export type GiveUpReason =
  /** The last outcome is final (`verdict` says stop, or nothing is configured for it). */
  | 'final-outcome'
  /** Everything was tried as often as allowed. */
  | 'exhausted'
  /** The total deadline leaves no room for another attempt. */
  | 'deadline';

/** Time limits of one attempt, all positive. */
export interface AttemptLimits {
  readonly connect: Millis;
  /** From the request written to the first output; bytes that mean nothing yet, such as comments, begin it anew. */
  readonly firstByte: Millis;
  readonly idle: Millis;
  /** Absolute, on the monotonic clock. */
  readonly deadline: Millis;
}

/** Why no attempt is possible at all; nothing was called. */
export type RouteError =
  | { readonly kind: 'unknown-model'; readonly model: string; readonly nearest: readonly string[] }
  | { readonly kind: 'all-disabled'; readonly model: string; readonly missingVariables: readonly string[] }
  | { readonly kind: 'tag-not-allowed'; readonly model: string; readonly tags: readonly string[] }
  /** Pre-call checks removed every deployment because the prompt is too long, and no chain helps. */
  | {
      readonly kind: 'context-window';
      readonly model: string;
      readonly promptTokens: number;
      readonly largest: number;
    };

/** The plan for one request: everything that may be tried, in order. Immutable. */
export interface Route {
  readonly kind: 'route';
  readonly request: RouteRequest;
  readonly settings: RoutingSettings;
  /** The group asked for, aliases resolved; the first leg may be another when that one cannot serve. */
  readonly group: GroupName;
  /** The fallback chain flattened; never empty, no leg is empty. */
  readonly legs: readonly Leg[];
  /** Absolute, on the monotonic clock: no attempt starts at or after it. */
  readonly deadline: Millis;
}

/** The part of a route that does not depend on the time of the request. */
type Plan = Pick<Route, 'group' | 'legs'>;

interface PlanTable {
  readonly targets: TargetTable;
  /** Plans of requests without controls of their own, by model name. */
  readonly plans: Map<string, Plan>;
}

/** Plans remembered of one snapshot; names that only patterns match come from clients. */
const MOST_PLANS = 1000;

const tables = new WeakMap<Snapshot, PlanTable>();

/**
 * Plans one request: which deployments may serve it and in which order, or why none can.
 *
 * Plans are remembered per snapshot, so that an ordinary request costs two look-ups and one object.
 *
 * @param inferProvider must answer alike for the life of a snapshot
 */
export function planRoute(
  snapshot: Snapshot,
  request: RouteRequest,
  inferProvider: InferProvider = () => null,
): Route | RouteError {
  const { routing: settings } = snapshot;
  const table = tableOf(snapshot, inferProvider);
  const isPlain = hasNoDemands(settings, request);
  const plan = (isPlain ? table.plans.get(request.model) : undefined) ?? makePlan(snapshot, table.targets, request);
  if ('kind' in plan) return plan;
  if (isPlain) rememberPlan(table, request.model, plan);
  const total = earliest(settings.totalTimeout, request.controls.totalTimeout ?? settings.totalTimeout);
  const deadline = plus(request.startedAt, total);
  return { kind: 'route', request, settings, group: plan.group, legs: plan.legs, deadline };
}

/**
 * Usable deployments of an attempt's group, as the health table wants to know.
 *
 * @returns 1 for a group that is not in the route
 */
export function groupSizeOf(route: Route, group: GroupName): number {
  for (const leg of route.legs) {
    if (leg.group === group) return leg.groupSize;
    const special = [...(leg.contextChain ?? []), ...(leg.contentChain ?? [])].find((each) => each.group === group);
    if (special !== undefined) return special.groupSize;
  }
  return 1;
}

function tableOf(snapshot: Snapshot, inferProvider: InferProvider): PlanTable {
  let table = tables.get(snapshot);
  if (table === undefined) {
    table = { targets: new TargetTable(snapshot, inferProvider), plans: new Map() };
    tables.set(snapshot, table);
  }
  return table;
}

function rememberPlan({ plans }: PlanTable, model: string, plan: Plan): void {
  if (plans.get(model) === plan) return;
  if (plans.size >= MOST_PLANS) plans.clear();
  plans.set(model, plan);
}

/** Whether the plan depends on nothing but the model's name. */
function hasNoDemands(settings: RoutingSettings, { controls, promptTokens }: RouteRequest): boolean {
  return (
    !controls.disableFallbacks &&
    controls.fallbacks === null &&
    controls.contextWindowFallbacks === null &&
    controls.contentPolicyFallbacks === null &&
    !settings.tagFiltering &&
    (promptTokens === null || !settings.preCallChecks)
  );
}

function makePlan(snapshot: Snapshot, targets: TargetTable, request: RouteRequest): Plan | RouteError {
  const planner = new Planner(snapshot.routing, targets, request);
  const primary = planner.primary();
  if (primary === null) return unknownModel(snapshot, request.model);
  const refusal = planner.refusalOf(primary);
  const legs = planner.legsFrom(primary, refusal);
  if (legs.length > 0) return { group: primary.group, legs };
  return routeError(request, primary, refusal ?? 'disabled');
}

function unknownModel({ groups, aliases }: Snapshot, model: string): RouteError {
  const visible = [...aliases].filter(([, alias]) => !alias.isHidden).map(([name]) => name);
  return { kind: 'unknown-model', model, nearest: nearest(model, [...groups.keys(), ...visible], 3) };
}

function routeError({ model, tags, promptTokens }: RouteRequest, primary: Target, refusal: Refusal): RouteError {
  switch (refusal) {
    case 'disabled': {
      const missing = primary.all.flatMap((each) => each.disabled?.missingVariables ?? []);
      return { kind: 'all-disabled', model, missingVariables: [...new Set(missing)] };
    }
    case 'tags':
      return { kind: 'tag-not-allowed', model, tags };
    case 'context': {
      const windows = primary.enabled.flatMap((each) => each.maxInputTokens ?? []);
      return { kind: 'context-window', model, promptTokens: promptTokens ?? 0, largest: Math.max(0, ...windows) };
    }
  }
}
