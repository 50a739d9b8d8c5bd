import type { Deployment } from '../../core/snapshot.ts';
import { lowest } from './choose.ts';
import type { Strategy, StrategyView } from './strategy.ts';

/** Fewest tokens this minute among those within their tpm and rpm; ties are broken at random. */
export const usageBased: Strategy = {
  isOverLimit,
  pick: (candidates, { load, now, random }) => lowest(candidates, ({ id }) => load.tokensThisMinute(id, now), random),
};

/**
 * LiteLLM's test, its arithmetic included: a used deployment is out when requests + 1 ≥ rpm, so that of rpm 10 nine
 * are used and of rpm 1 one (litellm.md §2.3).
 */
function isOverLimit({ id, rpm, tpm }: Deployment, { load, now, promptTokens }: StrategyView): boolean {
  if (tpm !== null && load.tokensThisMinute(id, now) + promptTokens > tpm) return true;
  if (rpm === null) return false;
  const requests = load.requestsThisMinute(id, now);
  return requests > 0 && requests + 1 >= rpm;
}
