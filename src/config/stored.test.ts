import { describe, expect, test } from 'bun:test';
import { deploymentId, groupName } from '../core/ids.ts';
import { checkStored, type Loaded, type LoadOptions, loadConfig } from './load.ts';
import type { StoredLayer, StoredModel } from './stored.ts';

const CANARY = 'sk-canary-stored-0123456789';

const FILE = `
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY}
    model_info: {id: of-the-file}
  - model_name: by-credential
    litellm_params: {model: openai/gpt-4o, litellm_credential_name: kept}
    model_info: {id: credentialed}
router_settings:
  fallbacks: [{gpt-4o: [stored]}]
general_settings: {store_model_in_db: true}
`;

const model = (id: string, more: Partial<StoredModel> = {}): StoredModel => ({
  id,
  name: 'stored',
  params: { model: 'openai/gpt-4o', api_key: CANARY },
  info: {},
  problem: null,
  ...more,
});

const layer = (...models: readonly StoredModel[]): StoredLayer => ({
  models,
  credentials: [{ name: 'kept', values: { api_key: CANARY, api_base: 'https://example.com/v1' } }],
  fingerprint: `of ${models.length}`,
});

const options = (stored: StoredLayer | null, text = FILE, env: LoadOptions['env'] = {}): LoadOptions => ({
  path: 'config.yaml',
  text,
  readFile: () => '',
  env: { OPENAI_API_KEY: 'sk-of-the-environment', LITELLM_MASTER_KEY: 'sk-master-0123456789', ...env },
  strict: false,
  demo: null,
  stored,
});

function load(stored: StoredLayer | null, text = FILE, env: LoadOptions['env'] = {}): Loaded {
  const loaded = loadConfig(options(stored, text, env));
  if (loaded.kind === 'invalid') throw new Error(JSON.stringify(loaded.findings));
  return loaded;
}

const deployment = (loaded: Loaded, id: string) => loaded.snapshot.deployments.get(deploymentId(id));

describe('models of the database', () => {
  test('stand beside those of the file, in the same groups, and say whose they are', () => {
    const loaded = load(layer(model('db-1'), model('db-2', { name: 'gpt-4o' })));
    expect(
      loaded.snapshot.groups.get(groupName('gpt-4o'))?.deployments.map(({ id, isStored }) => `${id} ${isStored}`),
    ).toEqual(['of-the-file false', 'db-2 true']);
    expect(deployment(loaded, 'db-1')).toMatchObject({
      group: 'stored',
      provider: 'openai',
      disabled: null,
      isStored: true,
    });
    expect(deployment(loaded, 'db-1')?.upstream.apiKey?.reveal()).toBe(CANARY);
    // The fallback of the file to a group of the database is no mistake.
    expect(loaded.findings.map(({ message }) => message)).toEqual([]);
  });

  test('count only where store_model_in_db or STORE_MODEL_IN_DB says so', () => {
    const without = FILE.replace('general_settings: {store_model_in_db: true}', '');
    expect(deployment(load(layer(model('db-1')), without), 'db-1')).toBeUndefined();
    expect(deployment(load(layer(model('db-1')), without, { STORE_MODEL_IN_DB: 'True' }), 'db-1')).toBeDefined();
  });

  test.each([
    ['of a wrong shape', { params: { model: 'openai/gpt-4o', rpm: 'many' } }, 'rpm must be'],
    ['without a model', { params: {} }, 'model is missing'],
    ['of an unknown provider', { params: { model: 'opnai/gpt-4o' } }, 'no provider for opnai/gpt-4o'],
    ['with a credential that is not there', { params: { model: 'openai/x', litellm_credential_name: 'gone' } }, 'gone'],
    ['that could not be decrypted', { params: {}, problem: 'its parameters cannot be read' }, 'cannot be read'],
    ['that is blocked', { info: { blocked: true } }, 'blocked'],
  ] as const)('%s are disabled with the reason, and take nothing with them', (_, more, words) => {
    const loaded = load(layer(model('bad', more as Partial<StoredModel>), model('good')));
    expect(deployment(loaded, 'bad')).toMatchObject({ isStored: true });
    expect(deployment(loaded, 'bad')?.disabled?.message ?? '').toContain(words);
    expect(deployment(loaded, 'good')?.disabled).toBeNull();
    expect(deployment(loaded, 'of-the-file')?.disabled).toBeNull();
  });

  test('with an id of the file’s are left out with a warning: the file goes first', () => {
    const loaded = load(layer(model('of-the-file')));
    expect(deployment(loaded, 'of-the-file')?.isStored).toBe(false);
    expect(loaded.findings.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('which the file uses'),
    );
  });

  test('show no credential in findings, parameters or reasons', () => {
    const bad = model('bad', { params: { model: 'openai/x', rpm: CANARY, api_key: CANARY, headers: { a: CANARY } } });
    const loaded = load(layer(model('db-1'), bad));
    const shown = [...loaded.snapshot.deployments.values()].map(({ info, publicParams, disabled }) => [
      info,
      publicParams,
      disabled,
    ]);
    expect(JSON.stringify([shown, loaded.findings])).not.toContain(CANARY);
  });
});

test('credentials of the database serve both layers, those of the file go before', () => {
  expect(deployment(load(layer()), 'credentialed')).toMatchObject({
    disabled: null,
    upstream: { baseUrl: 'https://example.com/v1' },
  });
  const own = `${FILE}credential_list:\n  - {credential_name: kept, credential_values: {api_key: sk-own, api_base: 'https://own.example/v1'}}\n`;
  expect(deployment(load(layer(), own), 'credentialed')?.upstream.baseUrl).toBe('https://own.example/v1');
  expect(deployment(load(null), 'credentialed')?.disabled?.message).toContain('no credential named kept');
});

test('a credential of the wrong shape disables who names it, and nothing else', () => {
  const broken = { ...layer(), credentials: [{ name: 'kept', values: { api_key: { deep: CANARY } } }] };
  const loaded = load(broken);
  expect(deployment(loaded, 'credentialed')?.disabled?.message).toContain('no credential named kept');
  expect(deployment(loaded, 'of-the-file')?.disabled).toBeNull();
});

test('the fingerprint is of both layers, that of the files of the files alone', () => {
  const [none, one, two] = [load(null), load(layer(model('a'))), load(layer(model('a'), model('b')))];
  expect(none.snapshot.fingerprint).toBe(none.filesFingerprint);
  expect(new Set([none, one, two].map(({ snapshot }) => snapshot.fingerprint)).size).toBe(3);
  expect(new Set([none, one, two].map(({ filesFingerprint }) => filesFingerprint)).size).toBe(1);
});

describe('what is asked before a model is stored', () => {
  test.each([
    ['a good one', {}, null],
    ['one whose variable is not set yet', { params: { model: 'anthropic/claude-x' } }, null],
    ['one that is blocked on purpose', { info: { blocked: true } }, null],
    ['an unknown provider', { params: { model: 'opnai/gpt-4o' } }, 'no provider for opnai/gpt-4o'],
    ['a wrong shape', { params: { model: 'openai/x', timeout: 'long' } }, 'timeout must be'],
    ['a bad address', { params: { model: 'openai/x', api_base: 'ftp://x' } }, 'api_base'],
    ['an unknown credential', { params: { model: 'openai/x', litellm_credential_name: 'gone' } }, 'gone'],
  ] as const)('%s', (_, more, words) => {
    const problem = checkStored(model('new', more as Partial<StoredModel>), options(layer()));
    if (words === null) expect(problem).toBeNull();
    else expect(problem).toContain(words);
  });
});
