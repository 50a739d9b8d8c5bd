import { z } from 'zod';
import type { Json } from '../../core/json.ts';
import { type NanoUsd, nanoUsd } from '../../core/units.ts';
import { parseDuration } from '../../metering/period.ts';

/** The kinds of value that fields of the admin API take. */

/** Text of any length, as long as the body may be. */
export const text = z.string();
/** What rows are found by: an index of PostgreSQL takes 2,704 bytes, and a character has up to four. */
export const id = z.string().min(1).max(512);
export const flag = z.boolean();
export const texts = z.array(z.string());
export const ids = z.array(id);
/** Whatever a body of JSON can hold. */
const json = z.custom<Json>();
export const map = z.record(z.string(), json);
export const textMap = z.record(z.string(), z.string());
export const countMap = z.record(z.string(), z.int().nonnegative());
/** A limit. LiteLLM's clients also send whole numbers with a fraction of nought. */
export const count = z.int().nonnegative();
/** US dollars: what 63 bits of nano-dollars hold. */
export const amount = z.number().nonnegative().max(9_000_000_000);
/** `30s`, `30m`, `30h`, `30d`, `2w`, `1mo`. */
export const span = z.string().refine((value) => parseDuration(value) !== null, {
  error: 'Expected a whole number and s, m, h, d, w or mo, as 30d',
});
export const moment = z.string().refine((value) => !Number.isNaN(Date.parse(value)), {
  error: 'Expected a moment in ISO 8601, as 2027-01-31T00:00:00Z',
});

/** Fields of queries are text. */
export const queryFlag = z.stringbool();
export const pageNumber = z.coerce.number().int().min(1).default(1);
export const pageSize = (usual: number, most: number) => z.coerce.number().int().min(1).max(most).default(usual);
export const order = z.enum(['asc', 'desc']);

/** Dollars as whole nano-dollars; what is finer is rounded to the nearest. */
export function nanoOf(dollars: number): NanoUsd {
  return nanoUsd(BigInt(dollars.toFixed(9).replace('.', '')));
}
