import { Database, SQLiteError, type Statement } from 'bun:sqlite';
import type { SqliteValue } from '../values.ts';
import type { Answer, Done, Failed, Task } from './protocol.ts';

/** The thread of the embedded database: answers each task with one message, in their order. */
declare const self: {
  onmessage: (event: { readonly data: Task }) => void;
  postMessage(answer: Answer): void;
  close(): void;
};

let database: Database | null = null;
/** Statements that are run for many rows: as many as there are tables in the ledger. */
const kept = new Map<string, Statement>();

self.onmessage = ({ data }) => {
  const result = attempt(data);
  self.postMessage({ ...result, isInTransaction: database?.inTransaction ?? false });
  if (data.kind === 'close') self.close();
};

function attempt(task: Task): Done | Failed {
  try {
    return run(task);
  } catch (error) {
    const code = error instanceof SQLiteError ? (error.code ?? '') : null;
    return { kind: 'failed', code, message: error instanceof Error ? error.message : String(error) };
  }
}

function run(task: Task): Done {
  if (task.kind === 'open') {
    database = new Database(task.path, { create: true, strict: true, safeIntegers: true });
    for (const setting of task.settings) database.run(setting);
    return NOTHING;
  }
  if (database === null) throw new Error('the database is not open');
  switch (task.kind) {
    case 'query':
      return query(database, task.sql, task.values);
    case 'each':
      return each(database, task.sql, task.rows);
    case 'control':
      database.run(task.statement);
      return NOTHING;
    case 'close':
      for (const statement of kept.values()) statement.finalize();
      database.close();
      database = null;
      return NOTHING;
  }
}

const NOTHING: Done = { kind: 'done', rows: [], changes: 0, unchanged: [] };

function query(db: Database, sql: string, values: readonly SqliteValue[]): Done {
  using statement = db.prepare(sql);
  if (statement.columnNames.length === 0) return { ...NOTHING, changes: statement.run(...values).changes };
  const rows = statement.all(...values) as Record<string, unknown>[]; // what SQLite returns
  return { ...NOTHING, rows, changes: rows.length };
}

function each(db: Database, sql: string, rows: readonly (readonly SqliteValue[])[]): Done {
  const statement = kept.get(sql) ?? db.prepare(sql);
  kept.set(sql, statement);
  const unchanged: number[] = [];
  for (const [place, row] of rows.entries()) if (statement.run(...row).changes === 0) unchanged.push(place);
  return { ...NOTHING, changes: rows.length - unchanged.length, unchanged };
}
