import { Database } from 'bun:sqlite';

/** Held until it is released or the process ends, however it ends. */
export interface Lock {
  release(): void;
}

/**
 * Takes the lock of a file, or null when another owner, of this process or another, has it.
 *
 * The lock is SQLite's on an empty database: the kernel gives it back when its owner dies, so that no process id has
 * to be believed. That is what lock files with process ids get wrong in containers, where every gateway is process 1.
 *
 * @throws when the file system has no locks or the file cannot be made
 * @see https://sqlite.org/lockingv3.html, read 2026-11-23
 */
export function takeLock(path: string): Lock | null {
  const database = new Database(path, { create: true });
  try {
    database.run('PRAGMA busy_timeout = 0');
    // Nothing is ever written to it, so it needs no journal of its own.
    database.run('PRAGMA journal_mode = MEMORY');
    database.run('BEGIN EXCLUSIVE');
    return { release: () => database.close() };
  } catch (error) {
    database.close();
    if ((error as { readonly code?: string }).code === 'SQLITE_BUSY') return null;
    throw error;
  }
}
