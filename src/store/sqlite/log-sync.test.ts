import { Database } from 'bun:sqlite';
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import { StoreUnavailable } from '../errors.ts';
import { sqliteDialect } from './dialect.ts';
import { LogSync } from './log-sync.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-log-sync-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a log that is not there is no success, and is found once it is', async () => {
  const path = join(folder, 'log');
  const log = new LogSync(path);
  await expect(log.sync()).rejects.toThrow('ENOENT');
  writeFileSync(path, 'x');
  await Promise.all([log.sync(), log.sync(), log.sync()]);
  await log.close();
});

test('who asks while a sync runs gets one that begins after it', async () => {
  writeFileSync(join(folder, 'log'), 'x');
  const log = new LogSync(join(folder, 'log'));
  const [first, second, third] = [log.sync(), log.sync(), log.sync()];
  expect(second).not.toBe(first);
  expect(third).toBe(second);
  await Promise.all([first, second]);
  await log.close();
});

test('a commit that cannot be brought to the disk is not told of as done, a change by itself neither; reading needs none', async () => {
  const database = new Database(':memory:');
  const log = new LogSync(join(folder, 'never-there'));
  const queries = new Kysely<{ t: { a: number } }>({ dialect: sqliteDialect(database, log) });
  database.run('create table t (a integer)');
  const insert = queries.insertInto('t').values({ a: 1 });
  await expect(
    queries.transaction().execute((inside) => inside.insertInto('t').values({ a: 1 }).execute()),
  ).rejects.toThrow(StoreUnavailable);
  await expect(insert.execute()).rejects.toThrow(StoreUnavailable);
  await expect(insert.returning('a').execute()).rejects.toThrow(StoreUnavailable);
  expect(await queries.selectFrom('t').select('a').execute()).toHaveLength(3);
  await queries.destroy();
});
