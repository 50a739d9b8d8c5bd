import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Session } from './session.ts';

/**
 * What a column must be: a value (null: nothing), one of some, in a range (`from` included, `before` not), text that
 * contains other text whatever its case, or a JSON list that has a word.
 */
export type Condition<Value> =
  | Value
  | { readonly in: readonly NonNullable<Value>[] }
  | { readonly not: Value }
  | { readonly from?: NonNullable<Value>; readonly before?: NonNullable<Value> }
  | { readonly contains: string }
  /** A value in the statement itself, for partial indexes. */
  | { readonly literal: string }
  | { readonly has: string };

/** Conditions by column, all of which must hold. */
export type Where<Row> = { readonly [Column in keyof Row]?: Condition<Row[Column]> };

/** The same as one SQL condition; true when there are none. */
export function conditions<Row>(session: Pick<Session, 'kind'>, where: Where<Row>): Expression<SqlBool> {
  const parts = Object.entries(where)
    .filter(([, condition]) => condition !== undefined)
    .flatMap(([column, condition]) => partsOf(session, sql.ref(column), condition));
  return parts.length === 0 ? sql<SqlBool>`1 = 1` : sql<SqlBool>`${sql.join(parts, sql` and `)}`;
}

/** One set of conditions, or of several any one; none of an empty list. */
export type AnyOf<Row> = Where<Row> | readonly Where<Row>[];

/** The same as one SQL condition. */
export function anyOf<Row>(session: Pick<Session, 'kind'>, where: AnyOf<Row>): Expression<SqlBool> {
  if (!isList(where)) return conditions(session, where);
  if (where.length === 0) return sql<SqlBool>`1 = 0`;
  const parts = where.map((each) => sql`(${conditions(session, each)})`);
  return sql<SqlBool>`(${sql.join(parts, sql` or `)})`;
}

/** `Array.isArray` does not know lists that cannot be changed. */
const isList = <Row>(where: AnyOf<Row>): where is readonly Where<Row>[] => Array.isArray(where);

function partsOf({ kind }: Pick<Session, 'kind'>, column: RawBuilder<unknown>, condition: unknown) {
  if (condition === null) return [sql`${column} is null`];
  if (typeof condition !== 'object' || condition instanceof Date) return [sql`${column} = ${condition}`];
  return Object.entries(condition).map(([word, value]: [string, unknown]) => {
    switch (word) {
      case 'in':
        return isOneOf(kind, column, value as readonly unknown[]); // as `Condition` says
      case 'not':
        return value === null ? sql`${column} is not null` : sql`(${column} is null or ${column} <> ${value})`;
      case 'from':
        return sql`${column} >= ${value}`;
      case 'before':
        return sql`${column} < ${value}`;
      case 'contains':
        return sql`lower(${column}) like ${`%${escapeLike(String(value).toLowerCase())}%`} escape '\\'`;
      case 'literal':
        return sql`${column} = ${sql.lit(value)}`;
      case 'has':
        return kind === 'postgres'
          ? sql`${column} @> ${[value]}`
          : sql`exists (select 1 from json_each(${column}) as element where element.value = ${value})`;
      default:
        throw new Error(`no condition is called '${word}'`);
    }
  });
}

/** Lists of text up to so long are parameters one by one; longer ones, which take long to plan so, are one. */
const FEW = 20;

function isOneOf(kind: Session['kind'], column: RawBuilder<unknown>, values: readonly unknown[]): RawBuilder<unknown> {
  if (values.length === 0) return sql`1 = 0`;
  if (values.length <= FEW || typeof values[0] !== 'string') return sql`${column} in (${sql.join(values)})`;
  const list = JSON.stringify(values);
  return kind === 'postgres'
    ? sql`${column} = any (array(select jsonb_array_elements_text(${list}::text::jsonb)))`
    : sql`${column} in (select value from json_each(${list}))`;
}

const escapeLike = (text: string): string => text.replace(/[\\%_]/g, '\\$&');
