import type { ReservedSQL } from 'bun';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely';
import { Contention } from '../errors.ts';
import { decodeRow } from '../values.ts';
import type { PostgresPool } from './pool.ts';

/** Kysely's dialect over Bun.sql. */
export function postgresDialect(pool: PostgresPool): Dialect {
  return {
    createDriver: () => new PostgresDriver(pool),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (db) => new PostgresIntrospector(db),
  };
}

/** The right to run statements: on any connection, or inside a transaction on one. */
class PostgresConnection implements DatabaseConnection {
  readonly #pool: PostgresPool;
  #reserved: ReservedSQL | null = null;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    const answer = await this.#pool.run(sql, parameters, this.#reserved);
    const rows = answer.map(decodeRow) as Row[]; // whoever wrote the query knows its columns
    return { rows, numAffectedRows: BigInt(answer.count) };
  }

  // biome-ignore lint/correctness/useYield: required by Kysely, used by nobody here
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('rows are read in pages, not in streams');
  }

  async begin(): Promise<void> {
    this.#reserved = await this.#pool.reserve();
    await this.#control('begin');
  }

  async commit(): Promise<void> {
    const { command } = await this.#control('commit');
    // PostgreSQL answers COMMIT with ROLLBACK when a statement before it had failed.
    if (command !== 'COMMIT') throw new Contention('the transaction had failed before its end');
  }

  async rollback(): Promise<void> {
    // Nothing to undo on a connection that is gone, and the first error is the one to tell.
    if (this.#reserved !== null) await this.#control('rollback').catch(() => undefined);
  }

  release(): void {
    this.#reserved?.release();
    this.#reserved = null;
    this.#pool.release();
  }

  #control(statement: string) {
    return this.#pool.run(statement, [], this.#reserved);
  }
}

class PostgresDriver implements Driver {
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PostgresConnection> {
    await this.#pool.acquire();
    return new PostgresConnection(this.#pool);
  }

  beginTransaction(connection: PostgresConnection): Promise<void> {
    return connection.begin();
  }

  commitTransaction(connection: PostgresConnection): Promise<void> {
    return connection.commit();
  }

  rollbackTransaction(connection: PostgresConnection): Promise<void> {
    return connection.rollback();
  }

  async releaseConnection(connection: PostgresConnection): Promise<void> {
    connection.release();
  }

  destroy(): Promise<void> {
    return this.#pool.close();
  }
}
