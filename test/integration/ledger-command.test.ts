import { Database } from 'bun:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SQL } from 'bun';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { DATABASES } from '../support/store.ts';
import {
  changing,
  chatWith,
  configOf,
  createKey,
  type Ground,
  gatewayOn,
  ground,
  metricOf,
  type TestKey,
  until,
} from '../support/tenants.ts';

const root = join(import.meta.dir, '../..');

describe.each(DATABASES)('tollgate ledger on %s', (kind) => {
  let simulator: Simulator;
  let place: Ground;
  let key: TestKey;

  beforeAll(async () => {
    simulator = await startSimulator();
    place = await ground(kind);
    key = await place.withStore((store) => changing(store, (writers) => createKey(writers, 'key')));
    writeFileSync(join(place.dataDir, 'config.yaml'), configOf(simulator.url));
  });

  afterAll(async () => {
    await simulator?.stop();
    await place?.remove();
  });

  async function run(action: string, ...flags: string[]): Promise<{ readonly code: number; readonly output: string }> {
    const words = ['ledger', action, '--config', join(place.dataDir, 'config.yaml'), '--data-dir', place.dataDir];
    const child = Bun.spawn([join(root, 'bin/tollgate'), ...words, ...flags], {
      env: { PATH: process.env.PATH ?? '', ...(place.url === '' ? {} : { DATABASE_URL: place.url }) },
      stdout: 'pipe',
      stderr: 'inherit',
    });
    const output = await new Response(child.stdout).text();
    return { code: await child.exited, output };
  }

  test('replay writes what a killed gateway left, and verify finds every total right', async () => {
    const gateway = await gatewayOn(place, configOf(simulator.url));
    const open = Array.from({ length: 20 }, () => chatWith(gateway, key.text).then((answer) => answer.text()));
    await Promise.all(open);
    // While the disk takes its time, records wait in memory.
    await until(async () => (await metricOf(gateway, 'tollgate_ledger_unsynced_bytes')) === 0);
    process.kill(gateway.pid, 'SIGKILL');
    await gateway.stop();
    const before = JSON.parse((await run('verify', '--json')).output);
    expect(before).toMatchObject({ ok: true, differences: [], journals: [{ entries: 20, damaged: 0 }] });
    const { code, output } = await run('replay', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(output)).toMatchObject({ written: before.journals[0].waiting, lost: 0, journals: 1 });
    expect(await place.withStore(({ read }) => read.spendLogs.count({ request_end: 'success' }))).toBe(20);
    expect(await run('replay')).toEqual({ code: 0, output: '✓ no journal was left behind.\n' });
    expect(await run('verify')).toEqual({ code: 0, output: '✓ every total is what its rows add up to.\n' });
  });

  test('verify names a total that somebody changed, and ends with 1', async () => {
    const statement = 'update litellm_verificationtoken set spend_nano = spend_nano + 7';
    if (kind === 'postgres') {
      const sql = new SQL(place.url);
      await sql.unsafe(statement);
      await sql.close();
    } else {
      const database = new Database(join(place.dataDir, 'tollgate.db'));
      database.run(statement);
      database.close();
    }
    const { code, output } = await run('verify');
    expect(code).toBe(1);
    expect(output).toMatch(/✗ entity litellm_verificationtoken key: \d+ nano-dollars are stored, \d+ are right/);
    expect(JSON.parse((await run('verify', '--json')).output)).toMatchObject({ ok: false });
  });

  test('used wrongly it says how to use it', async () => {
    expect((await run('veryfy')).code).toBe(2);
  });
});
