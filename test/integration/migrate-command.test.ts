import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SQL } from 'bun';
import { SCHEMA_VERSION } from '../../src/store/migrate.ts';
import { type TestDatabase, testDatabase } from '../support/postgres/database.ts';

const launcher = join(import.meta.dir, '../../bin/tollgate');

async function migrate(env: Record<string, string>, ...flags: string[]) {
  const child = Bun.spawn([launcher, 'migrate', ...flags], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH ?? '', ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, error] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out, error };
}

describe('tollgate migrate', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await testDatabase();
  });

  afterAll(() => database?.drop());

  test('makes the tables of PostgreSQL once, also when several run at once', async () => {
    const done = { code: 0, out: `✓ the tables of PostgreSQL have schema version ${SCHEMA_VERSION}.\n`, error: '' };
    const env = { DATABASE_URL: database.url };
    expect(await Promise.all([migrate(env), migrate(env), migrate(env)])).toEqual([done, done, done]);
    const client = new SQL(database.url);
    try {
      const versions = await client`select version from litellm_schemaversion`;
      expect([...versions]).toEqual([{ version: String(SCHEMA_VERSION) }]);
      const [keys] = await client`select count(*)::int as count from litellm_verificationtoken`;
      expect(keys).toEqual({ count: 0 });
    } finally {
      await client.end();
    }
  });

  test('leaves tables that a newer version has changed as they are, and says so', async () => {
    const newer = await testDatabase();
    const client = new SQL(newer.url);
    try {
      await migrate({ DATABASE_URL: newer.url });
      await client`update litellm_schemaversion set version = 999`;
      const { code, error } = await migrate({ DATABASE_URL: newer.url });
      expect([code, error]).toEqual([1, expect.stringContaining('have schema version 999')]);
    } finally {
      await client.end();
      await newer.drop();
    }
  });

  test('ends with 1 when nobody answers, and does not show the password', async () => {
    const { code, out, error } = await migrate({ DATABASE_URL: 'postgresql://me:hunter2@127.0.0.1:1/none' });
    expect([code, out]).toEqual([1, '']);
    expect(error).toContain('127.0.0.1:1');
    expect(error).not.toContain('hunter2');
  });

  test('makes the embedded database in the data folder, and refuses flags that it does not know', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'tollgate-migrate-'));
    try {
      expect((await migrate({}, '--data-dir', dataDir)).code).toBe(0);
      expect(await Bun.file(join(dataDir, 'tollgate.db')).exists()).toBe(true);
    } finally {
      rmSync(dataDir, { recursive: true });
    }
    expect((await migrate({}, '--datadir', dataDir)).code).toBe(2);
  });
});
