import { decimal, httpDate, retryAfterHeader } from '../core/retry-after.ts';
import { type Millis, millis } from '../core/units.ts';
import type { ReplyHead } from './provider.ts';

/** Waits beyond a day are a provider's mistake or a monthly limit; neither is a time to plan with. */
const LONGEST_WAIT = 24 * 60 * 60 * 1000;

/** Pairs of "how many are left" and "when it refills"; the reset counts only when nothing is left. */
const LIMIT_HEADERS: readonly (readonly [remaining: string, reset: string])[] = [
  ['x-ratelimit-remaining-requests', 'x-ratelimit-reset-requests'],
  ['x-ratelimit-remaining-tokens', 'x-ratelimit-reset-tokens'],
  ['anthropic-ratelimit-requests-remaining', 'anthropic-ratelimit-requests-reset'],
  ['anthropic-ratelimit-tokens-remaining', 'anthropic-ratelimit-tokens-reset'],
  ['anthropic-ratelimit-input-tokens-remaining', 'anthropic-ratelimit-input-tokens-reset'],
  ['anthropic-ratelimit-output-tokens-remaining', 'anthropic-ratelimit-output-tokens-reset'],
  ['x-ratelimit-remaining', 'x-ratelimit-reset'],
];

/**
 * How long the provider asks to wait, in any of the spellings of errors.md §6, most explicit first.
 *
 * Absolute times (HTTP dates, RFC 3339, OpenRouter's epoch) are read against the answer's own `date` header, so that
 * no clock is asked and a wrong clock on either side does no harm; without that header they are ignored.
 *
 * @param message the provider's words, which are the only hint at some (Azure, OpenAI)
 * @param retryDelay Google's `RetryInfo.retryDelay` from the body, such as `"34s"`, or null
 * @returns milliseconds in (0, one day], or null when nothing usable is said; never throws
 */
export function retryAfterIn(head: ReplyHead, message = '', retryDelay: string | null = null): Millis | null {
  const now = httpDate(head.header('date'));
  return (
    wait(decimal(head.header('retry-after-ms'))) ??
    wait(retryAfterHeader(head.header('retry-after'), now)) ??
    wait(goDuration(retryDelay)) ??
    limitReset(head, now) ??
    wait(waitInWords(message))
  );
}

function wait(value: number | null): Millis | null {
  return value !== null && value > 0 && Number.isFinite(value) ? millis(Math.min(value, LONGEST_WAIT)) : null;
}

/** The longest of the limits that are used up: before that, the next try would be refused again. */
function limitReset(head: ReplyHead, now: number | null): Millis | null {
  let longest: Millis | null = null;
  for (const [remaining, reset] of LIMIT_HEADERS) {
    if (decimal(head.header(remaining)) !== 0) continue;
    const value = wait(resetTime(head.header(reset), now));
    if (value !== null && (longest === null || value > longest)) longest = value;
  }
  return longest;
}

function resetTime(value: string | null, now: number | null): number | null {
  if (value === null) return null;
  const number = decimal(value);
  // Small numbers are seconds; large ones are points in time, in seconds or milliseconds (OpenRouter).
  if (number !== null && number < 1e9) return number * 1000;
  const until = number === null ? rfc3339(value) : number < 1e12 ? number * 1000 : number;
  if (until !== null) return now === null ? null : until - now;
  return goDuration(value);
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of a duration in Go's spelling: `1s`, `6m0s`, `7.66s`, `120ms`, `1h42m14.4s`; null for anything else. */
export function goDuration(text: string | null): number | null {
  if (text === null || text.length > 40 || !/^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/.test(text)) return null;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    total += Number(amount) * (UNITS[unit as string] as number);
  }
  return total;
}

/** `Please retry after 26 seconds` (Azure), `Please try again in 6m0s` (OpenAI, Groq). */
function waitInWords(message: string): number | null {
  const azure = /retry after (\d{1,7}(?:\.\d+)?) (?:second|milli)/i.exec(message);
  if (azure?.[1] !== undefined) return Number(azure[1]) * (/milli/i.test(azure[0]) ? 1 : 1000);
  const openAi = /try again in ((?:\d+(?:\.\d+)?(?:ms|[smhd]))+)/i.exec(message);
  return goDuration(openAi?.[1] ?? null);
}

function rfc3339(value: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/.test(value)) return null;
  const time = Date.parse(value);
  return Number.isNaN(time) ? null : time;
}
