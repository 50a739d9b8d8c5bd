import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { BudgetPeriod, Duration, DurationUnit } from '../core/budget.ts';
import { epochMillis } from '../core/units.ts';
import { after, parseDuration, periodAt } from './period.ts';

const at = (text: string) => epochMillis(Date.parse(text));
const iso = (moment: number | null) => (moment === null ? null : new Date(moment).toISOString().replace('.000Z', 'Z'));

function recurring(text: string, anchor = '2026-01-14T10:20:30Z'): BudgetPeriod {
  const length = parseDuration(text);
  if (length === null) throw new Error(`${text} is no duration`);
  return { kind: 'recurring', length, anchor: at(anchor) };
}

describe('spans in the grammar of LiteLLM', () => {
  test.each<[string, Duration | null]>([
    ['30s', { count: 30, unit: 's' }],
    ['30m', { count: 30, unit: 'm' }],
    ['30h', { count: 30, unit: 'h' }],
    ['30d', { count: 30, unit: 'd' }],
    ['2w', { count: 2, unit: 'w' }],
    ['1mo', { count: 1, unit: 'mo' }],
    ['0d', null],
    ['-1', null],
    ['', null],
    ['d', null],
    ['1.5h', null],
    ['1 d', null],
    ['1D', null],
    ['1y', null],
    ['99999999999999d', null],
  ])('%j is %j', (text, expected) => {
    expect(parseDuration(text)).toEqual(expected);
  });

  test.each([
    ['2026-01-31T10:00:00Z', '1mo', '2026-02-28T10:00:00Z'],
    ['2028-01-31T10:00:00Z', '1mo', '2028-02-29T10:00:00Z'],
    ['2026-11-30T23:59:59Z', '3mo', '2027-02-28T23:59:59Z'],
    ['2026-03-15T00:00:00Z', '12mo', '2027-03-15T00:00:00Z'],
    ['2026-01-31T10:00:00Z', '1d', '2026-02-01T10:00:00Z'],
    ['2026-01-31T10:00:00Z', '2w', '2026-02-14T10:00:00Z'],
    ['2026-12-31T23:59:30Z', '30s', '2027-01-01T00:00:00Z'],
  ])('%s and %s give %s', (start, span, expected) => {
    expect(iso(after(at(start), parseDuration(span) as Duration))).toBe(expected);
  });
});

describe('the period that a budget counts', () => {
  test.each([
    ['1d', '2026-02-28T23:59:59Z', '2026-02-28T00:00:00Z', '2026-03-01T00:00:00Z'],
    ['1d', '2026-03-01T00:00:00Z', '2026-03-01T00:00:00Z', '2026-03-02T00:00:00Z'],
    ['7d', '2026-02-22T23:59:59Z', '2026-02-16T00:00:00Z', '2026-02-23T00:00:00Z'], // a Sunday
    ['7d', '2026-02-23T00:00:00Z', '2026-02-23T00:00:00Z', '2026-03-02T00:00:00Z'], // a Monday
    ['1w', '2026-02-25T12:00:00Z', '2026-02-23T00:00:00Z', '2026-03-02T00:00:00Z'],
    ['30d', '2026-02-10T12:00:00Z', '2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z'],
    ['1mo', '2028-02-29T12:00:00Z', '2028-02-01T00:00:00Z', '2028-03-01T00:00:00Z'],
    ['1mo', '2026-12-31T23:59:59Z', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['3mo', '2026-03-31T12:00:00Z', '2026-01-01T00:00:00Z', '2026-04-01T00:00:00Z'],
    ['3mo', '2025-12-31T12:00:00Z', '2025-10-01T00:00:00Z', '2026-01-01T00:00:00Z'], // before the anchor
    ['10d', '2026-01-14T00:00:00Z', '2026-01-14T00:00:00Z', '2026-01-24T00:00:00Z'],
    ['10d', '2026-01-13T23:59:59Z', '2026-01-04T00:00:00Z', '2026-01-14T00:00:00Z'],
    ['2w', '2026-01-30T00:00:00Z', '2026-01-28T00:00:00Z', '2026-02-11T00:00:00Z'],
    ['24h', '2026-02-28T23:59:59Z', '2026-02-28T00:00:00Z', '2026-03-01T00:00:00Z'],
    ['6h', '2026-02-28T11:59:59Z', '2026-02-28T06:00:00Z', '2026-02-28T12:00:00Z'],
    ['1h', '2026-02-28T11:59:59Z', '2026-02-28T11:00:00Z', '2026-02-28T12:00:00Z'],
    ['5h', '2026-01-14T16:00:00Z', '2026-01-14T15:00:00Z', '2026-01-14T20:00:00Z'],
    ['30h', '2026-01-15T16:00:00Z', '2026-01-15T16:00:00Z', '2026-01-16T22:00:00Z'],
    ['15m', '2026-02-28T11:59:59Z', '2026-02-28T11:45:00Z', '2026-02-28T12:00:00Z'],
    ['7m', '2026-01-14T10:26:59Z', '2026-01-14T10:20:00Z', '2026-01-14T10:27:00Z'],
    ['30s', '2026-02-28T11:59:59Z', '2026-02-28T11:59:30Z', '2026-02-28T12:00:00Z'],
    ['7s', '2026-01-14T10:20:36Z', '2026-01-14T10:20:30Z', '2026-01-14T10:20:37Z'],
  ])('%s at %s is from %s to %s', (length, now, start, end) => {
    const bounds = periodAt(recurring(length), at(now));
    expect([iso(bounds.start), iso(bounds.end)]).toEqual([start, end]);
  });

  test('one for ever began before everything and never ends', () => {
    expect(periodAt({ kind: 'forever' }, at('2026-01-01T00:00:00Z'))).toEqual({ start: epochMillis(0), end: null });
  });

  const moment = fc.integer({ min: Date.UTC(1990, 0), max: Date.UTC(2060, 0) });
  const length = fc.record({
    count: fc.oneof(fc.constantFrom(1, 7, 12, 24, 30, 60), fc.integer({ min: 1, max: 100 })),
    unit: fc.constantFrom<DurationUnit>('s', 'm', 'h', 'd', 'w', 'mo'),
  });

  test('holds now, and the next begins where it ends', () => {
    fc.assert(
      fc.property(length, moment, moment, (each, anchor, now) => {
        const period: BudgetPeriod = { kind: 'recurring', length: each, anchor: epochMillis(anchor) };
        const { start, end } = periodAt(period, epochMillis(now));
        if (end === null) throw new Error('it has an end');
        expect(start <= now && now < end).toBe(true);
        expect(periodAt(period, start)).toEqual({ start, end });
        expect(periodAt(period, epochMillis(end - 1))).toEqual({ start, end });
        expect(periodAt(period, end).start).toBe(end);
        expect(periodAt(period, epochMillis(start - 1)).end).toBe(start);
      }),
    );
  });

  test('is the one that counting days one after the other finds', () => {
    fc.assert(
      fc.property(length, moment, fc.integer({ min: -4000, max: 4000 }), (each, anchor, days) => {
        fc.pre(['d', 'w', 'mo'].includes(each.unit));
        const now = anchor + days * 86_400_000;
        const period: BudgetPeriod = { kind: 'recurring', length: each, anchor: epochMillis(anchor) };
        const { start, end } = periodAt(period, epochMillis(now));
        expect([iso(start), iso(end)]).toEqual(naive(each, anchor, now));
      }),
      { numRuns: 200 },
    );
  });
});

/** The same by walking the calendar from the anchor, period by period, with a date's own setters. */
function naive({ count, unit }: Duration, anchor: number, now: number): [string | null, string | null] {
  const first = new Date(anchor);
  first.setUTCHours(0, 0, 0, 0);
  const length = unit === 'w' ? count * 7 : count;
  const isMonths = unit === 'mo' || length === 30;
  const months = unit === 'mo' ? count : 1;
  if (isMonths) first.setUTCDate(1);
  else if (length === 7) while (first.getUTCDay() !== 1) first.setUTCDate(first.getUTCDate() - 1);
  const step = (from: Date, direction: 1 | -1): Date => {
    const to = new Date(from);
    if (isMonths) to.setUTCMonth(to.getUTCMonth() + direction * months);
    else to.setUTCDate(to.getUTCDate() + direction * length);
    return to;
  };
  let start = first;
  while (start.getTime() > now) start = step(start, -1);
  while (step(start, 1).getTime() <= now) start = step(start, 1);
  return [iso(start.getTime()), iso(step(start, 1).getTime())];
}
