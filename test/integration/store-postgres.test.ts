import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SQL } from 'bun';
import { seconds } from '../../src/core/units.ts';
import { StoreRefused, StoreUnavailable } from '../../src/store/errors.ts';
import type { PostgresOptions } from '../../src/store/postgres/open.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import { type TestDatabase, testDatabase } from '../support/postgres/database.ts';
import { type PostgresServer, startPostgres } from '../support/postgres/server.ts';
import { costs, ledgerEntry, OPERATOR, payer } from '../support/store.ts';

const open = (url: string, more: Partial<PostgresOptions> = {}): Promise<Store> =>
  openStore({ clock: systemClock, postgres: { url, ...more }, dataDir: '' });

const inSchema = (url: string, schema: string): string => `${url}?schema=${schema}&connection_limit=3&pool_timeout=9`;

/** Waits for something that takes a moment, and says how long it took. */
async function until(isSo: () => boolean | Promise<boolean>, patience = 20_000): Promise<number> {
  const start = performance.now();
  while (!(await isSo())) {
    if (performance.now() - start > patience) throw new Error(`not so within ${patience} ms`);
    await Bun.sleep(5);
  }
  return performance.now() - start;
}

describe('a PostgreSQL database', () => {
  let database: TestDatabase;
  let sql: SQL;
  const rows = async (statement: string): Promise<object[]> => [...(await sql.unsafe(statement))];

  beforeAll(async () => {
    database = await testDatabase();
    sql = new SQL(database.url);
  });

  afterAll(async () => {
    await sql.close();
    await database.drop();
  });

  test('is set up once by five instances that start at once', async () => {
    const url = inSchema(database.url, 'five');
    const script = join(import.meta.dir, '../support/open-store.ts');
    const instances = Array.from({ length: 5 }, () =>
      Bun.spawn([process.execPath, script, url], { stderr: 'inherit' }),
    );
    const said = await Promise.all(instances.map(({ stdout }) => new Response(stdout).text()));
    expect(said).toEqual(Array.from({ length: 5 }, () => 'opened\n'));
    expect(await rows('select version from five.litellm_schemaversion')).toEqual([{ version: '2' }]);
  });

  test('keeps the tables of others, also those of LiteLLM beside ours, as they are', async () => {
    await sql.unsafe(`create table orders (id int primary key, note text);
      insert into orders values (1, 'keep me');
      create table "LiteLLM_VerificationToken" (token text primary key, spend float8);
      insert into "LiteLLM_VerificationToken" values ('theirs', 1.5);
      create table "_prisma_migrations" (id text)`);
    const foreign = () =>
      rows(`select c.oid, c.relname, c.relfilenode, a.attname, a.atttypid::int from pg_class c
        join pg_attribute a on a.attrelid = c.oid join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relname !~ '^litellm_' order by 1, 4`);
    const before = await foreign();
    const store = await open(database.url);
    await store.change(OPERATOR, ({ keys }) => keys.create({ token: 'ours', key_id: 'k' }));
    await store.close();
    expect(await foreign()).toEqual(before);
    expect(await rows('select note from orders')).toEqual([{ note: 'keep me' }]);
    expect(await rows('select token from "LiteLLM_VerificationToken"')).toEqual([{ token: 'theirs' }]);
  });

  test('shows plain SQL what LiteLLM shows it', async () => {
    const store = await open(inSchema(database.url, 'plain'));
    await store.change(OPERATOR, ({ keys }) =>
      keys.create({ token: 'h', key_id: 'k', models: ['a'], metadata: { x: 'y' } }),
    );
    await store.ledger.write([ledgerEntry({ payer: payer({ keyId: 'k', keyHash: 'h' }), cost: costs(2_500_000_000) })]);
    await store.close();
    const [key] =
      await sql.unsafe(`select spend, models ->> 0 as model, metadata ->> 'x' as x, pg_typeof(created_at)::text as type
      from plain.litellm_verificationtoken`);
    expect(key).toEqual({ spend: 2.5, model: 'a', x: 'y', type: 'timestamp with time zone' });
    const [log] =
      await sql.unsafe(`select spend, "startTime" < "endTime" as ended, metadata ->> 'user_api_key' as api_key
      from plain.litellm_spendlogs`);
    expect(log).toEqual({ spend: 2.5, ended: true, api_key: 'h' });
    const set = sql.unsafe(`update plain.litellm_verificationtoken set spend = 0`);
    await expect(set.execute()).rejects.toThrow('can only be updated to DEFAULT');
  });

  test('with a foreign table under one of our names is refused, and left as it is', async () => {
    await sql.unsafe('create schema taken; create table taken.litellm_config (theirs int)');
    await expect(open(inSchema(database.url, 'taken'))).rejects.toThrow(/litellm_config[\s\S]*\?schema=/);
    const tables = await sql.unsafe(`select tablename from pg_tables where schemaname = 'taken'`);
    expect(tables.map((row: { tablename: string }) => row.tablename)).toEqual(['litellm_config']);
  });

  test('of a newer version is refused with both versions and what to do', async () => {
    await (await open(inSchema(database.url, 'newer'))).close();
    await sql.unsafe('update newer.litellm_schemaversion set version = 99');
    const refused = open(inSchema(database.url, 'newer'));
    await expect(refused).rejects.toBeInstanceOf(StoreRefused);
    await expect(refused).rejects.toThrow(/version 99, this Tollgate knows 2[\s\S]*restore a backup/);
  });

  test.each([
    ['that is no PostgreSQL address', 'mysql://u:sesame@h/db', /not a PostgreSQL address/],
    ['that is no address', 'sesame', /not a PostgreSQL address/],
    ['with a schema that no schema is called', 'postgres://u:sesame@h/db?schema=a"b', /schema 'a"b'/],
    [
      'where nothing listens',
      'postgres://u:sesame@127.0.0.1:1/db',
      /127\.0\.0\.1:1\/db cannot be reached[\s\S]*Check that/,
    ],
    ['of a host that is not there', 'postgres://u:sesame@no-such-host.invalid/db', /no-such-host\.invalid:5432\/db/],
  ])('an address %s is refused without its password', async (_, url, words) => {
    const refused = await open(url).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StoreRefused);
    expect(String(refused)).toMatch(words);
    expect(String(refused)).not.toContain('sesame');
  });

  test('that is not there, or a user who is not, is named', async () => {
    const there = new URL(database.url);
    await expect(open(database.url.replace(there.pathname, '/nowhere'))).rejects.toThrow(/nowhere.*does not exist/);
    await expect(open(database.url.replace('postgres@', 'nobody:sesame@'))).rejects.toThrow(/nobody.*does not exist/);
  });

  describe('with two instances', () => {
    let a: Store;
    let b: Store;

    beforeAll(async () => {
      a = await open(inSchema(database.url, 'two'));
      b = await open(inSchema(database.url, 'two'));
    });

    afterAll(() => Promise.all([a.close(), b.close()]));

    /** How long it takes until `b` hears of something, milliseconds. */
    async function heard(objectId: string, doing: () => Promise<unknown>): Promise<number> {
      let isHeard = false;
      const stop = b.onChange((events) => {
        isHeard ||= events.some((event) => event.kind === 'changed' && event.objectId === objectId);
      });
      await doing();
      const took = await until(() => isHeard);
      stop();
      return took;
    }

    test('a change by one is heard by the other well under a second', async () => {
      const times: number[] = [];
      for (const name of ['x', 'y', 'z'])
        times.push(await heard(name, () => a.change(OPERATOR, ({ tags }) => tags.create({ tag_name: name }))));
      expect(Math.max(...times)).toBeLessThan(1_000);
      // Not the poll, which comes every 500 ms.
      expect(Math.min(...times)).toBeLessThan(250);
    });

    test('a change whose notification was lost is heard within a second', async () => {
      const publish = () =>
        sql
          .unsafe(`insert into two.litellm_changefeed (sequence, table_name, object_id)
          select max(sequence) + 1, 'litellm_tagtable', 'silent' from two.litellm_changefeed`)
          .execute();
      expect(await heard('silent', publish)).toBeLessThan(1_000);
    });

    test('changes that the feed has forgotten are told as: read everything again', async () => {
      let isResync = false;
      const stop = b.onChange((events) => {
        isResync ||= events.some(({ kind }) => kind === 'resync');
      });
      await sql.unsafe(`insert into two.litellm_changefeed (sequence, table_name, object_id)
        select max(sequence) + 5, 'litellm_tagtable', 'later' from two.litellm_changefeed`);
      await until(() => isResync);
      stop();
    });

    test('connections that the server ends are made again, listening too', async () => {
      await sql.unsafe(`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`);
      await until(() =>
        a
          .change(OPERATOR, ({ tags }) => tags.create({ tag_name: 'w' }))
          .then(
            () => true,
            () => false,
          ),
      );
      expect(
        await heard('again', () => a.change(OPERATOR, ({ tags }) => tags.create({ tag_name: 'again' }))),
      ).toBeLessThan(1_000);
    });
  });

  test('with every connection busy lets nobody wait longer than the deadline', async () => {
    const store = await open(`${database.url}?schema=busy&connection_limit=2`, { acquireWithin: seconds(0.2) });
    const { promise: isOver, resolve } = Promise.withResolvers<void>();
    const hold = () => store.change(OPERATOR, () => isOver);
    const holding = [hold(), hold()];
    const start = performance.now();
    const waiting = store.read.tags.count();
    await expect(waiting).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(waiting).rejects.toThrow('all 2 connections');
    expect(performance.now() - start).toBeLessThan(1_000);
    expect(store.health().kind).toBe('up');
    const next = store.read.tags.count();
    resolve();
    expect(await next).toBe(0);
    await Promise.all(holding);
    await store.close();
  });
});

describe('a PostgreSQL server', () => {
  let folder: string;
  let server: PostgresServer;
  let store: Store;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tollgate-test-'));
    chmodSync(folder, 0o755);
    server = await startPostgres(folder, 'durable');
    store = await open(server.url, { acquireWithin: seconds(0.5), answerWithin: seconds(1) });
  });

  afterAll(async () => {
    await store.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('that is killed under load and comes back loses and doubles nothing', async () => {
    const states: string[] = [];
    const stop = store.onHealth(({ kind }) => void states.push(kind));
    const entries = Array.from({ length: 400 }, () => ledgerEntry({ payer: payer({ userId: 'u' }), cost: costs(1) }));
    let slowest = 0;
    let failures = 0;
    const write = async (batch: typeof entries): Promise<void> => {
      for (;;) {
        const start = performance.now();
        try {
          await store.ledger.write(batch);
          return;
        } catch (error) {
          expect(error).toBeInstanceOf(StoreUnavailable);
          failures += 1;
          slowest = Math.max(slowest, performance.now() - start);
          await Bun.sleep(10);
        }
      }
    };
    const writing = Promise.all(
      Array.from({ length: 8 }, async (_, lane) => {
        for (let start = lane * 50; start < lane * 50 + 50; start += 5) await write(entries.slice(start, start + 5));
      }),
    );
    await until(async () => (await store.read.spendLogs.count().catch(() => 0)) > 20);
    for (let kills = 0; kills < 2; kills += 1) {
      await server.kill();
      await until(() => store.health().kind === 'down');
      await Bun.sleep(100);
      await server.start();
      await until(() => store.health().kind === 'up');
    }
    await writing;
    stop();
    expect(failures).toBeGreaterThan(0);
    expect(slowest).toBeLessThan(2_500);
    expect(states.filter((state) => state === 'down').length).toBeGreaterThanOrEqual(2);
    expect(await store.read.spendLogs.count()).toBe(400);
    expect((await store.balance({ type: 'user', id: ['u'] }, null)).spend as bigint).toBe(400n);
    expect(await store.verify()).toEqual([]);
  });

  test('that is away answers nobody, at once, naming itself and no password', async () => {
    await server.kill();
    await store.read.tags.count().catch(() => 0);
    const start = performance.now();
    for (const call of [
      () => store.read.keys.get('x'),
      () => store.change(OPERATOR, ({ keys }) => keys.delete('x')),
      () => store.verify(),
    ])
      await expect(call()).rejects.toBeInstanceOf(StoreUnavailable);
    expect(performance.now() - start).toBeLessThan(200);
    expect(store.health()).toMatchObject({ kind: 'down', reason: expect.stringContaining('127.0.0.1') });
    await server.start();
    await until(() =>
      store.read.keys.get('x').then(
        () => true,
        () => false,
      ),
    );
  });

  test('that hangs is given up after the deadline, and used again when it answers', async () => {
    const sql = new SQL(server.url, { max: 1 });
    const rows: { pid: number }[] = await sql.unsafe('select pid from pg_stat_activity where pid <> pg_backend_pid()');
    const processes = [server.pid, ...rows.map(({ pid }) => pid)];
    for (const pid of processes) process.kill(pid, 'SIGSTOP');
    const start = performance.now();
    await expect(store.read.keys.get('x')).rejects.toBeInstanceOf(StoreUnavailable);
    expect(performance.now() - start).toBeLessThan(2_500);
    expect(store.health().kind).toBe('down');
    for (const pid of processes) process.kill(pid, 'SIGCONT');
    await until(() =>
      store.read.keys.get('x').then(
        () => true,
        () => false,
      ),
    );
    await sql.close();
  });
});
