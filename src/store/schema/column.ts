import type { Json, JsonObject } from '../../core/json.ts';
import type { NanoUsd } from '../../core/units.ts';

/**
 * What a column holds, whatever the database calls it.
 *
 * `nano`: integer nano-dollars. `dollars`: the same as a fraction, derived by the database for people's SQL and never
 * written. `time`: a moment, to the millisecond. `json`: an object or an array.
 */
export type ColumnKind = 'text' | 'boolean' | 'integer' | 'nano' | 'dollars' | 'time' | 'json';

/** Whether a new row must name the column, may leave it out, or must not name it. */
type Presence = 'required' | 'optional' | 'derived';

declare const value: unique symbol;

/** One column: what it is for the database, and as what type rows carry it. */
export interface Column<Value, P extends Presence = Presence> {
  readonly kind: ColumnKind;
  readonly presence: P;
  readonly isNullable: boolean;
  /** What a row gets that does not name the column: a literal of SQL, `now`, or null for none. */
  readonly fallback: string | null;
  /** For `dollars`: the `nano` column it is derived from. */
  readonly source: string | null;
  /** The table whose primary key it holds. */
  readonly references: string | null;
  /** Its value appears in no audit row. */
  readonly isSecret: boolean;
  readonly [value]?: Value;
}

function column<Value>(kind: ColumnKind): Column<Value, 'required'> {
  return {
    kind,
    presence: 'required',
    isNullable: false,
    fallback: null,
    source: null,
    references: null,
    isSecret: false,
  };
}

export const text = <Value extends string = string>() => column<Value>('text');
export const boolean = () => column<boolean>('boolean');
export const integer = () => column<number>('integer');
export const nano = () => column<NanoUsd>('nano');
export const time = () => column<Date>('time');
export const json = <Value extends JsonObject | readonly Json[] = JsonObject>() => column<Value>('json');

/** The same column, which may also hold nothing. */
export function optional<Value>(of: Column<Value>): Column<Value | null, 'optional'> {
  return { ...of, presence: 'optional', isNullable: true } as Column<Value | null, 'optional'>; // only the phantom differs
}

/** The same column with a value for rows that do not name it. */
export function withDefault<Value>(of: Column<Value>, fallback: string): Column<Value, 'optional'> {
  return { ...of, presence: 'optional', fallback };
}

/** The same column, holding the primary key of another table. */
export function references<C extends Column<unknown>>(of: C, table: string): C {
  return { ...of, references: table };
}

/** The same column, left out of the audit log. */
export function secret<C extends Column<unknown>>(of: C): C {
  return { ...of, isSecret: true };
}

/** A list of words, empty unless it is named. */
export const words = () => withDefault(json<readonly string[]>(), `'[]'`);

/** A JSON object, empty unless it is named. */
export const members = () => withDefault(json(), `'{}'`);

/** False unless it is named. */
export const flag = () => withDefault(boolean(), 'false');

/** A number that starts at nought. */
export const counter = () => withDefault(integer(), '0');

/** A sum of money that starts at nought. */
export const sum = () => withDefault(nano(), '0');

/** The moment at which the row was made. */
export const stamp = () => withDefault(time(), 'now');

/** A column of money as fractional dollars, under LiteLLM's name, for people's SQL. */
export function dollars(source: string): Column<number | null, 'derived'> {
  return { ...column<number | null>('dollars'), presence: 'derived', isNullable: true, source };
}
