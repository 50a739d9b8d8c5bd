import { Database } from 'bun:sqlite';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StoreRefused } from '../errors.ts';

/** The right to use a data folder, which one process has at a time. */
export interface OwnerLock {
  release(): void;
}

/**
 * Takes the data folder for this process.
 *
 * The lock is SQLite's own on a small file, which the operating system gives up when its holder dies, however it dies;
 * a file with a process id would outlive `kill -9`, and in containers every process has the id 1. The id in
 * `tollgate.owner` is for the message alone.
 *
 * @throws StoreRefused when another process has it
 */
export function lockFolder(folder: string): OwnerLock {
  const lock = new Database(join(folder, 'tollgate.lock'));
  try {
    lock.run('PRAGMA locking_mode = EXCLUSIVE');
    lock.run('BEGIN EXCLUSIVE');
  } catch {
    lock.close();
    throw new StoreRefused(
      `the embedded database in ${folder} is in use by another Tollgate${ownerOf(folder)}. One process at a time may use it: stop that one, give this one another --data-dir, or set DATABASE_URL to a PostgreSQL database, which any number may share.`,
    );
  }
  writeFileSync(join(folder, 'tollgate.owner'), `${process.pid}\n`);
  return { release: () => lock.close() };
}

function ownerOf(folder: string): string {
  try {
    return ` (process ${readFileSync(join(folder, 'tollgate.owner'), 'utf8').trim()})`;
  } catch {
    return '';
  }
}
