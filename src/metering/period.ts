import type { BudgetPeriod, Duration, DurationUnit } from '../core/budget.ts';
import { type EpochMillis, epochMillis } from '../core/units.ts';

/** The span that a budget counts now: `start` ≤ now < `end`; a budget for ever has no end. */
export interface PeriodBounds {
  readonly start: EpochMillis;
  readonly end: EpochMillis | null;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const UNIT_MILLIS = { s: 1000, m: 60_000, h: HOUR, d: DAY, w: 7 * DAY } as const;
/** 1970-01-05, the first Monday there was. */
const FIRST_MONDAY = 4 * DAY;
/** Longer than this is a slip of the pen, and dates would leave what `Date` can hold. */
const LONGEST_YEARS = 1000;
const MOST: Readonly<Record<DurationUnit, number>> = {
  ...{ s: LONGEST_YEARS * 366 * 86_400, m: LONGEST_YEARS * 366 * 1440, h: LONGEST_YEARS * 366 * 24 },
  ...{ d: LONGEST_YEARS * 366, w: LONGEST_YEARS * 52, mo: LONGEST_YEARS * 12 },
};

/**
 * Reads LiteLLM's grammar of spans: a whole number and `s`, `m`, `h`, `d`, `w` or `mo`.
 *
 * @returns null for anything else, for nothing at all, and beyond a thousand years
 * @see litellm.md §5.2
 */
export function parseDuration(text: string): Duration | null {
  const [, digits = '', unit = ''] = /^(\d{1,15})(s|m|h|d|w|mo)$/.exec(text) ?? [];
  if (unit === '') return null;
  const duration = { count: Number(digits), unit: unit as DurationUnit }; // the pattern allows no other
  return duration.count >= 1 && duration.count <= MOST[duration.unit] ? duration : null;
}

/**
 * The moment a span after another, for the expiry of keys.
 *
 * A month ends on the same day of a later one, or on its last: 31 January and `1mo` give 28 or 29 February.
 */
export function after(start: EpochMillis, { count, unit }: Duration): EpochMillis {
  if (unit !== 'mo') return epochMillis(start + count * UNIT_MILLIS[unit]);
  const date = new Date(start);
  const month = date.getUTCMonth() + count;
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), month + 1, 0)).getUTCDate();
  const day = Math.min(date.getUTCDate(), lastDay);
  return epochMillis(Date.UTC(date.getUTCFullYear(), month, day) + (start - startOfDay(start)));
}

/**
 * The period that a moment lies in, on LiteLLM's calendar and in UTC.
 *
 * `1d` begins at midnight, `7d` and `1w` on Monday, `30d` and `1mo` on the first of the month. Hours, minutes and
 * seconds that divide a day begin where a clock has them (`6h`: 0, 6, 12, 18 o'clock). All other lengths follow one
 * another from the anchor, cut to its second, minute, hour, day or month.
 *
 * @see litellm.md §5.2
 */
export function periodAt(period: BudgetPeriod, now: EpochMillis): PeriodBounds {
  if (period.kind === 'forever') return { start: epochMillis(0), end: null };
  const { anchor } = period;
  const { count, unit } = period.length;
  switch (unit) {
    case 'mo':
      return months(count, anchor, now);
    case 'w':
      return days(7 * count, anchor, now);
    case 'd':
      return days(count, anchor, now);
    case 'h':
    case 'm':
    case 's': {
      const step = UNIT_MILLIS[unit];
      return grid(count * step, DAY % (count * step) === 0 ? 0 : anchor - modulo(anchor, step), now);
    }
  }
}

/** Whether two periods begin and end alike, at any time. */
export function isSamePeriod(a: BudgetPeriod, b: BudgetPeriod): boolean {
  if (a.kind === 'forever' || b.kind === 'forever') return a.kind === b.kind;
  return a.anchor === b.anchor && a.length.count === b.length.count && a.length.unit === b.length.unit;
}

function days(count: number, anchor: EpochMillis, now: EpochMillis): PeriodBounds {
  if (count === 30) return months(1, anchor, now);
  if (count === 7) return grid(7 * DAY, FIRST_MONDAY, now);
  return grid(count * DAY, count === 1 ? 0 : startOfDay(anchor), now);
}

function grid(length: number, origin: number, now: EpochMillis): PeriodBounds {
  const start = now - modulo(now - origin, length);
  return { start: epochMillis(start), end: epochMillis(start + length) };
}

function months(count: number, anchor: EpochMillis, now: EpochMillis): PeriodBounds {
  const first = monthOf(now) - modulo(monthOf(now) - monthOf(anchor), count);
  return { start: startOfMonth(first), end: startOfMonth(first + count) };
}

/** Months since the year 0. */
function monthOf(moment: EpochMillis): number {
  const date = new Date(moment);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

function startOfMonth(month: number): EpochMillis {
  return epochMillis(Date.UTC(Math.floor(month / 12), modulo(month, 12)));
}

function startOfDay(moment: EpochMillis): number {
  return moment - modulo(moment, DAY);
}

/** Never negative, unlike `%`: periods reach back before their anchor. */
function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
