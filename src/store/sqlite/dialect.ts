import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { decodeRow, type SqliteValue, toSqlite } from '../values.ts';
import type { DatabaseThread } from './database-thread.ts';

/** Kysely's dialect over SQLite in its thread. Kysely lets one caller at a time have the only connection. */
export function sqliteDialect(thread: DatabaseThread): Dialect {
  return {
    createDriver: () => new SqliteDriver(thread),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}

/**
 * The parameter of a statement that is run once for each row.
 *
 * As members of one JSON parameter rows cost several times as much: SQLite reads it anew for each column.
 */
export class EachRow {
  readonly rows: readonly (readonly SqliteValue[])[];
  /** The value that the result has of each row that changed something, when there is one that did not. */
  readonly shown: { readonly name: string; readonly place: number };

  constructor(rows: EachRow['rows'], shown: EachRow['shown']) {
    this.rows = rows;
    this.shown = shown;
  }
}

class SqliteConnection implements DatabaseConnection {
  readonly #thread: DatabaseThread;

  constructor(thread: DatabaseThread) {
    this.#thread = thread;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    const [first] = parameters;
    if (first instanceof EachRow) return this.#each(sql, first);
    const { rows, changes } = await this.#thread.do({ kind: 'query', sql, values: parameters.map(toSqlite) });
    return { rows: rows.map(decodeRow) as Row[], numAffectedRows: BigInt(changes) }; // the query's author knows
  }

  async #each<Row>(sql: string, { rows, shown }: EachRow): Promise<QueryResult<Row>> {
    const { changes, unchanged } = await this.#thread.do({ kind: 'each', sql, rows });
    const same = new Set(unchanged);
    const changed = same.size === 0 ? [] : rows.filter((_, place) => !same.has(place));
    const found = changed.map((row) => ({ [shown.name]: row[shown.place] }));
    return { rows: found as Row[], numAffectedRows: BigInt(changes) }; // the query's author knows
  }

  // biome-ignore lint/correctness/useYield: required by Kysely, used by nobody here
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('rows are read in pages, not in streams');
  }
}

class SqliteDriver implements Driver {
  readonly #thread: DatabaseThread;
  readonly #connection: SqliteConnection;

  constructor(thread: DatabaseThread) {
    this.#thread = thread;
    this.#connection = new SqliteConnection(thread);
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<SqliteConnection> {
    return this.#connection;
  }

  async beginTransaction(): Promise<void> {
    await this.#thread.do({ kind: 'control', statement: 'begin immediate' });
  }

  async commitTransaction(): Promise<void> {
    await this.#thread.do({ kind: 'control', statement: 'commit' });
  }

  async rollbackTransaction(): Promise<void> {
    // Some failures (a full disk) end the transaction by themselves.
    if (this.#thread.isInTransaction) await this.#thread.do({ kind: 'control', statement: 'rollback' });
  }

  async releaseConnection(): Promise<void> {}

  destroy(): Promise<void> {
    return this.#thread.close();
  }
}
