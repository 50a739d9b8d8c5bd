import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import type { TestGateway } from '../support/gateway.ts';
import { DATABASES } from '../support/store.ts';
import { chatWith, configOf, gatewayOn, ground, MASTER_KEY, until } from '../support/tenants.ts';

const PRLIMIT = process.platform === 'linux' ? Bun.which('prlimit') : null;
if (PRLIMIT === null)
  console.error(
    '\n!!! No prlimit on this machine (Linux, util-linux): a full disk under a whole gateway is NOT TESTED here. !!!\n',
  );

describe.if(PRLIMIT !== null).each(DATABASES)('a gateway on %s whose disk is full', (kind) => {
  let simulator: Simulator;

  beforeAll(async () => {
    simulator = await startSimulator({ logLimit: 100_000 });
  });
  afterAll(() => simulator?.stop());
  beforeEach(() => simulator.reset());

  /** From now on every file of this process may grow to so many bytes. */
  const limitFiles = ({ pid }: TestGateway, bytes: number | 'unlimited'): void => {
    const { exitCode, stderr } = Bun.spawnSync([PRLIMIT ?? '', `--pid=${pid}`, `--fsize=${bytes}:unlimited`]);
    expect(`${exitCode} ${stderr}`).toBe('0 ');
  };

  test('refuses requests in clear words, serves again when there is room, and has a row for each that went upstream', async () => {
    const place = await ground(kind);
    const gateway = await gatewayOn(place, configOf(simulator.url));
    const call = async (): Promise<{ status: number; text: string; retryAfter: string | null }> => {
      const answer = await chatWith(gateway, MASTER_KEY);
      return { status: answer.status, text: await answer.text(), retryAfter: answer.headers.get('retry-after') };
    };
    const together = () => Promise.all(Array.from({ length: 20 }, call));
    const fine = await together();
    expect(fine.filter(({ status }) => status !== 200)).toEqual([]);

    limitFiles(gateway, 0);
    const answers: Awaited<ReturnType<typeof call>>[] = [];
    const refused = () => answers.filter(({ status }) => status !== 200);
    await until(async () => {
      answers.push(...(await together()));
      return refused().length > 100;
    });
    for (const { status, text, retryAfter } of refused()) {
      expect(status).toBe(503);
      expect(text).toMatch(/could not keep their records: the disk of the data folder fails .*Free space on it/);
      expect(Number(retryAfter)).toBeGreaterThan(0);
    }
    expect((await fetch(`${gateway.url}/health/liveliness`)).status).toBe(200);

    limitFiles(gateway, 'unlimited');
    await until(async () => (await call()).status === 200, 30_000);
    expect(await gateway.stop()).toBe(0);

    await place.withStore(async ({ read, verify }) => {
      const { rows } = await read.spendLogs.list({ limit: 100_000 });
      expect(new Set(rows.map(({ request_id }) => request_id)).size).toBe(rows.length);
      expect(rows.filter(({ request_end }) => request_end === 'success')).toHaveLength(simulator.requests.length);
      expect(await verify()).toEqual([]);
    });
    await place.remove();
  }, 60_000);
});
