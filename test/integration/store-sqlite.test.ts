import { Database } from 'bun:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { epochMillis } from '../../src/core/units.ts';
import { StoreRefused } from '../../src/store/errors.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import { costs, ledgerEntry, OPERATOR, payer } from '../support/store.ts';

/** Those of schema version 2. */
const NEW_TABLES = ['litellm_dailyrollups', 'litellm_rolledupdays', 'litellm_budgetholds', 'litellm_limitcounts'];

describe('the embedded database', () => {
  let dataDir: string;
  const open = (): Promise<Store> => openStore({ clock: systemClock, postgres: null, dataDir });
  const run = (script: string) =>
    Bun.spawn([process.execPath, join(import.meta.dir, '../support', script), '', dataDir], { stdout: 'pipe' });

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'tollgate-test-'));
  });

  afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

  test('belongs to one process: a second one is told which, and what to do', async () => {
    const store = await open();
    const second = await new Response(run('open-store.ts').stdout).text();
    expect(second).toMatch(/in use by another Tollgate \(process \d+\)[\s\S]*--data-dir[\s\S]*DATABASE_URL/);
    expect(second).toContain(`process ${process.pid}`);
    await expect(open()).rejects.toBeInstanceOf(StoreRefused);
    await store.read.tags.count();
    await store.close();
    expect(await new Response(run('open-store.ts').stdout).text()).toBe('opened\n');
  });

  test('keeps what was committed when its process is killed, and opens again at once', async () => {
    const child = run('write-until-killed.ts');
    let last = '';
    for await (const bytes of child.stdout) {
      last = new TextDecoder().decode(bytes).trim().split('\n').at(-1) ?? '';
      if (Number(last) > 30) child.kill('SIGKILL');
    }
    const store = await open();
    const written = await store.read.spendLogs.count();
    expect(written).toBeGreaterThanOrEqual(Number(last));
    expect((await store.balance({ type: 'all', id: [] }, null)).spend as bigint).toBe(BigInt(written));
    expect(await store.verify()).toEqual([]);
    await store.close();
  });

  test('waits for the disk at every commit, and holds only values of the columns’ types', async () => {
    const store = await open();
    await store.change(OPERATOR, ({ tags }) => tags.create({ tag_name: 'a', models: ['x'] }));
    await store.close();
    const database = new Database(join(dataDir, 'tollgate.db'));
    expect(database.query('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(database.query('SELECT tag_name, models, spend FROM litellm_tagtable').all()).toEqual([
      { tag_name: 'a', models: '["x"]', spend: 0 },
    ]);
    expect(() => database.run(`UPDATE litellm_tagtable SET spend_nano = 1.5`)).toThrow('cannot store REAL');
    expect(database.query('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    database.close();
  });

  test('shows verify every total that somebody else changed', async () => {
    const store = await open();
    const at = (day: number) => epochMillis(Date.UTC(2026, 10, day, 8));
    const entry = (day: number) => ledgerEntry({ payer: payer({ teamId: 't' }), startedAt: at(day), cost: costs(5) });
    await store.ledger.write([entry(1), entry(2)]);
    await store.close();
    const database = new Database(join(dataDir, 'tollgate.db'));
    database.run(`UPDATE litellm_dailyteamspend SET spend_nano = 6 WHERE date = '2026-11-02'`);
    database.run(
      `UPDATE litellm_spendbuckets SET spend_nano = 4 WHERE account_type = 'all' AND bucket_start > '2026-11-02'`,
    );
    database.run(`DELETE FROM litellm_dailyuserspend WHERE date = '2026-11-02'`);
    database.close();
    const opened = await open();
    expect(await opened.verify()).toEqual([
      { total: 'day', place: 'litellm_dailyuserspend 2026-11-02 ', stored: 0n, recomputed: 5n },
      { total: 'day', place: 'litellm_dailyteamspend 2026-11-02 t', stored: 6n, recomputed: 5n },
      { total: 'bucket', place: `litellm_spendbuckets all ${at(2) / 1000} []`, stored: 4n, recomputed: 5n },
    ]);
    await opened.close();
  });

  test('shows verify every sum of a rolled-up day that somebody else changed', async () => {
    const store = await open();
    const startedAt = epochMillis(Date.UTC(2026, 10, 2, 8));
    await store.ledger.write([ledgerEntry({ payer: payer({ teamId: 't', keyHash: 'k' }), startedAt, cost: costs(5) })]);
    expect(await store.rollUp()).toEqual(['2026-11-02']);
    await store.close();
    const database = new Database(join(dataDir, 'tollgate.db'));
    database.run(`UPDATE litellm_dailyrollups SET spend_nano = 7 WHERE subject = 'team' AND part = 'entity'`);
    database.run(`DELETE FROM litellm_dailyrollups WHERE subject = 'user' AND part = 'api_key'`);
    database.close();
    const opened = await open();
    expect(await opened.verify()).toEqual([
      { total: 'roll-up', place: 'litellm_dailyrollups user api_key 2026-11-02 k', stored: 0n, recomputed: 5n },
      { total: 'roll-up', place: 'litellm_dailyrollups team entity 2026-11-02 t', stored: 7n, recomputed: 5n },
    ]);
    await opened.close();
  });

  test('of schema version 1 gets the tables that a new one has, and the hashes that keys had', async () => {
    const first = await open();
    await first.change(OPERATOR, async ({ keys }) => {
      await keys.create({ token: 'hash-1', key_id: 'id' });
      await keys.rotate('hash-1', { token: 'hash-2', patch: {}, graceUntil: null });
    });
    await first.close();
    const database = () => new Database(join(dataDir, 'tollgate.db'));
    const columns = (of: Database) =>
      NEW_TABLES.map((table) =>
        of.query(`SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info('${table}') ORDER BY name`).all(),
      );
    const before = database();
    const created = columns(before);
    expect(created.map((table) => table.length)).toEqual([18, 2, 7, 6]);
    for (const table of NEW_TABLES) before.run(`DROP TABLE ${table}`);
    before.run('DROP INDEX litellm_spendlogs_limited_idx');
    before.run('DELETE FROM litellm_deprecatedverificationtoken');
    before.run('UPDATE litellm_schemaversion SET version = 1');
    before.close();
    const stepped = await open();
    expect(await stepped.read.keys.hashesOf('id')).toEqual(['hash-2', 'hash-1']);
    await stepped.close();
    const after = database();
    expect(columns(after)).toEqual(created);
    expect(after.query(`SELECT sql FROM sqlite_master WHERE name LIKE '%limited_idx'`).all()).toHaveLength(1);
    expect(after.query('SELECT version FROM litellm_schemaversion').get()).toEqual({ version: 2 });
    after.close();
  });

  test('of a newer version is refused', async () => {
    await (await open()).close();
    const database = new Database(join(dataDir, 'tollgate.db'));
    database.run('UPDATE litellm_schemaversion SET version = 99');
    database.close();
    await expect(open()).rejects.toThrow(/version 99, this Tollgate knows 2/);
  });
});
