import { z } from 'zod';

/**
 * The kinds of value that configuration keys take.
 *
 * The message of every schema here is the phrase after "expected". Numbers and booleans may be text, because a value that comes from
 * `os.environ/NAME` always is.
 */

/** How a value refers to an environment variable. */
export const REFERENCE = /^os\.environ\/(.+)$/s;

const NUMBER_TEXT = /^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$|^os\.environ\/.+$/;
const TRUTH_TEXT = /^([Tt]rue|TRUE|[Ff]alse|FALSE|os\.environ\/.+)$/;

/** A number with a lower bound; `expected` says what it is a number of. */
function bounded(expected: string, minimum: number, isWhole: boolean, maximum = Number.MAX_VALUE) {
  const error = expected;
  const atLeast = z.number({ error }).min(minimum, { error });
  const base = maximum === Number.MAX_VALUE ? atLeast : atLeast.max(maximum, { error });
  const number = isWhole ? base.int({ error }) : base;
  return z.union([number, z.string({ error }).regex(NUMBER_TEXT, { error }).transform(Number).pipe(number)], { error });
}

export const amount = bounded('a number, 0 or more', 0, false).meta({ id: 'amount' });
/** A price of one of something; beyond the maximum it could not be exact. */
export const price = bounded('US dollars, 0 to 9000', 0, false, 9000).meta({ id: 'price' });
export const share = bounded('a share from 0 to 1, 0.05 for 5 %', 0, false, 1).meta({ id: 'share' });
export const anyNumber = bounded('a number', -Number.MAX_VALUE, false).meta({ id: 'anyNumber' });
export const count = bounded('a whole number, 0 or more', 0, true).meta({ id: 'count' });
export const positive = bounded('a whole number, 1 or more', 1, true).meta({ id: 'positive' });
export const whole = bounded('a whole number', Number.MIN_SAFE_INTEGER, true).meta({ id: 'whole' });
/** Longer than any wait, and still a 32-bit count of milliseconds, which is what timers hold. */
const MAX_SECONDS = 2_000_000;
export const seconds = bounded('a number of seconds, 0 to 2000000', 0, false, MAX_SECONDS).meta({ id: 'seconds' });
/** Zero would refuse every request. */
export const timeLimit = bounded('a number of seconds, 0.001 to 2000000', 0.001, false, MAX_SECONDS).meta({
  id: 'timeLimit',
});

export const truth = z
  .union(
    [
      z.boolean(),
      z
        .string()
        .regex(TRUTH_TEXT)
        .transform((text) => text.toLowerCase() === 'true'),
    ],
    { error: 'true or false' },
  )
  .meta({ id: 'truth' });

export const text = z.string({ error: 'text' });
/** What people write without quotes although it is text: ids, versions, ports. */
export const looseText = z.union([z.string(), z.number().transform(String)], { error: 'text or a number' });
/** As budgets and keys have them. */
export const span = z
  .string({ error: 'a span of time, as 30d' })
  .regex(/^[1-9]\d{0,8}(s|m|h|d|w|mo)$|^os\.environ\/.+$/, { error: 'a span of time, as 30d' });
export const texts = z.array(text, { error: 'a list of texts' }).meta({ id: 'texts' });
export const names = z.array(z.string({ error: 'a name' }).min(1, { error: 'a name that is not empty' }), {
  error: 'a list of names',
});
export const map = z.record(z.string(), z.unknown(), { error: 'a map' });
export const maps = z.array(map, { error: 'a list of maps' });
export const anything = z.unknown();
export const headers = z
  .record(
    z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { error: 'a header name' }),
    z.union(
      [
        z.string().regex(/^[^\r\n\0]*$/, { error: 'text without line ends' }),
        z.number().transform(String),
        z.boolean().transform(String),
      ],
      {
        error: 'text without line ends',
      },
    ),
    { error: 'a map of header names to texts' },
  )
  .meta({ id: 'headers' });

/** One word of a list. */
export function oneOf<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, { error: `one of ${words.join(', ')}` });
}

/** `[{group: [group, …]}, …]`; the looser shapes are rewritten to this before it is checked. */
export const fallbackList = z
  .array(
    z.record(z.string(), names, { error: 'a map of one group to a list of groups, as `{"gpt-4": ["azure-gpt-4"]}`' }),
    { error: 'a list of maps, as `[{"gpt-4": ["azure-gpt-4"]}]`' },
  )
  .meta({ id: 'fallbackList' });

/** A map of names to values of one kind. */
export function mapOf<Value extends z.ZodType>(value: Value, expected: string) {
  return z.record(z.string(), value, { error: expected });
}
