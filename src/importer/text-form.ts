import type { Json, JsonObject } from '../core/json.ts';
import { isObject } from '../core/json.ts';
import { type NanoUsd, nanoUsd } from '../core/units.ts';

/** PostgreSQL's text form of values, read: the same in `COPY`, in a cast to `text`, and in a dump. */

/** A value that its column cannot hold in LiteLLM: the row is skipped and the reason told. */
export class BadValue extends Error {
  override readonly name = 'BadValue';
}

const NANO_DIGITS = 9;

/**
 * Dollars as a double is printed (`12.5`, `1e-07`), in whole nano-dollars, to the nearest.
 *
 * Read from the digits, so that nothing is lost on the way: the shortest decimal that means the double is what LiteLLM
 * shows.
 */
export function nanoOf(text: string): NanoUsd {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text) ?? [];
  if (whole === '') throw new BadValue(`'${text}' is no amount`);
  const shift = Number(exponent) - fraction.length + NANO_DIGITS;
  const digits = BigInt(whole + fraction);
  const nano = shift >= 0 ? digits * 10n ** BigInt(shift) : rounded(digits, 10n ** BigInt(-shift));
  if (nano >= 2n ** 63n) throw new BadValue(`${text} dollars are more than can be stored`);
  return nanoUsd(sign === '' ? nano : -nano);
}

const rounded = (digits: bigint, divisor: bigint): bigint => (digits + divisor / 2n) / divisor;

/** A whole number that TypeScript can hold exactly. */
export function integerOf(text: string): number {
  const value = Number(text);
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value)) throw new BadValue(`'${text}' is no whole number`);
  return value;
}

/** `t` in COPY, `true` elsewhere. */
export const booleanOf = (text: string): boolean => text === 't' || text === 'true';

/** A time without zone, which LiteLLM means in UTC: `2026-11-01 00:00:00.123`. */
export function timeOf(text: string): Date {
  const hasZone = /([+-]\d{2}(:?\d{2})?|Z)$/.test(text.slice(10));
  const time = new Date(`${text.replace(' ', 'T')}${hasZone ? '' : 'Z'}`.replace(/([+-]\d{2})$/, '$1:00'));
  if (Number.isNaN(time.getTime())) throw new BadValue(`'${text}' is no time`);
  return time;
}

export function jsonOf(text: string): Json {
  try {
    return JSON.parse(text) as Json; // what a parser of JSON gives
  } catch {
    throw new BadValue('a column of JSON holds something else');
  }
}

/** A JSON object; LiteLLM keeps some of them as text inside JSON. */
export function objectOf(text: string): JsonObject {
  const value = jsonOf(text);
  if (typeof value === 'string') return objectOf(value);
  if (isObject(value)) return value;
  throw new BadValue('a column of JSON holds no object');
}

/** A `text[]`: `{a,"b, c",NULL}`; NULL items are left out. */
export function wordsOf(text: string): readonly string[] {
  if (!text.startsWith('{') || !text.endsWith('}')) throw new BadValue(`'${text.slice(0, 40)}' is no list`);
  const items = text.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|([^,]+)/g);
  return [...items].flatMap(([, quoted, bare]) => {
    if (quoted !== undefined) return [quoted.replace(/\\(.)/gs, '$1')];
    return bare === undefined || bare === 'NULL' ? [] : [bare];
  });
}
