import type { SqliteValue } from '../values.ts';

/** One thing that the thread of the embedded database does. They are done in the order in which they are asked. */
export type Task =
  /** Opens the file and makes these settings; the first task, and given once. */
  | { readonly kind: 'open'; readonly path: string; readonly settings: readonly string[] }
  | { readonly kind: 'query'; readonly sql: string; readonly values: readonly SqliteValue[] }
  /** One statement that returns nothing, once for each row. */
  | { readonly kind: 'each'; readonly sql: string; readonly rows: readonly (readonly SqliteValue[])[] }
  | { readonly kind: 'control'; readonly statement: 'begin immediate' | 'commit' | 'rollback' }
  /** The last task. */
  | { readonly kind: 'close' };

/** What a task came to; `isInTransaction` is how it left the database. */
export type Answer = (Done | Failed) & { readonly isInTransaction: boolean };

export interface Done {
  readonly kind: 'done';
  readonly rows: readonly Record<string, unknown>[];
  /** Rows that a statement changed. */
  readonly changes: number;
  /** Of `each`: places of the rows that changed nothing. */
  readonly unchanged: readonly number[];
}

/** Errors lose their class between threads; `code` is SQLite's, null when it is no error of SQLite's. */
export interface Failed {
  readonly kind: 'failed';
  readonly code: string | null;
  readonly message: string;
}
