import type { Deployment } from '../../core/snapshot.ts';
import { dollars, type PicoUsd } from '../../core/units.ts';
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

/** Of short prompts, at the price that holds when no other does: comparing needs no more. */
function price({ price }: Deployment): number {
  const rates = price?.sheets[0].standard.base;
  return dollarsOr(rates?.input ?? null) + dollarsOr(rates?.output ?? null);
}

function dollarsOr(rate: PicoUsd | null): number {
  return rate === null ? UNKNOWN_PRICE : dollars(rate);
}
