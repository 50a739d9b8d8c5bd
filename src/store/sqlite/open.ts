import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import type { Clock } from '../../core/clock.ts';
import type { Engine, Queries } from '../engine.ts';
import { StoreHealth } from '../health.ts';
import { migrateSqlite } from '../migrate.ts';
import { DatabaseThread } from './database-thread.ts';
import { sqliteDialect } from './dialect.ts';
import { lockFolder, type OwnerLock } from './owner-lock.ts';

/** Committed means on disk: `FULL` waits for it, in the thread of the database. */
const SETTINGS = [
  'PRAGMA busy_timeout = 5000',
  'PRAGMA journal_mode = WAL',
  'PRAGMA synchronous = FULL',
  'PRAGMA foreign_keys = ON',
  'PRAGMA trusted_schema = OFF',
];

/**
 * Opens the embedded database `tollgate.db` in the data folder, creating both, and brings its tables up to date.
 *
 * @throws StoreRefused when another process uses the folder
 */
export async function openSqlite(folder: string, clock: Clock): Promise<Engine> {
  mkdirSync(folder, { recursive: true });
  const lock = lockFolder(folder);
  // A file does not go away, and a full disk shows in the calls that need it; but the thread may end.
  const health = new StoreHealth(clock, async () => {
    await thread.do({ kind: 'query', sql: 'select 1', values: [] });
  });
  const thread = new DatabaseThread((reason) => health.failed(reason));
  try {
    await thread.do({ kind: 'open', path: join(folder, 'tollgate.db'), settings: SETTINGS });
    const queries = new Kysely<Record<string, Record<string, unknown>>>({ dialect: sqliteDialect(thread) });
    await migrateSqlite(queries, folder);
    return engineOf(queries, lock, health);
  } catch (error) {
    await thread.close();
    lock.release();
    throw error;
  }
}

function engineOf(queries: Queries, lock: OwnerLock, health: StoreHealth): Engine {
  return {
    kind: 'sqlite',
    queries,
    patient: queries,
    health,
    schema: null,
    listen: null,
    async close() {
      health.close();
      await queries.destroy();
      lock.release();
    },
  };
}
