import { Kysely } from 'kysely';
import type { Clock } from '../../core/clock.ts';
import { type Millis, seconds } from '../../core/units.ts';
import { type PostgresAddress, parsePostgresUrl } from '../address.ts';
import type { Engine, Queries } from '../engine.ts';
import { StoreUnreachable } from '../errors.ts';
import { StoreHealth } from '../health.ts';
import { migratePostgres } from '../migrate.ts';
import { channelOf } from './channel.ts';
import { postgresDialect } from './dialect.ts';
import { startFailure } from './failures.ts';
import { PostgresPool } from './pool.ts';

/** How PostgreSQL is used; what is left out has a default. */
export interface PostgresOptions {
  /** `DATABASE_URL`. */
  readonly url: string;
  /** Connections at most, beside the one that listens; `connection_limit` in the address goes before it. */
  readonly maxConnections?: number;
  /** Longest wait for a free connection, and for a new one to be made. */
  readonly acquireWithin?: Millis;
  /** Longest wait for the answer to one statement. */
  readonly answerWithin?: Millis;
  /** What to do when nobody answers: give up, which is the default, or start without the database and go on trying. */
  readonly whenUnreachable?: 'refuse' | 'wait';
}

const DEFAULT_CONNECTIONS = 10;
const DEFAULT_ACQUIRE = seconds(2);
const DEFAULT_ANSWER = seconds(10);
/** Migrations, waiting for another instance that migrates, `verify` and `prune` take longer than a request may. */
const PATIENCE = seconds(6 * 3600);

/**
 * Connects to PostgreSQL and brings its tables up to date: now, or, when it may wait, as soon as somebody answers.
 *
 * @throws StoreRefused when the database cannot be reached or used, saying what to do
 */
export async function openPostgres(options: PostgresOptions, clock: Clock): Promise<Engine> {
  const address = parsePostgresUrl(options.url);
  const patient = poolOf(address, options, clock, 'maintenance');
  const pool = poolOf(address, options, clock, 'requests');
  const tables = new Preparation(patient, address);
  const health = new StoreHealth(clock, async () => {
    await tables.prepare(health);
    await pool.probe();
  });
  pool.watch(health);
  try {
    await tables.prepare(health);
  } catch (error) {
    const failure = startFailure(error, address.place);
    if (options.whenUnreachable !== 'wait' || !(failure instanceof StoreUnreachable)) {
      health.close();
      await Promise.all([pool.close(), patient.close()]);
      throw failure;
    }
    health.failed(failure.message);
  }
  return {
    kind: 'postgres',
    queries: queriesOn(pool, address),
    patient: queriesOn(patient, address),
    health,
    schema: address.schema,
    listen: (wake) => pool.listen(channelOf(address.schema), wake),
    async close() {
      health.close();
      await Promise.all([pool.close(), patient.close()]);
    },
  };
}

/** The tables are brought up to date once: before that nothing may be asked of them. */
class Preparation {
  readonly #pool: PostgresPool;
  readonly #address: PostgresAddress;
  #isDone = false;

  constructor(pool: PostgresPool, address: PostgresAddress) {
    this.#pool = pool;
    this.#address = address;
  }

  /** @param health asked before every later call of the pool; not before this is done, which health waits for */
  async prepare(health: StoreHealth): Promise<void> {
    if (this.#isDone) return;
    await this.#pool.probe();
    await migratePostgres(queriesOn(this.#pool, this.#address), this.#address);
    this.#isDone = true;
    this.#pool.watch(health);
  }
}

const queriesOn = (pool: PostgresPool, { schema }: PostgresAddress): Queries =>
  new Kysely<Record<string, Record<string, unknown>>>({ dialect: postgresDialect(pool) }).withSchema(schema);

/** What a pool is for: `maintenance` has one connection, made when it is needed, and no hurry. */
type Purpose = 'requests' | 'maintenance';

function poolOf(address: PostgresAddress, options: PostgresOptions, clock: Clock, purpose: Purpose): PostgresPool {
  const isPatient = purpose === 'maintenance';
  return new PostgresPool({
    url: address.url,
    place: address.place,
    maxConnections: isPatient ? 1 : (address.maxConnections ?? options.maxConnections ?? DEFAULT_CONNECTIONS),
    acquireWithin: isPatient ? PATIENCE : (options.acquireWithin ?? DEFAULT_ACQUIRE),
    answerWithin: isPatient ? PATIENCE : (options.answerWithin ?? DEFAULT_ANSWER),
    connectWithin: options.acquireWithin ?? DEFAULT_ACQUIRE,
    clock,
  });
}
