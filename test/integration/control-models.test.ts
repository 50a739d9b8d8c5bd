import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials as credentialsCommand } from '../../src/cli/credentials.ts';
import { loadConfig } from '../../src/config/load.ts';
import { ModelLayer } from '../../src/control/stored/layer.ts';
import { rotateSecrets } from '../../src/control/stored/rotate.ts';
import { deploymentId } from '../../src/core/ids.ts';
import { SecretBox } from '../../src/secrets/secret-box.ts';
import type { Store } from '../../src/store/store.ts';
import { openStore } from '../../src/store/store.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import { type ControlBench, startControl } from '../support/control.ts';
import { DATABASES, OPERATOR, testStore } from '../support/store.ts';

const CANARY = 'sk-canary-upstream-55d1';
const OTHER = 'sk-canary-upstream-second';
const NEW = {
  model_name: 'gpt-4o',
  litellm_params: { model: 'openai/gpt-4o', api_key: CANARY, api_base: 'https://example.com/v1', rpm: 10 },
  model_info: { id: 'model-1', mode: 'chat' },
};

describe.each(DATABASES)('models in the database on %s', (kind) => {
  let bench: ControlBench;

  beforeAll(async () => {
    bench = await startControl(kind);
  });

  afterAll(() => bench.stop());

  test('are added with LiteLLM’s fields, encrypted, and answered without their credential', async () => {
    const { status, body } = await bench.post('/model/new', NEW);
    expect([status, body.model_id, body.model_name, body.created_by]).toEqual([
      200,
      'model-1',
      'gpt-4o',
      'default_user_id',
    ]);
    expect(body.litellm_params).toEqual({ ...NEW.litellm_params, api_key: '[redacted]' });
    expect(body.model_info).toEqual({ id: 'model-1', mode: 'chat', db_model: true });
    const row = await bench.store.read.models.get('model-1');
    expect(JSON.stringify(row?.litellm_params)).not.toContain('gpt-4o');
    expect(row?.litellm_params).toMatchObject({ rpm: 10, api_key: expect.stringMatching(/^tollgate:1:/) });
    const made = await bench.post('/model/new', {
      model_name: 'x',
      litellm_params: { model: 'openai/x', api_key: CANARY },
    });
    expect(made.body.model_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('are refused before they are stored when nobody could use them', async () => {
    for (const [sent, words] of [
      [
        { ...NEW, model_info: { id: 'bad' }, litellm_params: { model: 'opnai/x', api_key: CANARY } },
        'no provider for opnai/x',
      ],
      [{ ...NEW, model_info: { id: 'bad' }, litellm_params: { model: 'openai/x', rpm: 'many' } }, 'rpm must be'],
      [{ ...NEW, model_info: { id: 'of-the-file' } }, 'configuration file'],
      [NEW, 'already exists'],
    ] as const) {
      const { status, body } = await bench.post('/model/new', sent);
      expect([status, body.error.message]).toEqual([400, expect.stringContaining(words)]);
    }
    expect(await bench.store.read.models.get('bad')).toBeNull();
    expect((await bench.post('/model/new', { model_name: 'x' })).status).toBe(422);
  });

  test('are changed in part by both routes; what is not sent stays, null takes away', async () => {
    const patched = await bench.ask('PATCH', '/model/model-1/update', { litellm_params: { rpm: 20, api_base: null } });
    expect(patched.body.litellm_params).toEqual({ model: 'openai/gpt-4o', api_key: '[redacted]', rpm: 20 });
    const updated = await bench.post('/model/update', {
      model_info: { id: 'model-1', tier: 'paid' },
      model_name: 'renamed',
    });
    expect(updated.body).toMatchObject({
      model_name: 'renamed',
      model_info: { mode: 'chat', tier: 'paid', db_model: true },
    });
    expect((await bench.ask('PATCH', '/model/nobody/update', {})).status).toBe(404);
    expect((await bench.post('/model/update', { model_info: { id: 'nobody' } })).status).toBe(400);
    expect((await bench.ask('PATCH', '/model/of-the-file/update', {})).status).toBe(400);
    const bad = await bench.ask('PATCH', '/model/model-1/update', { litellm_params: { model: 'opnai/x' } });
    expect(bad.status).toBe(400);
  });

  test('credentials are kept, listed masked, changed in part and deleted', async () => {
    const made = await bench.post('/credentials', {
      credential_name: 'prod',
      credential_values: { api_key: CANARY, api_base: 'https://example.com/v1' },
      credential_info: { description: 'ours' },
    });
    expect(made.body).toEqual({ success: true, message: 'Credential created successfully' });
    expect((await bench.post('/credentials', { credential_name: 'prod', credential_values: {} })).status).toBe(400);
    const shown = {
      credential_name: 'prod',
      credential_values: { api_key: '[redacted]', api_base: 'https://example.com/v1' },
      credential_info: { description: 'ours' },
    };
    expect((await bench.get('/credentials')).body).toEqual({ success: true, credentials: [shown] });
    expect((await bench.get('/credentials/by_name/prod')).body).toEqual(shown);
    await bench.ask('PATCH', '/credentials/prod', { credential_values: { api_key: OTHER, api_base: null } });
    expect((await bench.get('/credentials/by_name/prod')).body.credential_values).toEqual({ api_key: '[redacted]' });
    expect((await bench.get('/credentials/by_model/model-1')).body.credential_values).toMatchObject({
      api_key: '[redacted]',
    });
    await bench.post('/credentials', { credential_name: 'of-model', model_id: 'model-1' });
    expect((await bench.ask('DELETE', '/credentials/of-model')).status).toBe(200);
    expect((await bench.ask('DELETE', '/credentials/of-model')).status).toBe(404);
  });

  test('are deleted', async () => {
    expect((await bench.post('/model/delete', { id: 'model-1' })).body).toEqual({
      message: 'Model: model-1 deleted successfully',
    });
    expect((await bench.post('/model/delete', { id: 'model-1' })).status).toBe(400);
    expect((await bench.post('/model/delete', { id: 'of-the-file' })).body.error.message).toContain(
      'configuration file',
    );
  });

  test('are nobody’s but an admin’s, and not there where they are not enabled', async () => {
    await bench.store.change(OPERATOR, ({ keys }) =>
      keys.create({ token: new Bun.CryptoHasher('sha256').update('sk-somebody').digest('hex'), key_id: 'somebody' }),
    );
    for (const [method, path] of [
      ['POST', '/model/new'],
      ['POST', '/model/update'],
      ['POST', '/model/delete'],
      ['PATCH', '/model/x/update'],
      ['POST', '/credentials'],
      ['GET', '/credentials'],
      ['DELETE', '/credentials/x'],
    ] as const)
      expect([
        path,
        (await bench.ask(method, path, method === 'GET' ? undefined : NEW, { key: 'sk-somebody' })).status,
      ]).toEqual([path, 403]);
    bench.storesModels = false;
    const { status, body } = await bench.post('/model/new', NEW);
    bench.storesModels = true;
    expect([status, body.error.message]).toEqual([400, expect.stringContaining("STORE_MODEL_IN_DB='True'")]);
  });

  test('show no credential in any answer, head, fault or audit row', async () => {
    await bench.post('/model/new', { ...NEW, litellm_params: { model: 5, api_key: CANARY } });
    await bench.post('/model/new', {
      ...NEW,
      model_info: { id: 'x' },
      litellm_params: { model: 'openai/x', rpm: CANARY },
    });
    const audit = await bench.store.read.audit.list({ limit: 1_000 });
    expect(audit.rows.length).toBeGreaterThan(8);
    const everything = JSON.stringify([
      bench.said,
      audit.rows,
      (await bench.store.read.models.list({ limit: 100 })).rows,
    ]);
    expect(everything).toContain('[redacted]');
    for (const canary of [CANARY, OTHER]) expect(everything).not.toContain(canary);
    expect(bench.faults).toEqual([]);
  });
});

describe.each(DATABASES)('the layer of the database on %s', (kind) => {
  const box = new SecretBox('salt-of-the-tests');

  const layerOn = async (store: Store) => {
    let changed = 0;
    const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
    const layer = await ModelLayer.open({
      store,
      box,
      clock: systemClock,
      onChange() {
        changed += 1;
        for (const { count, resolve } of waiting) if (changed >= count) resolve();
      },
      log: { unreadable() {}, away() {} },
    });
    const until = (count: number) =>
      new Promise<void>((resolve) => (changed >= count ? resolve() : waiting.push({ count, resolve })));
    return { layer, until };
  };

  const fingerprintOf = (layer: ModelLayer): string => {
    const env = { STORE_MODEL_IN_DB: 'true', LITELLM_MASTER_KEY: 'sk-master-0123456789' };
    const loaded = loadConfig({
      path: null,
      readFile: () => '',
      env,
      strict: false,
      demo: null,
      stored: layer.current,
    });
    return loaded.kind === 'loaded' ? loaded.snapshot.fingerprint : 'invalid';
  };

  test('comes to the same snapshot on every instance within a second, whoever makes the change', async () => {
    const opened = await testStore(kind);
    const [first, second] = [opened.store, await opened.another()];
    const [one, two] = [await layerOn(first), await layerOn(second)];
    const empty = fingerprintOf(one.layer);
    const started = performance.now();
    await first.change(OPERATOR, ({ models }) =>
      models.create({
        model_id: 'a',
        model_name: 'gpt-4o',
        litellm_params: { model: box.seal('openai/gpt-4o', 'litellm_modeltable/a/model') },
      }),
    );
    await Promise.all([one.until(1), two.until(1)]);
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(one.layer.current.models).toEqual([
      { id: 'a', name: 'gpt-4o', params: { model: 'openai/gpt-4o' }, info: {}, problem: null },
    ]);
    expect(fingerprintOf(one.layer)).toBe(fingerprintOf(two.layer));
    expect(fingerprintOf(one.layer)).not.toBe(empty);
    await second.change(OPERATOR, ({ models }) => models.delete('a'));
    await Promise.all([one.until(2), two.until(2)]);
    expect(one.layer.current.models).toEqual([]);
    for (const { layer } of [one, two]) layer.close();
    await opened.remove();
  });

  test('disables rows that it cannot decrypt, with the reason', async () => {
    const opened = await testStore(kind);
    const foreign = new SecretBox('another salt');
    await opened.store.change(OPERATOR, async ({ models }) => {
      await models.create({
        model_id: 'a',
        model_name: 'm',
        litellm_params: { model: foreign.seal('openai/x', 'litellm_modeltable/a/model') },
      });
      await models.create({ model_id: 'b', model_name: 'm', litellm_params: { model: 'openai/in-clear' } });
    });
    const { layer } = await layerOn(opened.store);
    expect(layer.current.models.map(({ id, problem }) => [id, problem])).toEqual([
      ['a', expect.stringContaining(foreign.keyId)],
      ['b', expect.stringContaining('was not encrypted by Tollgate')],
    ]);
    const env = { STORE_MODEL_IN_DB: 'true', LITELLM_MASTER_KEY: 'sk-master-0123456789' };
    const loaded = loadConfig({
      path: null,
      readFile: () => '',
      env,
      strict: false,
      demo: null,
      stored: layer.current,
    });
    if (loaded.kind === 'invalid') throw new Error('invalid');
    expect(loaded.snapshot.deployments.get(deploymentId('a'))?.disabled?.message).toContain('cannot be read');
    layer.close();
    await opened.remove();
  });

  test('is encrypted anew under another key, all rows or none', async () => {
    const opened = await testStore(kind);
    const { store } = opened;
    const [old, next] = [new SecretBox('old'), new SecretBox('new', ['old'])];
    await store.change(OPERATOR, async ({ models, credentials }) => {
      await models.create({
        model_id: 'a',
        model_name: 'm',
        litellm_params: { api_key: old.seal(CANARY, 'litellm_modeltable/a/api_key') },
      });
      const values = { api_key: old.seal(CANARY, 'litellm_credentialstable/c/api_key') };
      await credentials.create({ credential_id: 'c', credential_name: 'prod', credential_values: values });
    });
    expect(await rotateSecrets(store, next, OPERATOR)).toEqual({ kind: 'rotated', models: 1, credentials: 1 });
    const alone = new SecretBox('new');
    const row = await store.read.models.get('a');
    expect(alone.open(String(row?.litellm_params.api_key), 'litellm_modeltable/a/api_key')).toEqual({
      kind: 'opened',
      text: CANARY,
    });
    // A row that no key opens: nothing changes, not even the others.
    await store.change(OPERATOR, ({ models }) =>
      models.create({
        model_id: 'z',
        model_name: 'lost',
        litellm_params: { model: new SecretBox('x').seal('y', 'litellm_modeltable/z/model') },
      }),
    );
    const before = JSON.stringify((await store.read.credentials.list({ limit: 9 })).rows);
    expect(await rotateSecrets(store, new SecretBox('newest', ['new']), OPERATOR)).toEqual({
      kind: 'unreadable',
      rows: [expect.stringContaining('lost (z)')],
    });
    expect(JSON.stringify((await store.read.credentials.list({ limit: 9 })).rows)).toBe(before);
    await opened.remove();
  });
});

test('tollgate credentials rotate changes the key of the embedded database, and says what it could not read', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'tollgate-test-'));
  const old = new SecretBox('old-salt');
  const store = await openStore({ clock: systemClock, postgres: null, dataDir });
  await store.change(OPERATOR, ({ models }) =>
    models.create({
      model_id: 'a',
      model_name: 'm',
      litellm_params: { api_key: old.seal(CANARY, 'litellm_modeltable/a/api_key') },
    }),
  );
  await store.close();
  const run = async (env: Record<string, string>, ...words: readonly string[]) => {
    let out = '';
    const write = (text: string): void => {
      out += text;
    };
    const code = await credentialsCommand([...words, '--data-dir', dataDir], {
      env,
      readFile: () => '',
      write,
      writeError: write,
    });
    return { code, out };
  };
  expect(await run({ LITELLM_SALT_KEY: 'new-salt' }, 'rotate')).toEqual({
    code: 1,
    out: expect.stringContaining(old.keyId),
  });
  const done = await run({ LITELLM_SALT_KEY: 'new-salt', LITELLM_SALT_KEY_PREVIOUS: 'old-salt' }, 'rotate');
  expect(done).toEqual({ code: 0, out: expect.stringContaining('1 models and 0 credentials') });
  expect((await run({ LITELLM_SALT_KEY: 'new-salt' }, 'rotate', '--json')).code).toBe(0);
  expect((await run({}, 'rotate')).code).toBe(1);
  expect((await run({}, 'turn')).code).toBe(2);
  expect(done.out).not.toContain(CANARY);
  rmSync(dataDir, { recursive: true, force: true });
});
