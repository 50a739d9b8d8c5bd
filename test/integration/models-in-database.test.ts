import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { sealJson } from '../../src/secrets/sealed-json.ts';
import { SecretBox } from '../../src/secrets/secret-box.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import { MASTER_KEY, startGateway, type TestGateway } from '../support/gateway.ts';
import { type TestDatabase, testDatabase } from '../support/postgres/database.ts';
import { OPERATOR } from '../support/store.ts';

const CANARY = 'sk-canary-of-a-stored-model';
const SALT = 'salt-of-the-stored-models';
const FILE = `
model_list:
  - model_name: of-the-file
    litellm_params: {model: openai/gpt-4o, mock_response: from the file}
    model_info: {id: of-the-file}
general_settings: {store_model_in_db: true}
`;

interface Readiness {
  readonly config: { readonly version: number; readonly fingerprint: string };
}

describe('models in the database', () => {
  let database: TestDatabase;
  let store: Store;
  let simulator: Simulator;
  let gateways: readonly TestGateway[];
  const box = new SecretBox(SALT);

  const keep = (id: string, name: string, params: Record<string, string>) =>
    store.change(OPERATOR, ({ models }) =>
      models.create({
        model_id: id,
        model_name: name,
        litellm_params: sealJson(box, params, `litellm_modeltable/${id}`),
      }),
    );

  const readiness = async (gateway: TestGateway): Promise<Readiness> =>
    (await (await fetch(`${gateway.url}/health/readiness`)).json()) as Readiness;

  /** Until every gateway runs the same configuration, which is not this one; a second at most. */
  const converged = async (before: string): Promise<string> => {
    const deadline = performance.now() + 2_000;
    for (;;) {
      const found = await Promise.all(gateways.map(readiness));
      const [fingerprint = '', ...others] = new Set(found.map(({ config }) => config.fingerprint));
      if (others.length === 0 && fingerprint !== before) return fingerprint;
      if (performance.now() > deadline) throw new Error(`no common configuration: ${JSON.stringify(found)}`);
      await Bun.sleep(20);
    }
  };

  const infoOf = async (gateway: TestGateway) => {
    const response = await fetch(`${gateway.url}/model/info`, { headers: { authorization: `Bearer ${MASTER_KEY}` } });
    const { data } = (await response.json()) as {
      data: { model_info: { id: string; db_model: boolean; disabled?: string } }[];
    };
    return data.map(({ model_info }) => model_info);
  };

  beforeAll(async () => {
    database = await testDatabase();
    store = await openStore({ clock: systemClock, postgres: { url: database.url }, dataDir: '' });
    simulator = await startSimulator({});
    const env = { DATABASE_URL: database.url, LITELLM_SALT_KEY: SALT };
    gateways = await Promise.all([startGateway(FILE, env), startGateway(FILE, env)]);
  });

  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await simulator.stop();
    await store.close();
    await database.drop();
  });

  test('are served by every instance without a restart, from the same snapshot', async () => {
    const before = await converged('');
    await keep('stored', 'kept', { model: 'openai/gpt-4o', api_key: CANARY, api_base: `${simulator.url}/v1` });
    const after = await converged(before);
    for (const gateway of gateways) {
      const answer = await gateway.chat({ model: 'kept' });
      expect([answer.status, answer.headers.get('x-litellm-model-id')]).toEqual([200, 'stored']);
      expect((await infoOf(gateway)).map(({ id, db_model }) => [id, db_model])).toEqual([
        ['of-the-file', false],
        ['stored', true],
      ]);
      expect((await readiness(gateway)).config).toMatchObject({ version: 2, fingerprint: after });
    }
  });

  test('that are bad are disabled with their reason, and take no other with them', async () => {
    const before = await converged('');
    await store.change(OPERATOR, ({ models }) =>
      models.create({
        model_id: 'in-clear',
        model_name: 'bad',
        litellm_params: { model: 'openai/x', api_key: CANARY },
      }),
    );
    await converged(before);
    for (const gateway of gateways) {
      expect((await infoOf(gateway)).find(({ id }) => id === 'in-clear')?.disabled).toContain('cannot be read');
      expect((await gateway.chat({ model: 'kept' })).status).toBe(200);
      expect((await gateway.chat({ model: 'of-the-file' })).status).toBe(200);
      expect((await gateway.chat({ model: 'bad' })).status).toBe(503);
    }
  });

  test('are added over HTTP, served at once by the instance that was asked and within a second by the others', async () => {
    const before = await converged('');
    const [first] = gateways;
    const params = { model: 'openai/gpt-4o', api_key: CANARY, api_base: `${simulator.url}/v1` };
    const made = await first?.post('/model/new', { model_name: 'posted', litellm_params: params });
    expect([made?.status, await made?.text()]).toEqual([200, expect.not.stringContaining(CANARY)]);
    expect((await first?.chat({ model: 'posted' }))?.status).toBe(200);
    await converged(before);
    for (const gateway of gateways) expect((await gateway.chat({ model: 'posted' })).status).toBe(200);
  });

  test('stay when the file is edited', async () => {
    const before = await converged('');
    for (const { configPath } of gateways) writeFileSync(configPath, `${FILE}\nrouter_settings: {num_retries: 1}\n`);
    await converged(before);
    for (const gateway of gateways) expect((await gateway.chat({ model: 'kept' })).status).toBe(200);
  });

  test('are there at the next start, in its first version', async () => {
    const env = { DATABASE_URL: database.url, LITELLM_SALT_KEY: SALT };
    const next = await startGateway(FILE, env);
    expect((await next.chat({ model: 'kept' })).status).toBe(200);
    expect((await readiness(next)).config.version).toBe(1);
    await next.stop();
  });

  test('go when they are deleted', async () => {
    const before = await converged('');
    await store.change(OPERATOR, ({ models }) => models.delete('stored'));
    await converged(before);
    for (const gateway of gateways) expect((await gateway.chat({ model: 'kept' })).status).toBe(400);
  });

  test('leave no credential in any log', () => {
    for (const gateway of gateways) {
      expect(gateway.output()).toContain('configuration swapped');
      for (const secret of [CANARY, SALT]) expect(gateway.output()).not.toContain(secret);
    }
  });
});
