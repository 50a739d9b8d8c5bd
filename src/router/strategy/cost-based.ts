import type { Deployment } from '../../core/snapshot.ts';
import { lowest } from './choose.ts';
import { isOverMinuteLimit } from './minute-limit.ts';
import type { Strategy } from './strategy.ts';

/** What LiteLLM takes for a price that nobody knows, in US dollars for one token. */
const UNKNOWN_PRICE = 5;

/** The cheapest by input plus output price of one token. */
export const costBased: Strategy = {
  isOverLimit: isOverMinuteLimit,
  pick: (candidates, { random }) => lowest(candidates, price, random),
};

function price(deployment: Deployment): number {
  return (deployment.inputCostPerToken ?? UNKNOWN_PRICE) + (deployment.outputCostPerToken ?? UNKNOWN_PRICE);
}
