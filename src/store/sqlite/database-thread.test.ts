import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conflict, StoreUnavailable } from '../errors.ts';
import { DatabaseThread } from './database-thread.ts';
import type { Task } from './protocol.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-thread-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const query = (sql: string, ...values: readonly (string | number)[]): Task => ({ kind: 'query', sql, values });

async function opened(): Promise<DatabaseThread> {
  const thread = new DatabaseThread(expect.unreachable);
  await thread.do({ kind: 'open', path: join(folder, 'test.db'), settings: [] });
  await thread.do(query('create table t (a integer primary key) strict'));
  return thread;
}

test('tasks are done in the order in which they were asked, one that fails among them', async () => {
  const thread = await opened();
  const [, again, found] = await Promise.allSettled([
    thread.do(query('insert into t values (?)', 1)),
    thread.do(query('insert into t values (?)', 1)),
    thread.do(query('select a from t')),
  ]);
  expect(again).toMatchObject({ status: 'rejected', reason: expect.any(Conflict) });
  expect(found).toMatchObject({ status: 'fulfilled', value: { rows: [{ a: 1n }] } });
  await thread.close();
});

test('of many rows those are told that changed nothing', async () => {
  const thread = await opened();
  const sql = 'insert into t values (?) on conflict do nothing';
  const rows = [[1], [2], [1], [3]];
  expect(await thread.do({ kind: 'each', sql, rows })).toMatchObject({ changes: 3, unchanged: [2] });
  await thread.close();
});

test('whether a transaction is open is known when the answer is there', async () => {
  const thread = await opened();
  await thread.do({ kind: 'control', statement: 'begin immediate' });
  expect(thread.isInTransaction).toBe(true);
  await thread.do({ kind: 'control', statement: 'rollback' });
  expect(thread.isInTransaction).toBe(false);
  await thread.close();
});

test('a thread that was closed, or ended by itself, does nothing any more and says so', async () => {
  const thread = await opened();
  await Promise.all([thread.close(), thread.close()]);
  await expect(thread.do(query('select 1'))).rejects.toThrow(StoreUnavailable);

  const lost: string[] = [];
  const script = join(folder, 'broken.js');
  writeFileSync(script, 'self.onmessage = () => { throw new Error("out of order"); };');
  const broken = new DatabaseThread((reason) => lost.push(reason), script);
  const waiting = await Promise.allSettled([broken.do(query('select 1')), broken.do(query('select 2'))]);
  const message = 'the thread of the embedded database has ended (out of order): start the gateway again';
  for (const each of waiting) expect(each).toMatchObject({ status: 'rejected', reason: { message } });
  await expect(broken.do(query('select 3'))).rejects.toThrow(StoreUnavailable);
  expect(lost).toEqual([message]);
  await broken.close();
});
