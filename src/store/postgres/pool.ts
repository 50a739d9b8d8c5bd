import { type ReservedSQL, SQL } from 'bun';
import type { Clock } from '../../core/clock.ts';
import { type Millis, millis } from '../../core/units.ts';
import { StoreUnavailable } from '../errors.ts';
import type { StoreHealth } from '../health.ts';
import { Permits } from '../permits.ts';
import { toPostgres } from '../values.ts';
import { isConnectionFailure, postgresFailure } from './failures.ts';

/** Where to connect, with how many connections, and how long anything may take. */
export interface PoolSettings {
  readonly url: string;
  /** `host:port/database`, for messages. */
  readonly place: string;
  readonly maxConnections: number;
  readonly acquireWithin: Millis;
  /** Longest time that making a connection may take. */
  readonly connectWithin: Millis;
  readonly answerWithin: Millis;
  readonly clock: Clock;
}

/** Rows of an answer, with PostgreSQL's word for what was done and to how many. */
export type Answer = Record<string, unknown>[] & { readonly command: string; readonly count: number };

/** How much longer than the server's own limit we wait for its word that the limit was hit. */
const GRACE = millis(500);

/** How long a connection that nobody uses is kept. */
const IDLE_SECONDS = 300;

/**
 * A bounded pool of connections with deadlines.
 *
 * 1. Nobody waits for a connection longer than `acquireWithin`, nor for an answer longer than `answerWithin`.
 * 2. While the database is down every call fails at once; `health` finds out when it is back.
 * 3. A connection that gave no answer in time is not used again: the pool is replaced as a whole, because Bun.sql has no
 *    way to give up a single one. Its other connections end with their statements.
 */
export class PostgresPool {
  readonly #settings: PoolSettings;
  readonly #permits: Permits;
  #health: StoreHealth | null = null;
  #sql: SQL;
  #listening: SQL | null = null;

  constructor(settings: PoolSettings) {
    this.#settings = settings;
    this.#permits = new Permits(settings.maxConnections, settings.clock);
    this.#sql = connect(settings);
  }

  /** Told of failures, asked before every call. */
  watch(health: StoreHealth): void {
    this.#health = health;
  }

  /** Waits for the right to use one connection; `release` gives it back. */
  async acquire(): Promise<void> {
    this.#refuseWhileDown();
    const { acquireWithin, maxConnections, place } = this.#settings;
    if (await this.#permits.take(acquireWithin)) return;
    throw new StoreUnavailable(
      `all ${maxConnections} connections to PostgreSQL at ${place} were busy for ${acquireWithin / 1000} s`,
    );
  }

  release(): void {
    this.#permits.give();
  }

  /** One connection to itself, for a transaction. */
  reserve(): Promise<ReservedSQL> {
    this.#refuseWhileDown();
    return this.#bounded(this.#sql.reserve());
  }

  /** Runs one statement, on the connection given or on any. */
  run(text: string, parameters: readonly unknown[], on: ReservedSQL | null): Promise<Answer> {
    if (on === null) this.#refuseWhileDown();
    return this.#bounded((on ?? this.#sql).unsafe(text, parameters.map(toPostgres)) as Promise<Answer>);
  }

  /** Whether the server answers, asked past `health`. */
  async probe(): Promise<void> {
    await this.#bounded(this.#sql.unsafe('select 1'), this.#settings.connectWithin);
  }

  /** LISTEN on a connection of its own, which Bun.sql opens again by itself whenever it is lost. */
  async listen(channel: string, wake: () => void): Promise<void> {
    // Not part of the pool, which may be replaced.
    this.#listening = connect({ ...this.#settings, maxConnections: 1 }, 0);
    try {
      await this.#listening.listen(channel, wake, wake);
    } catch (error) {
      throw postgresFailure(error, this.#settings.place);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#sql.close({ timeout: 1 }), this.#listening?.close({ timeout: 0 })]);
  }

  #refuseWhileDown(): void {
    const state = this.#health?.state;
    if (state?.kind === 'down') throw new StoreUnavailable(state.reason);
  }

  async #bounded<T>(work: Promise<T>, within: Millis = this.#settings.answerWithin): Promise<T> {
    const { clock, place } = this.#settings;
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    const timer = clock.after(millis(within + GRACE), () =>
      reject(new StoreUnavailable(`PostgreSQL at ${place} gave no answer within ${within / 1000} s`)),
    );
    try {
      return await Promise.race([work, tooLate]);
    } catch (error) {
      throw this.#failed(error);
    } finally {
      timer.cancel();
    }
  }

  #failed(error: unknown): unknown {
    const failure = postgresFailure(error, this.#settings.place);
    const isSilent = error instanceof StoreUnavailable;
    if (isSilent) this.#replace();
    if (isSilent || isConnectionFailure(error)) this.#health?.failed((failure as Error).message); // both are errors
    return failure;
  }

  #replace(): void {
    void this.#sql.close({ timeout: 0 }).catch(() => undefined);
    this.#sql = connect(this.#settings);
  }
}

/** @param idleSeconds after which a connection that nobody uses is closed; 0: never */
function connect({ url, maxConnections, connectWithin, answerWithin }: PoolSettings, idleSeconds = IDLE_SECONDS): SQL {
  return new SQL({
    url,
    // One more than there are permits, so that a probe finds a free one.
    max: maxConnections + 1,
    bigint: true,
    connectionTimeout: Math.max(1, Math.ceil(connectWithin / 1000)),
    idleTimeout: idleSeconds,
    connection: {
      statement_timeout: answerWithin,
      idle_in_transaction_session_timeout: answerWithin * 4,
      TimeZone: 'UTC',
      // Who waits for a lock must then read what was committed meanwhile, whatever this server's default is.
      default_transaction_isolation: 'read committed',
    },
  });
}
