import type { Database } from 'bun:sqlite';
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
import { StoreUnavailable } from '../errors.ts';
import { decodeRow, type SqliteValue, toSqlite } from '../values.ts';
import { sqliteFailure } from './failures.ts';
import type { LogSync } from './log-sync.ts';

/** Statements that change nothing; a change outside a transaction is committed by itself. */
const IS_READING = /^\s*(?:select|pragma)\b/i;

/** Kysely's dialect over bun:sqlite. Kysely lets one caller at a time have the only connection. */
export function sqliteDialect(database: Database, log: LogSync): Dialect {
  return {
    createDriver: () => new SqliteDriver(database, log),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}

/**
 * The parameter of a statement that is run once for each row.
 *
 * One by one a row takes 18 µs of CPU; as members of one JSON parameter, which SQLite reads anew for each column, 73
 * (47 columns, 13 indexes, 100 rows to a transaction, Bun 1.4.5).
 */
export class EachRow {
  readonly rows: readonly (readonly SqliteValue[])[];
  /** What the result holds for each row that changed something. */
  readonly results: readonly Record<string, unknown>[];

  constructor(rows: readonly (readonly SqliteValue[])[], results: readonly Record<string, unknown>[]) {
    this.rows = rows;
    this.results = results;
  }
}

class SqliteConnection implements DatabaseConnection {
  readonly #database: Database;
  readonly #log: LogSync;

  constructor(database: Database, log: LogSync) {
    this.#database = database;
    this.#log = log;
  }

  /** What was committed stays, also when the power fails now. */
  async toDisk(): Promise<void> {
    try {
      await this.#log.sync();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new StoreUnavailable(
        `the embedded database cannot be brought to the disk (look at the data folder's): ${reason}`,
      );
    }
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    const [first] = parameters;
    if (first instanceof EachRow) return this.#each(sql, first);
    const values = parameters.map(toSqlite);
    try {
      using statement = this.#database.prepare(sql);
      if (statement.columnNames.length === 0) {
        const { changes } = statement.run(...values);
        if (changes > 0 && !this.isInTransaction) await this.toDisk();
        return { rows: [], numAffectedRows: BigInt(changes) };
      }
      const rows = statement.all(...values) as Record<string, unknown>[];
      if (!this.isInTransaction && !IS_READING.test(sql)) await this.toDisk();
      return { rows: rows.map(decodeRow) as Row[], numAffectedRows: BigInt(rows.length) }; // the query's author knows
    } catch (error) {
      throw sqliteFailure(error);
    }
  }

  #each<Row>(sql: string, { rows, results }: EachRow): QueryResult<Row> {
    try {
      using statement = this.#database.prepare(sql);
      const changed = results.filter((_, index) => statement.run(...(rows[index] ?? [])).changes > 0);
      return { rows: changed as Row[], numAffectedRows: BigInt(changed.length) }; // the query's author knows
    } catch (error) {
      throw sqliteFailure(error);
    }
  }

  // biome-ignore lint/correctness/useYield: required by Kysely, used by nobody here
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('rows are read in pages, not in streams');
  }

  control(statement: 'begin immediate' | 'commit' | 'rollback'): void {
    try {
      this.#database.run(statement);
    } catch (error) {
      throw sqliteFailure(error);
    }
  }

  get isInTransaction(): boolean {
    return this.#database.inTransaction;
  }
}

class SqliteDriver implements Driver {
  readonly #database: Database;
  readonly #log: LogSync;
  readonly #connection: SqliteConnection;

  constructor(database: Database, log: LogSync) {
    this.#database = database;
    this.#log = log;
    this.#connection = new SqliteConnection(database, log);
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<SqliteConnection> {
    return this.#connection;
  }

  async beginTransaction(connection: SqliteConnection): Promise<void> {
    connection.control('begin immediate');
  }

  async commitTransaction(connection: SqliteConnection): Promise<void> {
    connection.control('commit');
    await connection.toDisk();
  }

  async rollbackTransaction(connection: SqliteConnection): Promise<void> {
    // Some failures (a full disk) end the transaction by themselves.
    if (connection.isInTransaction) connection.control('rollback');
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {
    await this.#log.close();
    this.#database.close();
  }
}
