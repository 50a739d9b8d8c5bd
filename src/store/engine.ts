import type { Kysely } from 'kysely';
import type { StoreHealth } from './health.ts';

/** Columns by their names; the types of rows come from the definitions in `schema/`, in the repositories. */
type AnyTables = Record<string, Record<string, unknown>>;

/** The query builder, on a connection of the pool or inside a transaction. */
export type Queries = Kysely<AnyTables>;

/** One database behind the query builder: what is different between PostgreSQL and SQLite beyond the SQL itself. */
export interface Engine {
  readonly kind: 'postgres' | 'sqlite';
  /** Every call fails at once while the database is down, and within its deadline otherwise. */
  readonly queries: Queries;
  /** The same with hours of patience, for maintenance that reads whole tables. */
  readonly patient: Queries;
  readonly health: StoreHealth;
  /** The schema on PostgreSQL, null on SQLite. */
  readonly schema: string | null;
  /** Calls `wake` after another instance committed a change; null where there is no other instance. */
  readonly listen: ((wake: () => void) => Promise<void>) | null;
  close(): Promise<void>;
}
