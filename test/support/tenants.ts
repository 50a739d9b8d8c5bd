import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writers } from '../../src/store/resources/resources.ts';
import type { KeyPatch } from '../../src/store/schema/identity.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import { MASTER_KEY, startGateway, type TestGateway } from './gateway.ts';
import { testDatabase } from './postgres/database.ts';
import { OPERATOR } from './store.ts';

/** A virtual key as its owner has it, and as the store knows it. */
export interface TestKey {
  readonly text: string;
  readonly token: string;
  readonly id: string;
}

/** Makes a key with what differs from one that may do everything. */
export async function createKey({ keys }: Pick<Writers, 'keys'>, id: string, words: KeyPatch = {}): Promise<TestKey> {
  const text = `sk-${randomBytes(16).toString('base64url')}`;
  const token = hash('sha256', text);
  await keys.create({ token, key_id: id, key_name: `sk-...${text.slice(-4)}`, ...words });
  return { text, token, id };
}

/** A place for the data of gateways, which may be started one after the other, or, on PostgreSQL, side by side. */
export interface Ground {
  readonly kind: 'sqlite' | 'postgres';
  /** `DATABASE_URL`, empty for the embedded database. */
  readonly url: string;
  readonly dataDir: string;
  /** Works on the store of the gateways; on SQLite, which has one owner, while none of them runs. */
  withStore<T>(work: (store: Store) => Promise<T>): Promise<T>;
  remove(): Promise<void>;
}

/** @param url of a PostgreSQL database of the test's own; made when it is not given */
export async function ground(kind: Ground['kind'], url: string | null = null): Promise<Ground> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tollgate-ground-'));
  const database = kind === 'postgres' && url === null ? await testDatabase() : null;
  const address = kind === 'sqlite' ? '' : (url ?? database?.url ?? '');
  return {
    kind,
    url: address,
    dataDir,
    async withStore(work) {
      const postgres = kind === 'sqlite' ? null : { url: address };
      const store = await openStore({ clock: systemClock, postgres, dataDir });
      try {
        return await work(store);
      } finally {
        await store.close();
      }
    },
    async remove() {
      await database?.drop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** A gateway on this ground; `--data-dir` given twice, the last counts. */
export function gatewayOn(place: Ground, config: string, dataDir = place.dataDir): Promise<TestGateway> {
  const env = { KEY: 'sk-none', TOLLGATE_DEMO: 'false', ...(place.url === '' ? {} : { DATABASE_URL: place.url }) };
  return startGateway(config, env, ['--data-dir', dataDir]);
}

/** One nano-dollar a token of the prompt, two a token of the answer, 1,000 a request. */
export function configOf(simulatorUrl: string, more = ''): string {
  const model = (name: string) => `
  - model_name: ${name}
    litellm_params:
      model: openai/gpt-4o
      api_base: ${simulatorUrl}/v1
      api_key: os.environ/KEY
      input_cost_per_token: 0.000001
      output_cost_per_token: 0.000002`;
  return `model_list:${model('small')}${model('large')}\nlitellm_settings: {num_retries: 0}\n${more}`;
}

/** The change that an operator makes. */
export const changing = <T>(store: Store, work: (writers: Writers) => Promise<T>): Promise<T> =>
  store.change(OPERATOR, work);

/** Waits for something that takes a moment; gives the milliseconds that it took. */
export async function until(isSo: () => boolean | Promise<boolean>, patience = 15_000): Promise<number> {
  const start = performance.now();
  while (!(await isSo())) {
    if (performance.now() - start > patience) throw new Error(`it was not so within ${patience} ms: ${isSo}`);
    await Bun.sleep(10);
  }
  return performance.now() - start;
}

/** The value of a metric without labels, or with these. */
export async function metricOf(gateway: TestGateway, series: string): Promise<number> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  if (line === undefined) throw new Error(`there is no ${series}`);
  return Number(line.slice(series.length + 1));
}

/** A chat request with a key. */
export const chatWith = (gateway: TestGateway, key: string, body: Record<string, unknown> = {}): Promise<Response> =>
  gateway.chat({ model: 'small', max_tokens: 50, ...body }, { authorization: `Bearer ${key}` });

export { MASTER_KEY };
