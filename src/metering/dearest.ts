import type { Price, PriceSheet, Rates } from '../core/price.ts';
import { type PicoUsd, picoUsd } from '../core/units.ts';

/** The most that one of each can cost. Null: not known. */
export interface DearestRates {
  /** For one token of the prompt, of whatever kind. */
  readonly input: PicoUsd | null;
  /** For one token of the answer, of whatever kind. */
  readonly output: PicoUsd | null;
  /** For the request itself, whatever the size of its search; 0 when it has no price. */
  readonly request: PicoUsd;
}

/**
 * The dearest rates of a price: of every kind, length, tier of service and time.
 *
 * No usage costs more than its tokens at these, with what searches cost beside; estimates of budgets rest on it.
 */
export function dearest(price: Price): DearestRates {
  const all = price.sheets.flatMap(ratesOf);
  return {
    input: most(all.flatMap(inputs)),
    output: most(all.flatMap(outputs)),
    request: most(all.flatMap(requests)) ?? picoUsd(0),
  };
}

function ratesOf({ standard, flex, priority, batch }: PriceSheet): readonly Rates[] {
  return [standard, flex, priority, batch].flatMap((schedule) =>
    schedule === null ? [] : [schedule.base, ...schedule.tiers.map((tier) => tier.rates)],
  );
}

const inputs = (rates: Rates) => [
  ...[rates.input, rates.cacheRead, rates.cacheWrite, rates.cacheWriteHour],
  ...[rates.audioInput, rates.imageInput],
];

const outputs = (rates: Rates) => [
  ...[rates.output, rates.reasoning, rates.audioOutput, rates.imageOutput, rates.citation],
];

const requests = (rates: Rates) => [rates.request, rates.requestMedium, rates.requestHigh];

/** The largest that is known; null when none is. */
function most(rates: readonly (PicoUsd | null)[]): PicoUsd | null {
  const known = rates.filter((rate) => rate !== null);
  return known.length === 0 ? null : picoUsd(Math.max(...known));
}
