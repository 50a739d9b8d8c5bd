import { type RawBuilder, sql } from 'kysely';
import type { Engine, Queries } from './engine.ts';
import type { Table } from './schema/table.ts';

/** What statements need: a connection of the pool or a transaction, the dialect, and the time. */
export interface Session {
  readonly kind: Engine['kind'];
  readonly schema: string | null;
  readonly queries: Queries;
  readonly now: () => Date;
}

/** A table's name for SQL written by hand: Kysely adds the schema only to what it builds itself. */
export function nameOf({ schema }: Pick<Session, 'schema'>, { name }: Table): RawBuilder<unknown> {
  return schema === null ? sql.id(name) : sql.id(schema, name);
}

/** `sum` of a column as an integer: PostgreSQL widens it to a decimal, SQLite does not. */
export const sumOf = (column: string): RawBuilder<bigint> =>
  sql<bigint>`cast(coalesce(sum(${sql.ref(column)}), 0) as bigint)`;
