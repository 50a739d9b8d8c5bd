import { errorClass, type Outcome, retryAfterOf, verdict } from '../core/outcome.ts';
import type { Deployment } from '../core/snapshot.ts';
import type { Millis } from '../core/units.ts';
import { retryDelay } from './backoff.ts';
import { type Choice, isOverLimit, type Scene } from './candidates.ts';
import type { Leg } from './leg.ts';
import type { Attempt, Route } from './route.ts';
import { legOf, type Survey } from './survey.ts';

/** A return to a tried deployment, after a wait without its random part. */
export interface Return extends Choice {
  readonly wait: Millis;
}

/** Retries that a client may ask for: it cannot make the gateway hammer a provider. */
const MOST_CLIENT_RETRIES = 20;

interface Tries {
  readonly last: Attempt;
  readonly count: number;
}

/**
 * B11: the tried deployment to return to when nothing else is left.
 *
 * The one that may be called first; among equals the least often tried, then plan order. Benched ones only compete
 * while no other is left.
 */
export function nextReturn(
  route: Route,
  { legs, closed }: Survey,
  scene: Scene,
  which: 'ready' | 'benched',
): Return | null {
  const returns = returnsSoFar(scene.attempts);
  let best: (Return & { readonly tries: number }) | null = null;
  for (const leg of legs) {
    if (closed.has(leg)) continue;
    for (const deployment of leg.deployments) {
      const tries = triesOf(deployment, scene.attempts);
      if (tries === null || scene.health.isReady(deployment.id, scene.now) !== (which === 'ready')) continue;
      if (!mayReturn(route, leg, tries.last, returns) || isOverLimit(deployment, scene.view)) continue;
      const wait = waitFor(route, tries.last, returns, scene.now);
      if (best === null || wait < best.wait || (wait === best.wait && tries.count < best.tries)) {
        best = { leg, deployment, wait, tries: tries.count };
      }
    }
  }
  return best;
}

/**
 * A return that `retry_policy` insists on although the refusal would be final: LiteLLM skips its own test for classes
 * with a count (litellm.md §2.5).
 *
 * Refusals that are the deployment's own fault are not meant: for them another deployment comes first.
 */
export function insistedReturn(route: Route, { legs }: Survey, scene: Scene): Return | null {
  const last = scene.attempts.at(-1);
  if (last === undefined || last.outcome.kind !== 'rejected' || verdict(last.outcome).health === 'bench') return null;
  const leg = legOf(legs, last);
  const returns = returnsSoFar(scene.attempts);
  if (leg === null || (policyRetries(route, leg, last.outcome) ?? 0) <= returns) return null;
  return { leg, deployment: last.deployment, wait: waitFor(route, last, returns, scene.now) };
}

/** Attempts so far at a deployment that had been tried before. */
export function returnsSoFar(attempts: readonly Attempt[]): number {
  return attempts.length - new Set(attempts.map((attempt) => attempt.deployment)).size;
}

/** Retries of the whole request as long as this deployment failed last: policy, deployment, request, router (§2.5). */
function mayReturn(route: Route, leg: Leg, last: Attempt, returns: number): boolean {
  const policy = policyRetries(route, leg, last.outcome);
  if (policy === undefined && verdict(last.outcome).again === 'never') return false;
  const { request, settings } = route;
  const asked = request.controls.numRetries;
  const requested = asked === null ? settings.numRetries : Math.min(asked, MOST_CLIENT_RETRIES);
  return returns < (policy ?? last.deployment.numRetries ?? requested);
}

function policyRetries({ settings }: Route, leg: Leg, outcome: Outcome): number | undefined {
  const named = errorClass(outcome);
  if (named === null) return undefined;
  return settings.groupRetryCounts.get(leg.group)?.[named] ?? settings.retryCounts[named];
}

function waitFor({ settings }: Route, last: Attempt, returns: number, now: Millis): Millis {
  return retryDelay(settings.backoff, returns, { retryAfter: retryAfterOf(last.outcome), endedAt: last.endedAt }, now);
}

function triesOf(deployment: Deployment, attempts: readonly Attempt[]): Tries | null {
  let last: Attempt | null = null;
  let count = 0;
  for (const attempt of attempts) {
    if (attempt.deployment !== deployment) continue;
    last = attempt;
    count += 1;
  }
  return last === null ? null : { last, count };
}
