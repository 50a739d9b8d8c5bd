import type { EpochMillis } from '../../core/units.ts';
import { refused } from '../http/refused.ts';

/** Days of a report, `YYYY-MM-DD` in UTC, both included. */
export interface Days {
  readonly from: string;
  readonly until: string;
}

/** A stretch of time; its end is not included. */
export interface Stretch {
  readonly from: Date;
  readonly before: Date;
}

/** What LiteLLM's reports without dates look back: today and the thirty days before. */
const LOOK_BACK_DAYS = 30;
const DAY = 86_400_000;
const SECOND = 1000;

interface DateFields {
  readonly start_date?: string | undefined;
  readonly end_date?: string | undefined;
}

/**
 * The days that a request names, whole ones.
 *
 * @throws Refused when one is missing, is no date, or the first is after the last
 */
export function daysOf({ start_date, end_date }: DateFields): Days {
  if (start_date === undefined || end_date === undefined)
    throw refused('bad-fields', 'Please provide start_date and end_date, as 2026-01-31.', missing({ start_date }));
  const from = dayOf(momentOf(start_date, 'start_date'));
  const until = dayOf(momentOf(end_date, 'end_date'));
  if (from > until) throw reversed(start_date, end_date);
  return { from, until };
}

/** Today and the thirty days before. */
export const recentDays = (now: EpochMillis): Days => ({ from: dayOf(now - LOOK_BACK_DAYS * DAY), until: dayOf(now) });

/**
 * The stretch that a request names: `2026-01-31` is the whole day, `2026-01-31 12:00:00` (UTC) the whole second.
 *
 * LiteLLM ends a day at its first moment, so that the last day of a range is missing; here it is in.
 *
 * @throws Refused as `daysOf`
 */
export function stretchOf({ start_date, end_date }: DateFields): Stretch {
  if (start_date === undefined || end_date === undefined) {
    const message = 'Start date and end date are required, as 2026-01-31 or 2026-01-31 12:00:00.';
    throw refused('bad-fields', message, missing({ start_date }));
  }
  const from = momentOf(start_date, 'start_date');
  const last = momentOf(end_date, 'end_date');
  if (from > last) throw reversed(start_date, end_date);
  return { from: new Date(from), before: new Date(last + (isDay(end_date) ? DAY : SECOND)) };
}

const missing = ({ start_date }: DateFields): string => (start_date === undefined ? 'start_date' : 'end_date');

/** All days from one to another, both included. */
export function daysBetween(from: string, until: string): readonly string[] {
  const count = (Date.parse(until) - Date.parse(from)) / DAY + 1;
  return Array.from({ length: Math.max(0, count) }, (_, index) => dayOf(Date.parse(from) + index * DAY));
}

export const dayOf = (moment: number): string => new Date(moment).toISOString().slice(0, 10);

/** `Nov 23`: how LiteLLM labels the days of its activity charts. */
export const dayLabel = (day: string): string => `${MONTHS[Number(day.slice(5, 7)) - 1]} ${day.slice(8)}`;

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const SHAPE = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}:\d{2}))?(?:\.\d{1,6})?(?:Z|\+00:00)?$/;

const isDay = (text: string): boolean => SHAPE.exec(text)?.[2] === undefined;

function momentOf(text: string, field: string): number {
  const [, day, time = '00:00:00'] = SHAPE.exec(text) ?? [];
  const moment = day === undefined ? Number.NaN : Date.parse(`${day}T${time}Z`);
  // The parser takes 31 February for a day in March.
  if (!Number.isNaN(moment) && dayOf(moment) === day) return moment;
  throw refused('bad-fields', `${field} is no date: write 2026-01-31, or 2026-01-31 12:00:00, in UTC.`, field);
}

function reversed(start: string, end: string) {
  return refused('bad-fields', `start_date (${start}) is after end_date (${end}): swap them.`, 'start_date');
}
