import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SQL } from 'bun';
import { ROUTES } from '../../src/control/registry.ts';
import { MASTER_KEY, startGateway, type TestGateway } from '../support/gateway.ts';
import { type TestDatabase, testDatabase } from '../support/postgres/database.ts';
import { filesBelow, secretsIn, spellingsOf, tablesOf } from '../support/secret-search.ts';
import { until } from '../support/tenants.ts';

/** Secrets that a gateway is given; each with signs that URLs and JSON write differently. */
const SECRETS = {
  'master key': MASTER_KEY,
  'salt key': 'canary-salt/4f1c+9d0e7b3a2==',
  'key of a provider from the environment': 'sk-canary-environment-61aa83',
  'key of a provider in the file': 'sk-canary-in-the-file-07bd55',
  'key of a provider of a stored model': 'sk-canary-stored-model-b2c9',
  'key of a stored credential': 'sk-canary-stored-credential-e8',
  'password of the database': 'canary-database-p4ssw0rd',
  'secret of the webhook': 'canary-webhook-secret-77f0',
  'path of the webhook': 'canary-webhook-path-3c1d',
  'key that a client brings for a provider': 'sk-canary-client-side-9a21',
  'password in an address that a client brings': 'canary-address-password-6fd2',
  'key that nobody has': 'sk-canary-unknown-key-55c4',
  'password of an outbound proxy': 'canary-proxy-password-12ab',
  'words of a prompt': 'canary prompt: the patient is called Ada',
  'words of an answer': 'canary answer: she has the flu',
} as const;

/** A provider that repeats the credential it was sent in every error, as some do. */
function echoingProvider() {
  return Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const body = (await request.json()) as { model: string; stream?: boolean };
      const credential = request.headers.get('authorization');
      const status = Number(/fail-(\d+)/.exec(body.model)?.[1] ?? 200);
      if (status !== 200) {
        const message = `Incorrect API key provided: ${credential}.`;
        return Response.json(
          { error: { message, type: 'invalid_request_error', code: 'invalid_api_key' } },
          { status },
        );
      }
      if (body.stream === true)
        return new Response(`data: {"error":{"message":"bad key ${credential}"}}\n\n`, {
          headers: { 'content-type': 'text/event-stream' },
        });
      return Response.json({
        ...{ id: 'x', object: 'chat.completion', created: 1, model: body.model },
        choices: [
          { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: SECRETS['words of an answer'] } },
        ],
        usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
      });
    },
  });
}

describe('secrets given to a gateway on PostgreSQL', () => {
  let database: TestDatabase;
  let provider: ReturnType<typeof echoingProvider>;
  let webhook: ReturnType<typeof Bun.serve>;
  let gateway: TestGateway;
  let role: string;
  /** What was answered and is no secret by right: every answer but those that hand out a new key. */
  const answers: { readonly to: string; readonly said: string }[] = [];
  const virtualKeys: Record<string, string> = {};

  const file = (more = ''): string => `model_list:
  - {model_name: environment, litellm_params: {model: openai/works, api_key: os.environ/PROVIDER_KEY, api_base: "${provider.url}v1"}}
  - {model_name: in-file, litellm_params: {model: openai/works, api_key: ${SECRETS['key of a provider in the file']}, api_base: "${provider.url}v1"}}
  - {model_name: refused, litellm_params: {model: openai/fail-401, api_key: os.environ/PROVIDER_KEY, api_base: "${provider.url}v1"}}
  - {model_name: broken, litellm_params: {model: openai/fail-500, api_key: os.environ/PROVIDER_KEY, api_base: "${provider.url}v1"}}
  - {model_name: nowhere, litellm_params: {model: openai/works, api_key: os.environ/PROVIDER_KEY, api_base: "http://127.0.0.1:1/v1"}}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY, store_model_in_db: true, allow_client_side_credentials: true}
litellm_settings: {num_retries: 1}
${more}`;

  async function ask(method: string, path: string, body?: unknown, key: string = MASTER_KEY): Promise<string> {
    const response = await fetch(gateway.url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();
    const isNewKey = response.status === 200 && /"key":\s*"sk-/.test(text);
    if (!isNewKey) answers.push({ to: `${method} ${path}`, said: `${JSON.stringify([...response.headers])} ${text}` });
    return text;
  }

  const prompt = (model: string, more: object = {}): object => ({
    model,
    messages: [{ role: 'user', content: SECRETS['words of a prompt'] }],
    ...more,
  });

  /** A chat whose answer may hold the model's words, which are the client's. */
  async function chat(model: string, key = MASTER_KEY, more: object = {}): Promise<void> {
    const response = await gateway.post('/v1/chat/completions', prompt(model, more), {
      authorization: `Bearer ${key}`,
    });
    const text = (await response.text()).replaceAll(SECRETS['words of an answer'], '');
    answers.push({ to: `chat ${model}`, said: `${JSON.stringify([...response.headers])} ${text}` });
  }

  beforeAll(async () => {
    database = await testDatabase();
    provider = echoingProvider();
    webhook = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('no', { status: 500 }) });
    role = `canary_${crypto.randomUUID().slice(0, 8)}`;
    const admin = new SQL(database.url, { max: 1 });
    await admin.unsafe(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD '${SECRETS['password of the database']}'`);
    await admin.close();
    const address = new URL(database.url);
    address.username = role;
    address.password = SECRETS['password of the database'];
    const proxy = `http://someone:${SECRETS['password of an outbound proxy']}@127.0.0.1:1`;
    const env = {
      ...{ DATABASE_URL: address.href, LITELLM_SALT_KEY: SECRETS['salt key'] },
      PROVIDER_KEY: SECRETS['key of a provider from the environment'],
      LITELLM_BUDGET_ALERT_WEBHOOK: `${webhook.url}${SECRETS['path of the webhook']}`,
      LITELLM_BUDGET_ALERT_SECRET: SECRETS['secret of the webhook'],
      ...{ HTTPS_PROXY: proxy, NO_PROXY: '127.0.0.1' },
    };
    gateway = await startGateway('model_list: []', env, ['--detailed_debug']);
    writeFileSync(gateway.configPath, file());
    await gateway.until('configuration swapped');
  });

  afterAll(async () => {
    await gateway.stop();
    await Promise.all([provider.stop(true), webhook.stop(true)]);
    const admin = new SQL(database.url, { max: 1 });
    await admin.unsafe(`REASSIGN OWNED BY ${role} TO CURRENT_USER; DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await admin.close();
    await database.drop();
  });

  test('are used for everything that a gateway does with them', async () => {
    const params = (api_key: string) => ({ model: 'openai/works', api_key, api_base: `${provider.url}v1` });
    await ask('POST', '/model/new', {
      model_name: 'stored',
      litellm_params: params(SECRETS['key of a provider of a stored model']),
    });
    const values = { api_key: SECRETS['key of a stored credential'], api_base: `${provider.url}v1` };
    await ask('POST', '/credentials', { credential_name: 'c', credential_values: values, credential_info: {} });
    const withCredential = { model: 'openai/works', litellm_credential_name: 'c' };
    await ask('POST', '/model/new', { model_name: 'with-credential', litellm_params: withCredential });
    for (const [name, fields] of Object.entries({
      'virtual key': { key_alias: 'canary-alias', max_budget: 0.000001, metadata: { a: 1 } },
      'blocked virtual key': { blocked: true },
      'expired virtual key': { duration: '1s' },
    }))
      virtualKeys[name] = (JSON.parse(await ask('POST', '/key/generate', fields)) as { key: string }).key;
    const mine = virtualKeys['virtual key'] ?? '';
    const models = ['environment', 'in-file', 'stored', 'with-credential', 'refused', 'broken', 'nowhere', 'unknown'];
    for (const model of models) {
      await chat(model, mine);
      await chat(model);
      await chat(model, MASTER_KEY, { stream: true });
    }
    for (const key of [...Object.values(virtualKeys), SECRETS['key that nobody has']]) await chat('environment', key);
    await chat('refused', MASTER_KEY, { api_key: SECRETS['key that a client brings for a provider'] });
    const own = new URL(`${provider.url}v1`);
    own.username = 'someone';
    own.password = SECRETS['password in an address that a client brings'];
    await chat('environment', MASTER_KEY, { api_base: own.href, api_key: 'sk-of-a-client' });
    await chat('environment', MASTER_KEY, { mock_response: 5, timeout: 'soon', user: 'someone' });
    expect(answers.filter(({ to }) => to === 'chat environment').length).toBeGreaterThan(5);
  });

  test('are in the wrong place: broken bodies, wrong fields, paths and queries', async () => {
    const stored = SECRETS['key of a provider of a stored model'];
    for (const body of [`{"api_key": "${stored}`, `[${JSON.stringify(stored)}]`, { key: { a: stored } }, { keys: 5 }])
      for (const path of ['/key/generate', '/model/new', '/credentials', '/key/delete', '/v1/chat/completions'])
        await ask('POST', path, body);
    await ask('POST', '/model/new', { model_name: 'x', litellm_params: { model: 5, rpm: stored, api_key: stored } });
    await ask('GET', '/unknown', undefined, SECRETS['key that nobody has']);
    // The log shows the line, its secrets by their names cut out; readiness, which anybody may ask, none of it.
    const misplaced = 'a word of the file';
    writeFileSync(gateway.configPath, file(`router_settings: {num_retries: "${misplaced}", api_key: ${stored}}\n`));
    await gateway.until('was not taken');
    const readiness = await ask('GET', '/health/readiness');
    expect([readiness.includes('"rejected"'), readiness.includes(misplaced)]).toEqual([true, false]);
    writeFileSync(gateway.configPath, file());
  });

  test('are there while every page is read, also with a database that is gone for a moment', async () => {
    for (const path of [
      '/metrics',
      '/health',
      '/health?probe=true',
      '/health/readiness',
      '/models',
      '/model/info',
      '/',
    ])
      await ask('GET', path);
    const pages = ROUTES.filter(({ methods }) => methods.includes('GET')).flatMap(({ paths }) => paths);
    expect(pages.length).toBeGreaterThan(30);
    const today = new Date().toISOString().slice(0, 10);
    const query = `?start_date=${today}&end_date=${today}&key=${virtualKeys['virtual key']}`;
    for (const path of pages) {
      await ask('GET', path.replace(/\{[^}]*\}/g, 'c'));
      if (!path.includes('{')) await ask('GET', path + query);
    }
    const admin = new SQL(database.url, { max: 1 });
    await admin.unsafe(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}' AND pid <> pg_backend_pid()`,
    );
    await admin.close();
    await chat('environment', virtualKeys['virtual key']);
    await ask('GET', '/key/list');
  });

  test('are in no answer, log line, table or file', async () => {
    await until(async () => {
      const [log] = [...(await tablesOf(database.url))].filter(([name]) => name.endsWith('litellm_spendlogs'));
      return (log?.[1].split('\n').length ?? 0) > 10;
    });
    const secrets = { ...SECRETS, ...virtualKeys };
    const places = new Map<string, string>([
      ...answers.map(({ to, said }, index): [string, string] => [`answer ${index}, ${to.slice(0, 40)}`, said]),
      ['log', gateway.output()],
      ...(await tablesOf(database.url)),
      ...filesBelow(join(gateway.folder, 'data')),
    ]);
    // The search would see them: what stands for a key is in all three.
    expect(places.get('log')).toContain('"message":"request"');
    expect([...places].filter(([, text]) => text.includes('canary-alias')).length).toBeGreaterThan(3);
    expect(places.size).toBeGreaterThan(100);
    const found = [...places].flatMap(([place, text]) => secretsIn(text, secrets).map((name) => `${name} in ${place}`));
    expect(found).toEqual([]);
  });

  test('are in no file of its data after SIGKILL either, when the journal holds what no table has yet', async () => {
    const dead = await startGateway(file(), { PROVIDER_KEY: SECRETS['key of a provider from the environment'] });
    await dead.chat(prompt('refused') as Record<string, unknown>);
    await dead.chat(prompt('environment') as Record<string, unknown>);
    process.kill(dead.pid, 'SIGKILL');
    await dead.exited;
    const files = filesBelow(join(dead.folder, 'data'));
    expect(files.size).toBeGreaterThan(1);
    expect([...files.values()].some((text) => text.includes('environment'))).toBe(true);
    const found = [...files].flatMap(([path, text]) => secretsIn(text, SECRETS).map((name) => `${name} in ${path}`));
    expect(found).toEqual([]);
    await dead.stop();
  });

  test.each(Object.entries(SECRETS))('would be found if it were written: %s', (_name, secret) => {
    const disguises = [
      `...${secret}...`,
      JSON.stringify({ a: { b: secret } }),
      new URLSearchParams({ a: secret }).toString().replaceAll('+', '%20'),
      Buffer.from(`user:${secret}`).toString('base64'),
      Buffer.from(`{"api_key":"${secret}"}`).toString('base64url'),
      Buffer.from(secret).toString('hex'),
    ];
    for (const text of disguises) expect([text, secretsIn(text, { it: secret })]).toEqual([text, ['it']]);
    expect(secretsIn(secret.slice(1, -1), { it: secret })).toEqual([]);
    expect(spellingsOf(secret).every((spelling) => spelling.length > 12)).toBe(true);
  });
});
