import { describe, expect, test } from 'bun:test';
import { NO_RATES, type Rates, type Schedule } from '../core/price.ts';
import { picoUsd } from '../core/units.ts';
import { layered, NO_SCHEDULE, overriddenPrice, type SomePrice, type SomeRates } from './schedule.ts';

const rates = (words: Partial<Record<keyof Rates, number>>): SomeRates =>
  Object.fromEntries(Object.entries(words).map(([kind, value]) => [kind, picoUsd(value)]));
const whole = (words: Partial<Record<keyof Rates, number>>): Rates => ({ ...NO_RATES, ...rates(words) });

/** What a schedule says, kinds without a price left out. */
interface Shown {
  readonly base: Readonly<Record<string, number>>;
  readonly tiers: readonly Readonly<Record<string, number>>[];
}

const shown = ({ base, tiers }: Schedule): Shown => {
  const known = (all: Rates): Record<string, number> =>
    Object.fromEntries(Object.entries(all).flatMap(([kind, rate]) => (rate === null ? [] : [[kind, Number(rate)]])));
  return { base: known(base), tiers: tiers.map((tier) => ({ ...known(tier.rates), above: tier.above })) };
};

describe('one source over another', () => {
  const under: Schedule = {
    base: whole({ input: 10, output: 20, cacheRead: 1 }),
    tiers: [
      { above: 200, rates: whole({ input: 10, output: 40, cacheRead: 4 }) },
      { above: 100, rates: whole({ input: 15, output: 20, cacheRead: 2 }) },
    ],
  };

  test('changes nothing when it says nothing', () => {
    expect(layered(under, NO_SCHEDULE)).toEqual(under);
  });

  test('has its say on prompts of every length, and leaves the rest', () => {
    expect(shown(layered(under, { base: rates({ input: 7 }), tiers: [] }))).toEqual({
      base: { input: 7, output: 20, cacheRead: 1 },
      tiers: [
        { above: 200, input: 7, output: 40, cacheRead: 4 },
        { above: 100, input: 7, output: 20, cacheRead: 2 },
      ],
    });
  });

  test('may put a tier between two', () => {
    const over = { base: {}, tiers: [{ above: 150, rates: rates({ output: 33 }) }] };
    expect(shown(layered(under, over)).tiers).toEqual([
      { above: 200, input: 10, output: 40, cacheRead: 4 },
      { above: 150, input: 15, output: 33, cacheRead: 2 },
      { above: 100, input: 15, output: 20, cacheRead: 2 },
    ]);
  });
});

describe('the operator over what is known', () => {
  const standard: Schedule = { base: whole({ input: 10, output: 20, cacheRead: 1, webSearch: 5 }), tiers: [] };
  const sheet = { when: null, standard, flex: standard, priority: null, batch: null };
  const nothing: SomePrice = { standard: NO_SCHEDULE, flex: NO_SCHEDULE, priority: NO_SCHEDULE, batch: NO_SCHEDULE };

  test('says nothing: the known price stays the same object', () => {
    const known = { sheets: [sheet] } as const;
    expect(overriddenPrice(known, nothing)).toBe(known);
    expect(overriddenPrice(null, nothing)).toBeNull();
  });

  test('replaces all that is part of what he prices, also at every time', () => {
    const later = { ...sheet, when: { kind: 'daily', start: 0, end: 1 } } as never;
    const said = { ...nothing, standard: { base: rates({ input: 3 }), tiers: [] } };
    const price = overriddenPrice({ sheets: [sheet, later] }, said);
    for (const each of price?.sheets ?? []) {
      expect(shown(each.standard).base).toEqual({ input: 3, output: 20, webSearch: 5 });
      expect(each.flex).toBeNull();
    }
    expect(price?.sheets.map(({ when }) => when?.kind ?? null)).toEqual([null, 'daily']);
  });

  test('prices a tier of service from the standard on', () => {
    const said = { ...nothing, priority: { base: rates({ input: 30 }), tiers: [] } };
    const priority = overriddenPrice({ sheets: [sheet] }, said)?.sheets[0].priority;
    expect(priority == null ? null : shown(priority).base).toEqual({
      input: 30,
      output: 20,
      cacheRead: 1,
      webSearch: 5,
    });
  });
});
