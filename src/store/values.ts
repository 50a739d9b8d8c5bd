import { Unstorable } from './errors.ts';
import type { ColumnKind } from './schema/column.ts';
import { COLUMN_KINDS } from './schema/tables.ts';

/**
 * Values between TypeScript and the two databases.
 *
 * Rows carry `Date`, `boolean`, `number`, `bigint` (money) and parsed JSON. PostgreSQL has types for all of them; SQLite
 * keeps times as ISO 8601 text in UTC, truth as 0 and 1, and JSON as text.
 */

const LARGEST = 2n ** 63n - 1n;
const SMALLEST = -(2n ** 63n);

/** A parameter as PostgreSQL's client takes it. */
export function toPostgres(value: unknown): unknown {
  checkText(value);
  return value;
}

/** What SQLite's client takes. */
export type SqliteValue = string | number | bigint | null;

/** A parameter as SQLite's client takes it. */
export function toSqlite(value: unknown): SqliteValue {
  checkText(value);
  switch (typeof value) {
    case 'boolean':
      return value ? 1 : 0;
    case 'string':
    case 'number':
      return value;
    case 'bigint':
      return checked(value);
    case 'object':
      if (value === null) return null;
      return value instanceof Date ? value.toISOString() : checkedJson(JSON.stringify(value));
    default:
      return null;
  }
}

function checkText(value: unknown): void {
  if (typeof value === 'string' && value.includes('\0'))
    throw new Unstorable('text contains a NUL character, which PostgreSQL cannot store: remove it');
}

function checked(value: bigint): bigint {
  if (value > LARGEST || value < SMALLEST)
    throw new Unstorable(`${value} is beyond 63 bits: amounts end at 9,223,372,036 dollars`);
  return value;
}

function checkedJson(text: string): string {
  if (escapesNul(text)) throw new Unstorable('JSON contains a NUL character, which PostgreSQL cannot store: remove it');
  return text;
}

/** Escapes that PostgreSQL's `jsonb` refuses, and `\\`, which is matched so that what follows it is not taken for one. */
const ESCAPES = /\\\\|\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

const escapesNul = (text: string): boolean => [...text.matchAll(ESCAPES)].some(([match]) => match === '\\u0000');

/**
 * The values of rows in the order of `names`, as SQLite takes them, with the same replacements as `storableRows` makes.
 *
 * @param kinds of the columns, in the same order
 */
export function sqliteRows(
  rows: readonly Readonly<Record<string, unknown>>[],
  names: readonly string[],
  kinds: readonly ColumnKind[],
): readonly (readonly SqliteValue[])[] {
  return rows.map((row) => names.map((name, index) => storableValue(row[name], kinds[index])));
}

function storableValue(value: unknown, kind: ColumnKind | undefined): SqliteValue {
  if (value === null || value === undefined) return null;
  if (kind === 'json') return replaceEscapes(JSON.stringify(value));
  return typeof value === 'string' ? storableText(value) : toSqlite(value);
}

/** Text as it is stored: the same, nearly always, and looking is cheaper than replacing. */
export function storableText(text: string): string {
  return text.isWellFormed() && !text.includes('\0') ? text : text.toWellFormed().replaceAll('\0', '\ufffd');
}

/** JSON text with what PostgreSQL cannot store (NUL, halves of surrogate pairs) replaced by U+FFFD; amounts as text. */
export function storableJson(value: unknown): string {
  return replaceEscapes(JSON.stringify(value, (_, member) => (typeof member === 'bigint' ? String(member) : member)));
}

/**
 * The same for rows whose amounts are members of their own. A function that looks at every member of every member took a
 * fifth of the time of a batch.
 */
export function storableRows(rows: readonly Readonly<Record<string, unknown>>[]): string {
  return replaceEscapes(JSON.stringify(rows.map(withTextAmounts)));
}

function withTextAmounts(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const copy: Record<string, unknown> = { ...row };
  for (const name in copy) if (typeof copy[name] === 'bigint') copy[name] = String(copy[name]);
  return copy;
}

function replaceEscapes(json: string): string {
  return json.includes('\\u') ? json.replace(ESCAPES, (match) => (match === '\\\\' ? match : '\\ufffd')) : json;
}

/** A row as it came from a database, decoded by the names of its columns, in place. */
export function decodeRow(row: Record<string, unknown>): Record<string, unknown> {
  for (const name in row) row[name] = decode(row[name], COLUMN_KINDS.get(name), name);
  return row;
}

function decode(value: unknown, kind: ColumnKind | undefined, name: string): unknown {
  if (typeof value === 'bigint') {
    if (kind === 'boolean') return value !== 0n;
    return name.endsWith('_nano') ? value : exact(value, name);
  }
  if (typeof value !== 'string') return value;
  if (kind === 'time') return new Date(value);
  return kind === 'json' ? JSON.parse(value) : value;
}

function exact(value: bigint, name: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new Unstorable(`${name} holds ${value}, which is beyond 53 bits`);
  return number;
}
