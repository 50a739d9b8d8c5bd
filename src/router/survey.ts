import type { Leg } from './leg.ts';
import { type Move, moveAfter } from './move.ts';
import type { Attempt, Route } from './route.ts';

/** What the attempts so far have left of the plan. */
export interface Survey {
  /** The chain being walked: the ordinary one, or that for context or content errors. */
  readonly legs: readonly Leg[];
  /** Legs with an attempt. */
  readonly walked: ReadonlySet<Leg>;
  /** Legs of which every deployment would answer alike. */
  readonly closed: ReadonlySet<Leg>;
  /** Where the last outcome sends the request. */
  readonly move: Move;
}

const NONE: ReadonlySet<Leg> = new Set();

/** Replays the attempts over the plan; cheap, since there are few. */
export function survey(route: Route, attempts: readonly Attempt[]): Survey {
  let legs = route.legs;
  let move: Move = 'onward';
  if (attempts.length === 0) return { legs, walked: NONE, closed: NONE, move };
  const walked = new Set<Leg>();
  const closed = new Set<Leg>();
  for (const attempt of attempts) {
    const leg = legOf(legs, attempt);
    if (leg === null) continue;
    walked.add(leg);
    move = moveAfter(route, leg, attempt.outcome);
    if (move === 'leave') closed.add(leg);
    // Legs of a special chain have no chains of their own, so this happens once.
    else if (move === 'context-chain') legs = leg.contextChain ?? legs;
    else if (move === 'content-chain') legs = leg.contentChain ?? legs;
  }
  return { legs, walked, closed, move };
}

/** The leg that an attempt belongs to; by object, since a client's list may use one group twice. */
export function legOf(legs: readonly Leg[], attempt: Attempt): Leg | null {
  for (const leg of legs) if (leg.deployments.includes(attempt.deployment)) return leg;
  return null;
}
