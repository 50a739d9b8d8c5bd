import { type Millis, millis, plus } from '../core/units.ts';
import { attemptLimits } from './attempt-limits.ts';
import { jitter } from './backoff.ts';
import { type Choice, leastBad, nextReady, type Scene } from './candidates.ts';
import type { HealthTable } from './health.ts';
import type { LoadTable } from './load.ts';
import { insistedReturn, nextReturn, type Return } from './retry.ts';
import type { Attempt, Decision, GiveUpReason, Route } from './route.ts';
import { type Survey, survey } from './survey.ts';

/**
 * Again, where, and when: the one place that answers, for the first attempt and after each that failed.
 *
 * 1. A final outcome ends the request, unless `retry_policy` insists.
 * 2. An untried deployment that is ready: order levels, then the groups of the chain. At once.
 * 3. A return to a tried one that is ready, after its wait, while retries are left.
 * 4. An untried one that is benched, the least bad first: rather that than refuse. At once.
 * 5. A return to a tried one that is benched, after its wait.
 *
 * Nothing starts at or past the deadline. Pure: the tables are read, not written.
 *
 * @param attempts those of this request that ended, in order, with the deployments as decided
 * @param random uniform in [0, 1); used only where there is a choice or a wait
 */
export function decide(
  route: Route,
  attempts: readonly Attempt[],
  health: HealthTable,
  load: LoadTable,
  now: Millis,
  random: () => number,
): Decision {
  const plan = survey(route, attempts);
  const { settings, request } = route;
  const view = {
    settings,
    load,
    now,
    random,
    isStreaming: request.isStreaming,
    promptTokens: request.promptTokens ?? 0,
  };
  const scene: Scene = { view, health, attempts, now };
  const insisted = insistedReturn(route, plan, scene);
  if (insisted !== null) return comeBack(route, plan, scene, insisted);
  if (plan.move === 'stop') return giveUp(isOutOfTime(attempts) ? 'deadline' : 'final-outcome');
  if (now >= route.deadline) return giveUp('deadline');
  const next = nextReady(plan, scene);
  if (next !== null) return go(route, plan, scene, next, millis(0));
  const rested = nextReturn(route, plan, scene, 'ready');
  if (rested !== null) return comeBack(route, plan, scene, rested);
  const benched = leastBad(plan, scene);
  if (benched !== null) return go(route, plan, scene, benched, millis(0));
  const last = nextReturn(route, plan, scene, 'benched');
  return last === null ? giveUp(whyNothing(plan)) : comeBack(route, plan, scene, last);
}

function isOutOfTime(attempts: readonly Attempt[]): boolean {
  const outcome = attempts.at(-1)?.outcome;
  return outcome?.kind === 'timeout' && outcome.phase === 'total';
}

/** Leaving a refusal's group with nowhere to go makes the refusal the answer. */
function whyNothing({ move }: Survey): GiveUpReason {
  return move === 'leave' || move === 'context-chain' || move === 'content-chain' ? 'final-outcome' : 'exhausted';
}

function comeBack(route: Route, plan: Survey, scene: Scene, back: Return): Decision {
  const delay = plus(back.wait, jitter(route.settings.backoff, scene.view.random));
  if (plus(scene.now, delay) >= route.deadline) return giveUp('deadline');
  return go(route, plan, scene, back, delay);
}

function go(
  route: Route,
  { walked }: Survey,
  { attempts }: Scene,
  { leg, deployment }: Choice,
  delay: Millis,
): Decision {
  let groups = walked.has(leg) ? 0 : 1;
  let fallbacks = groups === 1 && leg.role === 'fallback' ? 1 : 0;
  for (const each of walked) {
    groups += 1;
    if (each.role === 'fallback') fallbacks += 1;
  }
  return {
    kind: 'attempt',
    deployment,
    group: leg.group,
    model: deployment.model,
    delay,
    limits: attemptLimits(route, deployment),
    overrides: leg.overrides,
    // The first attempt in each group is the first of all or a fallback; every other one is a retry.
    retries: attempts.length + 1 - groups,
    fallbacks,
  };
}

function giveUp(reason: GiveUpReason): Decision {
  return { kind: 'give-up', reason };
}
