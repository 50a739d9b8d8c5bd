import type { DeploymentId } from '../core/ids.ts';
import { errorClass, type Outcome, retryAfterOf, verdict } from '../core/outcome.ts';
import type { Deployment, RoutingSettings } from '../core/snapshot.ts';
import { latest, type Millis, millis, plus, seconds } from '../core/units.ts';

/*
 * Which deployments are out of rotation, and until when.
 *
 *                        N consecutive failures, or bench (401, 403, 404)
 *            ┌───────────────────────────────────────────────────────────► ejected ──┐
 *   available│                                                                 ▲     │ until passed, or nobody
 *        ▲   │           bench (429)                                           │     │ else is left: begin()
 *        │   └───────────────────────────────────────────────────► cooling ────┼─────┤
 *        │                                                            ▲        │     ▼
 *        │                                                            └─ 429 ──┴─ probing
 *        └──────────────────────── success ────────────────────────────────────────────┘
 *                                        (a probe that says nothing goes back to where it came from)
 *
 * 1. Only upstream results move a deployment: a caller's mistake and a client that left never count.
 * 2. While a probe runs, no other request is told that the deployment is ready; a probe that is never reported
 *    gives its place up after PROBE_LEASE.
 * 3. `until` never moves towards the present except by a probe's success.
 * 4. A success from an ordinary attempt does not bring a benched deployment back: it may have begun long before.
 * 5. Each ejection in a row lasts twice as long as the one before, up to LONGEST_EJECTION; after FORGIVEN of
 *    health the count starts again.
 * 6. The table decides nothing about emptiness: who asks when all are out takes the least bad (`until`, `times`).
 * 7. Its size is bounded by the deployments it was told of; `prune` forgets those that left the configuration.
 */
export type HealthState =
  | { readonly kind: 'available'; readonly failures: number; readonly times: number; readonly since: Millis }
  | { readonly kind: 'cooling'; readonly until: Millis; readonly times: number }
  | { readonly kind: 'ejected'; readonly until: Millis; readonly times: number }
  | { readonly kind: 'probing'; readonly since: Millis; readonly from: BenchedState };

/** Out of rotation: it asked for it (`cooling`), or it failed (`ejected` for the `times`-th time in a row). */
export type BenchedState = Extract<HealthState, { kind: 'cooling' | 'ejected' }>;

/** Whether an attempt is the one that decides about a benched deployment. */
export type Begun = 'ordinary' | 'probe';

const PROBE_LEASE: Millis = seconds(60);
const LONGEST_EJECTION: Millis = seconds(300);
/** A provider that asks for days is believed for an hour: probes are cheap, a forgotten deployment is not. */
const LONGEST_COOLDOWN: Millis = seconds(3600);
const FORGIVEN: Millis = seconds(600);

const FRESH: HealthState = { kind: 'available', failures: 0, times: 0, since: millis(0) };

/** The breaker of every deployment; told the time, never asks for it. */
export class HealthTable {
  readonly #states = new Map<DeploymentId, HealthState>();

  /** The state as it stands; a benched deployment whose `until` has passed is ready for its probe. */
  state(id: DeploymentId, _now: Millis): HealthState {
    return this.#states.get(id) ?? FRESH;
  }

  /** Whether the next request may use the deployment: it is available, or due for a probe that nobody runs. */
  isReady(id: DeploymentId, now: Millis): boolean {
    const state = this.#states.get(id);
    if (state === undefined || state.kind === 'available') return true;
    return state.kind === 'probing' ? now - state.since >= PROBE_LEASE : now >= state.until;
  }

  /** How bad a deployment that is not ready is: until when it is out, and how often in a row. */
  benched(id: DeploymentId): BenchedState | null {
    const state = this.#states.get(id);
    if (state === undefined || state.kind === 'available') return null;
    return state.kind === 'probing' ? state.from : state;
  }

  /**
   * Notes that an attempt starts; of a benched deployment the first one is its probe.
   *
   * An attempt made in spite of the bench, because nothing else was left, is a probe too.
   */
  begin(deployment: Deployment, now: Millis): Begun {
    const state = this.#states.get(deployment.id);
    if (state === undefined || state.kind === 'available') return 'ordinary';
    if (state.kind === 'probing' && now - state.since < PROBE_LEASE) return 'ordinary';
    const from = state.kind === 'probing' ? state.from : state;
    this.#states.set(deployment.id, { kind: 'probing', since: now, from });
    return 'probe';
  }

  /**
   * Notes how an attempt ended.
   *
   * @param groupSize usable deployments of the group: the only one of a group is not benched by a single answer
   */
  record(deployment: Deployment, groupSize: number, outcome: Outcome, settings: RoutingSettings, now: Millis): void {
    const state = this.#states.get(deployment.id) ?? FRESH;
    const health = verdict(outcome).health;
    if (health === 'neutral') this.#release(deployment.id, state);
    else if (health === 'healthy') this.#succeed(deployment.id, state, now);
    else if (canBench(deployment, settings)) {
      this.#states.set(deployment.id, afterFailure(state, { deployment, groupSize, outcome, settings, now }));
    }
  }

  /**
   * Notes that a stream has begun to speak: enough for a probe to bring its deployment back, which would otherwise
   * stay out for as long as the answer is long.
   *
   * Not a success: a deployment whose streams all break after their start is still counted out.
   */
  answered(deployment: Deployment, now: Millis): void {
    const state = this.#states.get(deployment.id);
    if (state?.kind === 'probing') this.#succeed(deployment.id, state, now);
  }

  /** Forgets every deployment but these: called when the configuration is swapped. */
  prune(ids: Iterable<DeploymentId>): void {
    const kept = new Set(ids);
    for (const id of this.#states.keys()) if (!kept.has(id)) this.#states.delete(id);
  }

  #release(id: DeploymentId, state: HealthState): void {
    if (state.kind === 'probing') this.#states.set(id, state.from);
  }

  #succeed(id: DeploymentId, state: HealthState, now: Millis): void {
    if (state.kind === 'probing') {
      this.#states.set(id, { kind: 'available', failures: 0, times: state.from.times, since: now });
    } else if (state.kind === 'available' && state.failures > 0) {
      this.#states.set(id, { ...state, failures: 0 });
    }
  }
}

interface FailureReport {
  readonly deployment: Deployment;
  readonly groupSize: number;
  readonly outcome: Outcome;
  readonly settings: RoutingSettings;
  readonly now: Millis;
}

/** Wildcard deployments serve many models, of which one may be at fault: they never leave (LiteLLM). */
function canBench(deployment: Deployment, settings: RoutingSettings): boolean {
  return settings.cooldownsEnabled && !deployment.isWildcard && (deployment.cooldown ?? settings.cooldown) > 0;
}

function afterFailure(state: HealthState, report: FailureReport): HealthState {
  switch (state.kind) {
    case 'available': {
      const failures = state.failures + 1;
      if (!leavesAtOnce(report) && failures < allowedFails(report)) return { ...state, failures };
      const isForgiven = report.now - state.since >= FORGIVEN;
      return benchedAfter(report, isForgiven ? 0 : state.times);
    }
    case 'probing':
      return longer(benchedAfter(report, state.from.times), state.from.until);
    case 'cooling':
    case 'ejected':
      // Attempts that began before it left: they only move `until`, and only when the provider named a time.
      return retryAfterOf(report.outcome) === null ? state : longer(state, plus(report.now, askedTime(report)));
  }
}

/** B12: 401, 403, 404 and 429 bench at once where the group has another, unless a policy counts their class. */
function leavesAtOnce(report: FailureReport): boolean {
  if (verdict(report.outcome).health !== 'bench' || report.groupSize < 2) return false;
  return policyCount(report) === undefined;
}

/** Consecutive failures after which the deployment is out, ≥ 1. */
function allowedFails(report: FailureReport): number {
  return Math.max(1, report.deployment.allowedFails ?? policyCount(report) ?? report.settings.allowedFails);
}

function policyCount(report: FailureReport): number | undefined {
  const named = errorClass(report.outcome);
  return named === null ? undefined : report.settings.allowedFailsPolicy[named];
}

function benchedAfter(report: FailureReport, times: number): BenchedState {
  if (report.outcome.kind === 'rate-limited') {
    return { kind: 'cooling', until: plus(report.now, askedTime(report)), times };
  }
  const factor = 2 ** times;
  const base = askedTime(report);
  const duration = millis(Math.min(base * factor, Math.max(base, LONGEST_EJECTION)));
  return { kind: 'ejected', until: plus(report.now, duration), times: times + 1 };
}

/** LiteLLM's order (litellm.md §2.6): the deployment's own setting, the provider's wish, the router's setting. */
function askedTime({ deployment, outcome, settings }: FailureReport): Millis {
  const wished = retryAfterOf(outcome);
  const usable = wished !== null && wished > 0 ? wished : null;
  return millis(Math.min(deployment.cooldown ?? usable ?? settings.cooldown, LONGEST_COOLDOWN));
}

function longer(state: BenchedState, until: Millis): BenchedState {
  return { ...state, until: latest(state.until, until) };
}
