import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { NO_RATES, type Price, type PriceSheet, type Rates } from '../core/price.ts';
import { epochMillis, millis, type PicoUsd, picoUsd } from '../core/units.ts';
import { NO_USAGE, type Usage } from '../core/usage.ts';
import { costOf, sheetAt } from './cost.ts';
import { flatPrice } from './schedule.ts';

const NOW = epochMillis(Date.parse('2026-11-20T12:00:00Z'));
const rate = (value: number): PicoUsd => picoUsd(value);

type Counts = Partial<Usage>;
const usageOf = (counts: Counts): Usage => ({ ...NO_USAGE, ...counts });

/** Parts within their wholes, as a sound provider reports them. */
const SOUND: fc.Arbitrary<Usage> = fc
  .record({
    parts: fc.array(fc.nat(200_000), { minLength: 9, maxLength: 9 }),
    plain: fc.tuple(fc.nat(200_000), fc.nat(200_000)),
    webSearches: fc.nat(20),
  })
  .map(({ parts, plain, webSearches }) => {
    const [cacheRead = 0, five = 0, hour = 0, audioInput = 0, imageInput = 0, ...rest] = parts;
    const [reasoning = 0, audioOutput = 0, imageOutput = 0, citation = 0] = rest;
    return usageOf({
      input: plain[0] + cacheRead + five + hour + audioInput + imageInput,
      output: plain[1] + reasoning + audioOutput + imageOutput + citation,
      ...{ cacheRead, cacheWrite: five + hour, cacheWriteHour: hour, audioInput, imageInput },
      ...{ reasoning, audioOutput, imageOutput, citation, webSearches },
    });
  });

/** Whatever a provider may send, parts larger than their wholes included. */
const ANY: fc.Arbitrary<Usage> = fc
  .array(fc.oneof(fc.nat(500), fc.nat(10_000_000), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })), {
    minLength: 12,
    maxLength: 12,
  })
  .map((counts) => {
    const kinds = Object.keys(NO_USAGE).filter((kind) => typeof NO_USAGE[kind as keyof Usage] === 'number');
    return usageOf(Object.fromEntries(kinds.map((kind, index) => [kind, counts[index] ?? 0])));
  });

const KINDS = Object.keys(NO_RATES) as (keyof Rates)[];
const PICO = fc.oneof(fc.nat(1_000_000_000), fc.nat(99));

/** Input, output and searches have a price, other kinds may have one. */
const RATES: fc.Arbitrary<Rates> = fc
  .record({ known: fc.tuple(PICO, PICO, PICO), others: fc.array(fc.option(PICO), { minLength: 15, maxLength: 15 }) })
  .map(({ known: [input, output, webSearch], others }) => ({
    ...(Object.fromEntries(KINDS.map((kind, index) => [kind, others[index] ?? null])) as unknown as Rates),
    ...{ input: rate(input), output: rate(output), webSearch: rate(webSearch) },
  }));

const nano = (price: Price, usage: Usage): bigint => {
  const cost = costOf(price, usage, NOW);
  if (cost === null) throw new Error('unknown');
  return cost;
};

/**
 * The same sum said otherwise: tokens are dealt to the kinds of a list until none is left, and the price is a fraction.
 */
function byHand(rates: Rates, usage: Usage): { numerator: bigint; denominator: bigint } {
  const or = (first: number | null, ...others: (number | null)[]) =>
    BigInt(first ?? others.find((each) => each !== null) ?? 0);
  const deal = (whole: number, kinds: readonly (readonly [number, bigint])[]): bigint => {
    let left = BigInt(whole);
    let sum = 0n;
    for (const [count, price] of kinds) {
      const taken = BigInt(count) < left ? BigInt(count) : left;
      sum += taken * price;
      left -= taken;
    }
    return sum;
  };
  const { input, output, cacheRead, cacheWrite } = rates;
  const hour = Math.min(usage.cacheWriteHour, usage.cacheWrite);
  const room = Math.max(0, Math.min(usage.cacheWrite, usage.input - Math.min(usage.cacheRead, usage.input)));
  const pico =
    deal(usage.input, [
      [usage.cacheRead, or(cacheRead, input)],
      [Math.min(hour, room), or(rates.cacheWriteHour, cacheWrite, input)],
      [room - Math.min(hour, room), or(cacheWrite, input)],
      [usage.audioInput, or(rates.audioInput, input)],
      [usage.imageInput, or(rates.imageInput, input)],
      [usage.input, or(input)],
    ]) +
    deal(usage.output, [
      [usage.reasoning, or(rates.reasoning, output)],
      [usage.audioOutput, or(rates.audioOutput, output)],
      [usage.imageOutput, or(rates.imageOutput, output)],
      [usage.citation, or(rates.citation, output)],
      [usage.output, or(output)],
    ]) +
    BigInt(usage.webSearches) * or(rates.webSearch) +
    or(rates.request);
  return { numerator: pico, denominator: 1000n };
}

describe('a cost', () => {
  test('is the exact fraction, rounded up once, however large', () => {
    fc.assert(
      fc.property(RATES, fc.oneof(SOUND, ANY), (rates, usage) => {
        const { numerator, denominator } = byHand(rates, usage);
        const cost = nano(flatPrice(rates), usage);
        expect(cost * denominator >= numerator).toBe(true);
        expect((cost - 1n) * denominator < numerator).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test('is never negative, and grows with input, output and searches', () => {
    fc.assert(
      fc.property(RATES, SOUND, fc.nat(100_000), (rates, usage, more) => {
        const price = flatPrice(rates);
        const before = nano(price, usage);
        expect(before >= 0n).toBe(true);
        for (const kind of ['input', 'output', 'webSearches'] as const)
          expect(nano(price, { ...usage, [kind]: usage[kind] + more }) >= before).toBe(true);
      }),
    );
  });

  test('of two answers is that of both together, but for the one nano of rounding', () => {
    fc.assert(
      fc.property(RATES, SOUND, SOUND, (rates, one, other) => {
        const price = flatPrice({ ...rates, request: null });
        const sum = (kind: keyof Usage) => Number(one[kind]) + Number(other[kind]);
        const kinds = Object.keys(NO_USAGE).filter(
          (kind) => typeof NO_USAGE[kind as keyof Usage] === 'number',
        ) as (keyof Usage)[];
        const both = usageOf(Object.fromEntries(kinds.map((kind) => [kind, sum(kind)])));
        const apart = nano(price, one) + nano(price, other);
        const extra = apart - nano(price, both);
        expect(extra === 0n || extra === 1n).toBe(true);
      }),
    );
  });

  test('charges no token twice: with one price for all kinds it is the tokens times that price', () => {
    fc.assert(
      fc.property(ANY, (usage) => {
        const same = Object.fromEntries(KINDS.map((kind) => [kind, rate(1000)])) as unknown as Rates;
        const price = flatPrice({ ...same, request: null, webSearch: rate(0) });
        expect(nano(price, usage)).toBe(BigInt(usage.input) + BigInt(usage.output));
      }),
    );
  });

  test.each<[string, Counts, bigint]>([
    ['nothing', {}, 0n],
    ['the first token', { input: 1 }, 1n],
    ['a thousandth of a nano, rounded up', { output: 1 }, 1n],
    ['the last exact double', { input: 9_007_199_254 }, 9_007_199_254n],
    ['just beyond the last exact double', { input: 9_007_199_254_741 }, 9_007_199_254_741n],
    ['counts that are no integers', { input: 1.5 }, 2n],
    ['a count beyond all counts', { input: 1e300 }, BigInt(Number.MAX_SAFE_INTEGER)],
  ])('of %s', (_name, counts, expected) => {
    expect(nano(flatPrice({ input: rate(1000), output: rate(1) }), usageOf(counts))).toBe(expected);
  });

  test.each<[string, Partial<Rates>, Counts]>([
    ['output without a price', { input: rate(1) }, { input: 5, output: 1 }],
    ['input without a price', { output: rate(1) }, { input: 5 }],
    ['searches without a price', { input: rate(1), output: rate(1) }, { input: 5, webSearches: 1 }],
  ])('is unknown for %s', (_name, rates, counts) => {
    expect(costOf(flatPrice(rates), usageOf(counts), NOW)).toBeNull();
  });

  test('is known although a kind has no price that was not used', () => {
    expect(nano(flatPrice({ input: rate(1000) }), usageOf({ input: 7 }))).toBe(7n);
  });
});

describe('tiers', () => {
  const rates = (input: number, output: number): Rates => ({ ...NO_RATES, input: rate(input), output: rate(output) });
  const sheet: PriceSheet = {
    when: null,
    standard: {
      base: rates(1000, 1000),
      tiers: [
        { above: 200, rates: rates(4000, 8000) },
        { above: 100, rates: rates(2000, 4000) },
      ],
    },
    flex: { base: rates(500, 500), tiers: [] },
    priority: null,
    batch: null,
  };
  const price: Price = { sheets: [sheet] };

  test.each<[string, Counts, bigint]>([
    ['a prompt of the limit is below it', { input: 100, output: 10 }, 110n],
    ['one token more changes the whole request', { input: 101, output: 10 }, 242n],
    ['the highest limit that is exceeded counts', { input: 201, output: 10 }, 884n],
    ['output does not count for the limit', { input: 1, output: 1000 }, 1001n],
    ['cached input counts for the limit', { input: 101, cacheRead: 101, output: 10 }, 242n],
    ['flex has prices of its own', { input: 100, output: 10, serviceTier: 'flex' }, 55n],
    ['a tier of service without prices costs the standard', { input: 100, output: 10, serviceTier: 'priority' }, 110n],
    ['a batch costs half, tiers included', { input: 101, output: 10, serviceTier: 'batch' }, 121n],
    ['half a nano is rounded up', { input: 1, serviceTier: 'batch' }, 1n],
  ])('%s', (_name, counts, expected) => {
    expect(nano(price, usageOf(counts))).toBe(expected);
  });

  test('half the price is for tokens only', () => {
    const flat = flatPrice({ input: rate(1000), output: rate(0), request: rate(10_000), webSearch: rate(5000) });
    // 10 × 1 / 2 + 10 + 2 × 5
    expect(nano(flat, usageOf({ input: 10, webSearches: 2, serviceTier: 'batch' }))).toBe(25n);
  });
});

describe('time', () => {
  const sheet = (input: number, when: PriceSheet['when']): PriceSheet => {
    const { standard } = flatPrice({ input: rate(input) }).sheets[0];
    return { when, standard, flex: null, priority: null, batch: null };
  };
  const hour = (hours: number) => millis(hours * 3_600_000);
  const price: Price = {
    sheets: [
      sheet(1, null),
      sheet(2, { kind: 'from', at: epochMillis(Date.parse('2026-06-01T00:00:00Z')) }),
      sheet(3, { kind: 'daily', start: hour(8), end: hour(10) }),
      sheet(4, { kind: 'daily', start: hour(23), end: hour(1) }),
    ],
  };

  test.each([
    ['2026-05-31T23:59:59.999Z', 4],
    ['2026-05-31T12:00:00Z', 1],
    ['2026-06-01T01:00:00Z', 2],
    ['2026-06-01T07:59:59Z', 2],
    ['2026-06-01T08:00:00Z', 3],
    ['2026-06-01T10:00:00Z', 2],
    ['2026-06-01T23:00:00Z', 4],
    ['2026-06-02T00:59:59Z', 4],
  ])('at %s sheet %d holds', (time, expected) => {
    expect(sheetAt(price, epochMillis(Date.parse(time))).standard.base.input).toBe(rate(expected));
  });
});
