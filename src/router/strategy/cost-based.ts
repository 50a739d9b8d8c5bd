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

/** Of short prompts, at the latest price of which the hour does not matter: comparing needs no more. */
function price({ price }: Deployment): number {
  const rates = price?.sheets.findLast(({ when }) => when?.kind !== 'daily')?.standard.base;
  return dollarsOr(rates?.input ?? null) + dollarsOr(rates?.output ?? null);
}

function dollarsOr(rate: PicoUsd | null): number {
  return rate === null ? UNKNOWN_PRICE : dollars(rate);
}
