import type { Deployment } from '../../core/snapshot.ts';
import type { StrategyView } from './strategy.ts';

/** Whether one more request would pass the deployment's rpm or tpm of this minute. */
export function isOverMinuteLimit({ id, rpm, tpm }: Deployment, { load, now, promptTokens }: StrategyView): boolean {
  if (rpm !== null && load.requestsThisMinute(id, now) + 1 > rpm) return true;
  return tpm !== null && load.tokensThisMinute(id, now) + promptTokens > tpm;
}
