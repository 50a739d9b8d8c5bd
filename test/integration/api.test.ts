import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { MASTER_KEY, startGateway, streamEvents, streamedText, type TestGateway } from '../support/gateway.ts';

let simulator: Simulator;
let gateway: TestGateway;

beforeAll(async () => {
  simulator = await startSimulator();
  const openai = `api_key: os.environ/UPSTREAM_KEY, api_base: "${simulator.url}/v1"`;
  gateway = await startGateway(
    `model_list:
  - {model_name: gpt-4o, litellm_params: {model: openai/gpt-4o, ${openai}}, model_info: {id: primary}}
  - {model_name: "org/model with space", litellm_params: {model: openai/gpt-4o, ${openai}}, model_info: {id: spaced}}
  - {model_name: claude, litellm_params: {model: anthropic/claude-3-5-sonnet-20241022, api_key: os.environ/UPSTREAM_KEY, api_base: "${simulator.url}"}, model_info: {id: claude-id}}
  - {model_name: backup, litellm_params: {model: openai/gpt-4o-mini, ${openai}}, model_info: {id: backup-id}}
  - {model_name: embed, litellm_params: {model: openai/text-embedding-3-small, ${openai}}, model_info: {id: embed-id, mode: embedding}}
  - {model_name: keyless, litellm_params: {model: groq/llama, api_key: os.environ/NOT_SET_HERE}}
  - {model_name: "openai/*", litellm_params: {model: "openai/*", ${openai}}}
  - {model_name: canned, litellm_params: {model: openai/x, ${openai}, mock_response: "canned answer"}}
router_settings:
  num_retries: 0
  disable_cooldowns: true
  model_group_alias: {nickname: gpt-4o, secret-name: {model: gpt-4o, hidden: true}}
  fallbacks: [{gpt-4o: [backup]}]
  context_window_fallbacks: [{gpt-4o: [claude]}]
  content_policy_fallbacks: [{gpt-4o: [claude]}]
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY, max_request_size_mb: 1}
`,
    { UPSTREAM_KEY: 'sk-canary-upstream-secret' },
  );
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
});

beforeEach(() => simulator.reset());

const get = (path: string, headers: Record<string, string> = { authorization: `Bearer ${MASTER_KEY}` }) =>
  fetch(gateway.url + path, { headers });

interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

async function errorOf(response: Response): Promise<ErrorBody['error'] & { readonly status: number }> {
  return { status: response.status, ...((await response.json()) as ErrorBody).error };
}

async function textOf(response: Response): Promise<string> {
  const body = (await response.json()) as { choices: { message: { content: string } }[] };
  return body.choices[0]?.message.content ?? '';
}

describe('the path styles', () => {
  for (const path of [
    '/chat/completions',
    '/v1/chat/completions',
    '/openai/deployments/gpt-4o/chat/completions',
    '/engines/gpt-4o/chat/completions',
  ]) {
    test(`${path} answers`, async () => {
      const response = await gateway.post(path, { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi' }] });
      expect([response.status, response.headers.get('x-litellm-model-id')]).toEqual([200, 'primary']);
    });
  }

  test('a model in the path beats the one in the body, slashes and escapes included', async () => {
    const path = '/openai/deployments/org/model%20with%20space/chat/completions?api-version=2024-10-21';
    const response = await gateway.post(path, { model: 'claude', messages: [{ role: 'user', content: 'Hi' }] });
    expect(response.headers.get('x-litellm-model-id')).toBe('spaced');
  });

  for (const path of [
    '/completions',
    '/v1/completions',
    '/openai/deployments/claude/completions',
    '/engines/claude/completions',
  ]) {
    test(`${path} reaches a chat-only model through the hub`, async () => {
      const response = await gateway.post(path, { model: 'claude', prompt: 'Say something', max_tokens: 50 });
      const body = (await response.json()) as {
        object: string;
        choices: { text: string }[];
        usage: { total_tokens: number };
      };
      expect([response.status, body.object, body.usage.total_tokens > 0]).toEqual([200, 'text_completion', true]);
      expect(body.choices[0]?.text.length).toBeGreaterThan(0);
    });
  }

  test('a streamed legacy completion of a chat model comes as text_completion events', async () => {
    for (const model of ['claude', 'gpt-4o']) {
      const response = await gateway.post('/v1/completions', { model, prompt: ['Say something'], stream: true });
      const events = streamEvents(await response.text()) as { object?: string; choices?: { text: string }[] }[];
      expect(events.at(-1) as unknown).toBe('[DONE]');
      const chunks = events.slice(0, -1);
      expect(new Set(chunks.map((chunk) => chunk.object))).toEqual(new Set(['text_completion']));
      expect(chunks.map((chunk) => chunk.choices?.[0]?.text ?? '').join('').length).toBeGreaterThan(0);
    }
  });

  test('several prompts for a chat-only model are refused with what to do', async () => {
    expect(await errorOf(await gateway.post('/v1/completions', { model: 'claude', prompt: ['a', 'b'] }))).toMatchObject(
      { status: 400, param: 'prompt' },
    );
  });

  for (const path of [
    '/embeddings',
    '/v1/embeddings',
    '/openai/deployments/embed/embeddings',
    '/engines/embed/embeddings',
  ]) {
    test(`${path} gives vectors`, async () => {
      const response = await gateway.post(path, { model: 'embed', input: 'text' });
      const body = (await response.json()) as { data: { embedding: unknown }[] };
      expect(Array.isArray(body.data[0]?.embedding)).toBe(true);
    });
  }
});

describe('model lists', () => {
  test('show what can be used, without hidden names and disabled models', async () => {
    for (const path of ['/models', '/v1/models']) {
      const { data } = (await (await get(path)).json()) as { data: { id: string }[] };
      const ids = data.map(({ id }) => id);
      expect(ids).toEqual([
        'gpt-4o',
        'org/model with space',
        'claude',
        'backup',
        'embed',
        'canned',
        'openai/*',
        'nickname',
      ]);
    }
  });

  test('show fallbacks when they are asked for', async () => {
    const { data } = (await (await get('/v1/models?include_metadata=true')).json()) as {
      data: { id: string; metadata: { fallbacks: string[] } }[];
    };
    expect(data[0]).toMatchObject({ id: 'gpt-4o', metadata: { fallbacks: ['backup'] } });
    const context = await get('/v1/models?include_metadata=true&fallback_type=context_window');
    expect(await context.text()).toContain('"fallbacks":["claude"]');
    expect(await errorOf(await get('/v1/models?scope=wide'))).toMatchObject({ status: 400, param: 'scope' });
    expect((await get('/v1/models?include_metadata=true&fallback_type=x')).status).toBe(400);
  });

  test('find one model, by escaped and plain name', async () => {
    for (const id of ['gpt-4o', 'org/model%20with%20space', 'org%2Fmodel%20with%20space', 'openai/anything']) {
      expect((await get(`/v1/models/${id}`)).status).toBe(200);
    }
    expect(await errorOf(await get('/v1/models/nothing'))).toMatchObject({ status: 404, param: 'model' });
  });

  test('model info tells about deployments and nothing about their keys', async () => {
    const text = await (await get('/model/info')).text();
    const { data } = JSON.parse(text) as { data: { model_name: string; model_info: { id: string } }[] };
    expect(data.find((each) => each.model_info.id === 'primary')?.model_name).toBe('gpt-4o');
    expect(text).not.toContain('canary');
    expect((await get('/model/info?litellm_model_id=primary')).status).toBe(200);
    expect((await get('/model/info?litellm_model_id=none')).status).toBe(400);
  });
});

describe('the key', () => {
  const body = { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi' }] };
  const ask = (headers: Record<string, string>) =>
    fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });

  for (const headers of [
    { authorization: `Bearer ${MASTER_KEY}` },
    { authorization: `bearer ${MASTER_KEY}` },
    { authorization: `Basic ${btoa(`user:${MASTER_KEY}`)}` },
    { 'x-litellm-api-key': MASTER_KEY },
    { 'x-litellm-api-key': `Bearer ${MASTER_KEY}` },
    { 'api-key': MASTER_KEY },
    { 'x-api-key': MASTER_KEY },
    { 'x-goog-api-key': MASTER_KEY },
    { 'ocp-apim-subscription-key': MASTER_KEY },
    { authorization: 'Bearer sk-dummy', 'x-api-key': MASTER_KEY },
  ] as Record<string, string>[]) {
    test(`is taken from ${Object.entries(headers)
      .map(([name, value]) => `${name}: ${value.slice(0, 12)}`)
      .join(' and ')}`, async () => {
      expect((await ask(headers)).status).toBe(200);
    });
  }

  test('is missing, malformed or unknown: each has its own 401', async () => {
    const errors = await Promise.all(
      [
        {},
        { authorization: MASTER_KEY },
        { authorization: 'Bearer nonsense' },
        { authorization: 'Bearer sk-wrong-key-9876' },
      ].map(async (headers) => errorOf(await ask(headers as Record<string, string>))),
    );
    expect(errors.map(({ status, type, code }) => [status, type, code])).toEqual([
      [401, 'auth_error', '401'],
      [401, 'auth_error', '401'],
      [401, 'auth_error', '401'],
      [401, 'token_not_found_in_db', '401'],
    ]);
    expect(errors[0]?.message).toStartWith('Authentication Error, No api key passed in.');
    expect(errors[3]?.message).toContain('sk-...9876 in the header authorization');
    expect(simulator.requests).toHaveLength(0);
  });

  test('never goes upstream, and the upstream key never comes back', async () => {
    const response = await ask({ authorization: `Bearer ${MASTER_KEY}` });
    const sent = JSON.stringify(simulator.requests[0]?.headers);
    expect(sent).not.toContain(MASTER_KEY);
    const seen = JSON.stringify([...response.headers]) + (await response.text());
    expect(seen).not.toContain('canary');
  });

  test('of the upstream stays out of errors and the log even when the provider repeats it', async () => {
    simulator.inject({
      kind: 'status',
      error: 'invalid-key',
      status: 401,
      message: 'Incorrect API key provided: sk-canary-upstream-secret.',
      param: null,
      retryAfter: null,
      headers: [],
      body: null,
    });
    const error = await errorOf(await gateway.chat({ model: 'claude' }));
    expect(error.status).toBe(401);
    expect(error.message).not.toContain('canary');
    await gateway.until('"status":401');
    expect(gateway.output()).not.toContain('canary');
  });
});

describe('errors', () => {
  test('of an unknown model name the nearest', async () => {
    const error = await errorOf(await gateway.chat({ model: 'gtp-4o' }));
    expect(error).toMatchObject({ status: 400, param: 'model', code: '400' });
    expect(error.message).toStartWith('/chat/completions: Invalid model name passed in model=gtp-4o.');
    expect(error.message).toContain('gpt-4o');
  });

  test('of a model without credentials name the variable', async () => {
    const error = await errorOf(await gateway.chat({ model: 'keyless' }));
    expect([error.status, error.message]).toEqual([503, expect.stringContaining('NOT_SET_HERE')]);
  });

  for (const [what, body, status, param] of [
    ['no JSON', '{"model":', 400, null],
    ['an array', '[1]', 400, null],
    ['an empty body', '', 400, null],
    ['two models', '{"model":"gpt-4o","model":"claude","messages":[]}', 400, null],
    ['no model', '{"messages":[]}', 400, 'model'],
    ['no messages', '{"model":"gpt-4o"}', 400, 'messages'],
    ['messages of a wrong type', '{"model":"gpt-4o","messages":"hi"}', 400, 'messages'],
    ['stream of a wrong type', '{"model":"gpt-4o","messages":[],"stream":"yes"}', 400, 'stream'],
    ['num_retries of a wrong type', '{"model":"gpt-4o","messages":[],"num_retries":"x"}', 400, 'num_retries'],
    ['credentials of the client', '{"model":"gpt-4o","messages":[],"api_base":"http://127.0.0.1:1"}', 401, 'api_base'],
    ['more than the limit', `{"model":"gpt-4o","messages":[],"pad":"${'x'.repeat(1_100_000)}"}`, 413, 'content-length'],
  ] as const) {
    test(`of ${what}: ${status} before any provider is asked`, async () => {
      const error = await errorOf(await gateway.post('/v1/chat/completions', body));
      expect([error.status, error.param, error.code]).toEqual([status, param, String(status)]);
      expect(simulator.requests).toHaveLength(0);
    });
  }

  test('of an unknown path and a wrong method have the envelope too', async () => {
    expect(await errorOf(await get('/v1/nothing'))).toMatchObject({ status: 404, type: 'not_found_error' });
    const wrong = await get('/v1/chat/completions');
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
  });

  test('of an unknown content coding are 415', async () => {
    const response = await gateway.post('/v1/chat/completions', '{}', { 'content-encoding': 'lzma' });
    expect(await errorOf(response)).toMatchObject({ status: 415 });
  });

  for (const [fault, status] of [
    ['400', 400],
    ['422', 422],
    ['413', 413],
    ['402', 402],
  ] as const) {
    test(`${fault} of the provider returns at once with its own words, without fallback`, async () => {
      simulator.inject({
        kind: 'status',
        error: 'invalid-request',
        status,
        message: 'the provider said so',
        param: 'messages',
        retryAfter: null,
        headers: [],
        body: null,
      });
      const error = await errorOf(await gateway.chat({ model: 'gpt-4o' }));
      expect([error.status, error.message]).toEqual([status, expect.stringContaining('the provider said so')]);
      expect(simulator.requests).toHaveLength(1);
    });
  }

  test('list everything that was tried', async () => {
    simulator.inject('503');
    const error = await errorOf(await gateway.chat({ model: 'gpt-4o' }));
    expect(error.status).toBe(503);
    expect(error.message).toContain("Available Model Group Fallbacks=['backup']");
    expect(error.message).toContain('primary (gpt-4o): 503');
    expect(error.message).toContain('backup-id (backup): 503');
  });

  test('of a rate limit carry retry-after', async () => {
    simulator.inject({
      kind: 'status',
      error: 'rate-limit',
      status: 429,
      message: null,
      param: null,
      retryAfter: 7000,
      headers: [],
      body: null,
    });
    const response = await gateway.chat({ model: 'backup' });
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '7']);
  });
});

describe('controls in the body', () => {
  test('fallbacks of the client replace the configured ones', async () => {
    simulator.inject('500', { times: 1 });
    const response = await gateway.chat({ model: 'gpt-4o', fallbacks: ['claude'] });
    expect([response.status, response.headers.get('x-litellm-model-group')]).toEqual([200, 'claude']);
  });

  test('a fallback of the client may change the request', async () => {
    simulator.inject('500', { times: 1 });
    await gateway.chat({
      model: 'gpt-4o',
      fallbacks: [{ model: 'backup', messages: [{ role: 'user', content: 'other words' }] }],
    });
    expect(JSON.stringify(simulator.requests[1]?.json)).toContain('other words');
  });

  test('extra_headers and extra_body go to the provider, but no credential of the client does', async () => {
    await gateway.chat({
      model: 'backup',
      extra_headers: { 'X-Team': 'blue', Authorization: 'Bearer sk-of-the-client', 'api-key': 'x', Host: 'elsewhere' },
      extra_body: { seed: 7, model: 'other', num_retries: 5 },
    });
    const [request] = simulator.requests;
    expect(request?.headers.filter(([name]) => name === 'x-team')).toEqual([['x-team', 'blue']]);
    expect(request?.headers.filter(([name]) => name === 'authorization')).toEqual([
      ['authorization', 'Bearer sk-canary-upstream-secret'],
    ]);
    expect(request?.json).toMatchObject({ seed: 7, model: 'gpt-4o-mini' });
    expect(Object.keys(request?.json as object).sort()).toEqual(['messages', 'model', 'seed']);
  });

  test('disable_fallbacks makes the first failure final', async () => {
    simulator.inject('500');
    expect((await gateway.chat({ model: 'gpt-4o', disable_fallbacks: true })).status).toBe(500);
    expect(simulator.requests).toHaveLength(1);
  });

  test('num_retries in body or header counts tries of the same deployment', async () => {
    simulator.inject('500', { times: 1 });
    const response = await gateway.chat({ model: 'backup', num_retries: 1 });
    expect([response.status, response.headers.get('x-litellm-attempted-retries')]).toEqual([200, '1']);
    await gateway.until('waiting before another try');
  });

  test('timeout bounds the attempt', async () => {
    simulator.inject('stall@0');
    const error = await errorOf(await gateway.chat({ model: 'backup', timeout: 0.2 }));
    expect([error.status, error.message]).toEqual([504, expect.stringContaining('0.2 s')]);
  });

  test('mock_response answers without a call, whole and streamed', async () => {
    expect(await textOf(await gateway.chat({ model: 'gpt-4o', mock_response: 'a mocked answer' }))).toBe(
      'a mocked answer',
    );
    const stream = await gateway.chat({
      model: 'claude',
      mock_response: 'a mocked answer',
      stream: true,
      stream_options: { include_usage: true },
    });
    const events = streamEvents(await stream.text());
    expect(streamedText(events)).toBe('a mocked answer');
    expect(events.at(-1)).toBe('[DONE]');
    expect(events.at(-2)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 },
    });
    expect(await textOf(await gateway.chat({ model: 'canned' }))).toBe('canned answer');
    expect(simulator.requests).toHaveLength(0);
  });

  for (const [mocked, embedding] of [
    [
      [0.1, -2e-7],
      [0.1, -2e-7],
    ],
    ['any text', [0, 0, 0]],
  ] as const) {
    test(`mock_response ${JSON.stringify(mocked)} of embeddings is a vector`, async () => {
      const response = await gateway.post('/v1/embeddings', { model: 'embed', input: 'x', mock_response: mocked });
      expect(await response.json()).toMatchObject({
        object: 'list',
        data: [{ object: 'embedding', index: 0, embedding }],
      });
      expect(simulator.requests).toHaveLength(0);
    });
  }

  test('additional_drop_params and allowed_openai_params hold for one request', async () => {
    await gateway.chat({ model: 'gpt-4o', seed: 1, top_p: 0.5, additional_drop_params: ['seed'] });
    await gateway.chat({ model: 'claude', seed: 1, allowed_openai_params: ['seed'] });
    const [dropped, allowed] = simulator.requests.map(({ json }) => json);
    expect(dropped).toHaveProperty('top_p', 0.5);
    expect(dropped).not.toHaveProperty('seed');
    expect(dropped).not.toHaveProperty('additional_drop_params');
    expect(allowed).toHaveProperty('seed', 1);
  });

  test('a whole answer says as model who answered, also after a fallback', async () => {
    simulator.inject('context-length', { times: 1 });
    const response = await gateway.chat({ model: 'gpt-4o' });
    expect(await response.json()).toHaveProperty('model', 'claude-3-5-sonnet-20241022');
  });

  for (const [text, status] of [
    ['litellm.RateLimitError', 429],
    ['litellm.ContextWindowExceededError', 400],
    ['litellm.InternalServerError', 500],
    ['Exception: content_filter_policy', 400],
    ['Exception: mock_streaming_error', 503],
  ] as const) {
    test(`mock_response ${text} fails with ${status}`, async () => {
      expect((await gateway.chat({ model: 'backup', mock_response: text })).status).toBe(status);
    });
  }

  test('mock_response of a streaming error breaks after its first words', async () => {
    const response = await gateway.chat({
      model: 'backup',
      mock_response: 'Exception: mock_streaming_error',
      stream: true,
    });
    const events = streamEvents(await response.text());
    expect([response.status, events.includes('[DONE]')]).toEqual([200, false]);
    expect(events.at(-1)).toHaveProperty('error');
  });

  for (const [control, group] of [
    ['mock_testing_fallbacks', 'backup'],
    ['mock_testing_context_fallbacks', 'claude'],
    ['mock_testing_content_policy_fallbacks', 'claude'],
  ] as const) {
    test(`${control} takes that chain`, async () => {
      const response = await gateway.chat({ model: 'gpt-4o', [control]: true });
      expect([response.status, response.headers.get('x-litellm-model-group')]).toEqual([200, group]);
    });
  }

  test('mock_timeout waits as long as the timeout says', async () => {
    expect((await gateway.chat({ model: 'backup', mock_timeout: true, timeout: 0.05 })).status).toBe(504);
  });
});

describe('provider errors that have a chain of their own', () => {
  for (const [fault, label] of [
    ['context-length', 'context window'],
    ['content-filter', 'content policy'],
  ] as const) {
    test(`a ${label} error goes along its chain`, async () => {
      simulator.inject(fault, { times: 1 });
      const response = await gateway.chat({ model: 'gpt-4o' });
      expect([response.status, response.headers.get('x-litellm-model-group')]).toEqual([200, 'claude']);
    });

    test(`a ${label} error without a chain is the client's`, async () => {
      simulator.inject(fault, { times: 1 });
      expect((await gateway.chat({ model: 'backup' })).status).toBe(400);
    });
  }
});

describe('monitoring', () => {
  test('health, liveness, readiness and metrics need no key', async () => {
    for (const path of ['/health', '/health/liveliness', '/health/liveness', '/health/readiness', '/metrics', '/']) {
      expect([path, (await get(path, {})).status]).toEqual([path, 200]);
    }
    expect(await (await get('/health', {})).json()).toEqual({ status: 'healthy' });
    expect(simulator.requests).toHaveLength(0);
  });

  test('health with a key lists deployments, the disabled ones with their variables', async () => {
    const body = await (await get('/health')).json();
    expect(body).toMatchObject({
      status: 'healthy',
      disabled_count: 1,
      disabled_endpoints: [{ model_name: 'keyless', missing: ['NOT_SET_HERE'] }],
    });
    expect(simulator.requests).toHaveLength(0);
  });

  test('a probe calls each deployment, and only with a key', async () => {
    expect((await get('/health?probe=true', {})).status).toBe(401);
    simulator.inject('401', { match: { model: 'gpt-4o-mini' } });
    const body = (await (await get('/health?probe=true')).json()) as {
      unhealthy_endpoints: { model_id: string }[];
      healthy_count: number;
    };
    expect(body.unhealthy_endpoints.map((each) => each.model_id)).toEqual(['backup-id']);
    expect(body.healthy_count).toBe(5);
  });

  test('HEAD and OPTIONS are answered', async () => {
    expect((await fetch(`${gateway.url}/health`, { method: 'HEAD' })).status).toBe(200);
    const preflight = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,x-stainless-os',
      },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([
      204,
      'authorization,x-stainless-os',
    ]);
    const answer = await gateway.chat({ model: 'gpt-4o' }, { origin: 'https://app.example' });
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  });

  test('metrics count requests under the known name and unknown names under other', async () => {
    await gateway.chat({ model: 'gpt-4o' });
    await gateway.chat({ model: 'made-up-by-a-client' });
    const text = await (await get('/metrics', {})).text();
    const counted = text.split('\n').filter((line) => line.startsWith('litellm_proxy_total_requests_metric_total{'));
    const ofModel = (model: string, id: string, status: number) =>
      `requested_model="${model}",route="chat-completions",model_id="${id}",status_code="${status}"}`;
    expect(counted.some((line) => line.includes(ofModel('gpt-4o', 'primary', 200)))).toBe(true);
    expect(counted.some((line) => line.includes(ofModel('other', 'None', 400)))).toBe(true);
    expect(text.includes('made-up-by-a-client')).toBe(false);
  });
});

describe('headers of an answer', () => {
  test('say what happened', async () => {
    const response = await gateway.chat({ model: 'nickname' }, { 'x-litellm-call-id': 'my-own-label' });
    const headers = Object.fromEntries(response.headers);
    expect(headers).toMatchObject({
      'x-litellm-call-id': 'my-own-label',
      'x-litellm-model-id': 'primary',
      'x-litellm-model-group': 'gpt-4o',
      'x-litellm-model-api-base': `${simulator.url}/v1`,
      'x-litellm-model-provider': 'openai',
      'x-litellm-attempted-retries': '0',
      'x-litellm-attempted-fallbacks': '0',
      'llm_provider-x-ratelimit-limit-requests': '500',
      'x-ratelimit-limit-requests': '500',
    });
    expect(headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
    expect(Number(headers['x-litellm-overhead-duration-ms'])).toBeGreaterThanOrEqual(0);
    expect(headers['llm_provider-set-cookie']).toBeUndefined();
  });

  test('are there on errors too', async () => {
    const response = await gateway.chat({ model: 'unknown' });
    expect(response.headers.get('x-litellm-call-id')).toMatch(/^[0-9a-f]{32}$/);
  });
});
