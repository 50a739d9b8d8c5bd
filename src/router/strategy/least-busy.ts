import { lowest } from './choose.ts';
import type { Strategy } from './strategy.ts';

/** Fewest attempts in flight; never used counts zero, ties are broken at random. */
export const leastBusy: Strategy = {
  isOverLimit: () => false,
  pick: (candidates, { load, random }) => lowest(candidates, ({ id }) => load.inFlight(id), random),
};
