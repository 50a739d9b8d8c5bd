import { Database } from 'bun:sqlite';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import type { Clock } from '../../core/clock.ts';
import type { Engine, Queries } from '../engine.ts';
import { StoreHealth } from '../health.ts';
import { migrateSqlite } from '../migrate.ts';
import { sqliteDialect } from './dialect.ts';
import { LogSync } from './log-sync.ts';
import { lockFolder, type OwnerLock } from './owner-lock.ts';

/**
 * Committed means on disk, but not by SQLite's own wait: that would block the thread that serves requests, for the slowest
 * hundredth of them 6 ms. `NORMAL` writes the log without a sync, and `LogSync` syncs it beside, before a commit is told of:
 * what `FULL` does, waited for elsewhere.
 */
const SETTINGS = [
  'PRAGMA busy_timeout = 5000',
  'PRAGMA journal_mode = WAL',
  'PRAGMA synchronous = NORMAL',
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
  try {
    const database = new Database(join(folder, 'tollgate.db'), { create: true, strict: true, safeIntegers: true });
    for (const setting of SETTINGS) database.run(setting);
    const log = new LogSync(join(folder, 'tollgate.db-wal'));
    const queries = new Kysely<Record<string, Record<string, unknown>>>({ dialect: sqliteDialect(database, log) });
    await migrateSqlite(queries, folder);
    return engineOf(queries, lock, clock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

function engineOf(queries: Queries, lock: OwnerLock, clock: Clock): Engine {
  return {
    kind: 'sqlite',
    queries,
    patient: queries,
    // A file does not go away: a full disk shows in the calls that need it.
    health: new StoreHealth(clock, () => Promise.resolve()),
    schema: null,
    listen: null,
    async close() {
      await queries.destroy();
      lock.release();
    },
  };
}
