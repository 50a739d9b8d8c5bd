import type { Deployment } from '../core/snapshot.ts';
import type { Millis } from '../core/units.ts';
import type { HealthTable } from './health.ts';
import type { Leg, Level } from './leg.ts';
import type { Attempt } from './route.ts';
import { STRATEGIES } from './strategy/registry.ts';
import type { StrategyView } from './strategy/strategy.ts';
import type { Survey } from './survey.ts';

/** A deployment and the leg it stands in. */
export interface Choice {
  readonly leg: Leg;
  readonly deployment: Deployment;
}

/** What choosing looks at. */
export interface Scene {
  readonly view: StrategyView;
  readonly health: HealthTable;
  readonly attempts: readonly Attempt[];
  readonly now: Millis;
}

/** B8: the first level, in plan order, with an untried deployment that is ready; the strategy chooses in it. */
export function nextReady({ legs, closed }: Survey, scene: Scene): Choice | null {
  for (const leg of legs) {
    if (closed.has(leg)) continue;
    for (const level of leg.levels) {
      const deployment = pickIn(level, scene);
      if (deployment !== null) return { leg, deployment };
    }
  }
  return null;
}

/** B12: when everything is benched, the untried deployment that is out for the shortest time, then the least often. */
export function leastBad({ legs, closed }: Survey, scene: Scene): Choice | null {
  let best: Choice | null = null;
  for (const leg of legs) {
    if (closed.has(leg)) continue;
    for (const deployment of leg.deployments) {
      if (wasTried(deployment, scene.attempts) || isOverLimit(deployment, scene.view)) continue;
      if (best === null || isLessBad(deployment, best.deployment, scene.health)) best = { leg, deployment };
    }
  }
  return best;
}

/** Tried means this very object: copies stand for the same deployment with another model or body. */
export function wasTried(deployment: Deployment, attempts: readonly Attempt[]): boolean {
  for (const attempt of attempts) if (attempt.deployment === deployment) return true;
  return false;
}

/**
 * Whether the deployment has used up its minute.
 *
 * Strategies that look at limits say so; with pre-call checks the requests of any other are counted too
 * (litellm.md §2.2.5).
 */
export function isOverLimit(deployment: Deployment, view: StrategyView): boolean {
  const { strategy, preCallChecks } = view.settings;
  if (STRATEGIES[strategy].isOverLimit(deployment, view)) return true;
  if (!preCallChecks || deployment.rpm === null || strategy.startsWith('usage-based')) return false;
  return view.load.requestsThisMinute(deployment.id, view.now) >= deployment.rpm;
}

function pickIn(level: Level, scene: Scene): Deployment | null {
  const all = level.deployments;
  const usable = all.every((each) => isUsable(each, scene)) ? all : all.filter((each) => isUsable(each, scene));
  const free = withoutFull(usable, scene.view);
  if (free.length < 2) return free[0] ?? null;
  return STRATEGIES[scene.view.settings.strategy].pick(free, scene.view);
}

function isUsable(deployment: Deployment, { health, attempts, view, now }: Scene): boolean {
  return health.isReady(deployment.id, now) && !wasTried(deployment, attempts) && !isOverLimit(deployment, view);
}

/** Deployments at `max_parallel_requests` make requests wait: they are passed over while another of the level has room. */
function withoutFull(usable: readonly Deployment[], { load, settings }: StrategyView): readonly Deployment[] {
  if (usable.length < 2) return usable;
  const isFull = ({ id, maxParallel }: Deployment): boolean => {
    const most = maxParallel ?? settings.defaultMaxParallel;
    return most !== null && load.inFlight(id) >= most;
  };
  if (!usable.some(isFull)) return usable;
  const free = usable.filter((each) => !isFull(each));
  return free.length > 0 ? free : usable;
}

function isLessBad(a: Deployment, b: Deployment, health: HealthTable): boolean {
  const [left, right] = [health.benched(a.id), health.benched(b.id)];
  const [leftUntil, rightUntil] = [left?.until ?? 0, right?.until ?? 0];
  if (leftUntil !== rightUntil) return leftUntil < rightUntil;
  return (left?.times ?? 0) < (right?.times ?? 0);
}
