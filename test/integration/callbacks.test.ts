import { describe, expect, test } from 'bun:test';
import { createHash, createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { Received } from '../support/receiver.ts';
import { receivingBench } from '../support/receiving.ts';

const SECRET = 'canary-secret-access-key';

const bench = receivingBench();

const config = (more = '') => `model_list:
  - {model_name: chat, litellm_params: {model: openai/gpt-4o, api_key: sk-canary-provider-key, api_base: "${bench.simulator.url}/v1"}}
router_settings: {num_retries: 0}
${more}`;

type Payload = Record<string, unknown> & { readonly metadata: Record<string, unknown> };

const payloads = (): Payload[] => bench.receiver.received.flatMap(({ body }) => JSON.parse(body) as Payload[]);

async function payloadsOf(count: number): Promise<Payload[]> {
  await bench.receiver.until(() => payloads().length >= count);
  return payloads();
}

describe('generic_api', () => {
  const start = async (list: string, more = '') => {
    await bench.start(config(`litellm_settings: {${list}: [generic_api]}\n${more}`), {
      GENERIC_LOGGER_ENDPOINT: `${bench.receiver.url}/logs?key=canary-in-address`,
      GENERIC_LOGGER_HEADERS: 'Authorization=Bearer canary-in-header',
    });
    return bench.gateway;
  };

  test('gets LiteLLM’s payload of each request, with its tokens and its cost, and without its words', async () => {
    const { chat } = await start('callbacks');
    const messages = [{ role: 'user', content: 'canary-in-prompt' }];
    const headers = { 'x-litellm-tags': 'blue', 'x-litellm-session-id': 'session-1' };
    const answer = await chat({ model: 'chat', user: 'ada', messages }, headers);
    const { usage } = (await answer.json()) as { usage: Record<string, number> };
    const [payload] = await payloadsOf(1);
    expect(payload).toMatchObject({
      ...{ id: answer.headers.get('x-litellm-call-id'), call_type: 'acompletion', status: 'success', stream: false },
      ...{ custom_llm_provider: 'openai', model: 'gpt-4o', model_group: 'chat', api_base: `${bench.simulator.url}/v1` },
      ...{ prompt_tokens: usage.prompt_tokens, completion_tokens: usage.completion_tokens, end_user: 'ada' },
      ...{ response_cost: Number(answer.headers.get('x-litellm-response-cost')), request_tags: ['blue'] },
      ...{ messages: null, response: null, error_str: null, metadata: { session_id: 'session-1' } },
    });
    expect(payload?.response_cost).toBeGreaterThan(0);
    expect(payload?.startTime).toBeCloseTo(Date.now() / 1000, -2);
    expect(bench.receiver.received[0]?.headers.get('authorization')).toBe('Bearer canary-in-header');
    expect(bench.receiver.received[0]?.body).not.toContain('canary');
    expect(bench.gateway.output()).not.toContain('canary');
  });

  test('as a failure callback gets failures alone, and why', async () => {
    const { chat } = await start('failure_callback');
    await chat({ model: 'chat' });
    bench.simulator.inject('503', { times: 1 });
    expect((await chat({ model: 'chat' })).status).toBe(503);
    const made = await payloadsOf(1);
    expect(made).toHaveLength(1);
    expect(made[0]).toMatchObject({
      ...{ status: 'failure', error_str: expect.stringContaining('overloaded') },
      error_information: { error_code: '503', traceback: '' },
    });
  });

  test('is sent again what it did not take for the moment', async () => {
    bench.receiver.answers = [500, 408];
    const { chat } = await start('callbacks');
    await chat({ model: 'chat' });
    await bench.receiver.until((received) => received.length === 3);
    expect(new Set(bench.receiver.received.map(({ body }) => body)).size).toBe(1);
  });

  test('gets every request once, many at a time, under load', async () => {
    const { chat, url } = await start('callbacks');
    const one = async () => {
      for (let count = 0; count < 20; count++) await (await chat({ model: 'chat' })).arrayBuffer();
    };
    await Promise.all(Array.from({ length: 20 }, one));
    const made = await payloadsOf(400);
    expect(new Set(made.map(({ id }) => id)).size).toBe(400);
    expect(bench.receiver.received.length).toBeLessThan(40);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).not.toContain('litellm_callback_logging_failures_metric_total{');
  });

  test('comes and goes with an edit of the file', async () => {
    const { chat, configPath, until } = await start('callbacks');
    await chat({ model: 'chat' });
    await payloadsOf(1);
    writeFileSync(configPath, config());
    await until('configuration swapped');
    await chat({ model: 'chat' });
    writeFileSync(configPath, config('litellm_settings: {callbacks: [generic_api]}\n'));
    await until('"version":3');
    await chat({ model: 'chat' });
    expect(await payloadsOf(2)).toHaveLength(2);
  });
});

describe('s3', () => {
  const start = async () => {
    const params = `{s3_bucket_name: llm, s3_region_name: eu-central-1, s3_endpoint_url: "${bench.receiver.url}", s3_path: 'gate way/'}`;
    await bench.start(config(`litellm_settings: {callbacks: [s3_v2], s3_callback_params: ${params}}\n`), {
      ...{ AWS_ACCESS_KEY_ID: 'AKIATEST', AWS_SECRET_ACCESS_KEY: SECRET },
    });
    return bench.gateway;
  };

  test('gets an object for each request, named as LiteLLM does, whose signature is right', async () => {
    const { chat } = await start();
    const before = new Date().toISOString();
    await chat({ model: 'chat' }, { 'x-litellm-call-id': '../../other' });
    await chat({ model: 'chat' }, { 'x-litellm-call-id': 'mine' });
    await bench.receiver.until((received) => received.length === 2);
    for (const request of bench.receiver.received) {
      expect(request.method).toBe('PUT');
      const [, day] =
        /^\/llm\/gate%20way\/([\d-]{10})\/time-\d\d-\d\d-\d\d-\d{6}_[0-9a-f]{32}\.json$/.exec(request.path) ?? [];
      expect([before.slice(0, 10), new Date().toISOString().slice(0, 10)]).toContain(day ?? '');
      expect(signatureIn(request)).toBe(signatureOf(request));
    }
    expect((JSON.parse(bench.receiver.received[1]?.body ?? '{}') as Payload).id).toBe('mine');
    expect(bench.gateway.output()).not.toContain('canary');
  });

  test('is tried again under the same name, with a signature of its own', async () => {
    bench.receiver.answers = [503];
    const { chat } = await start();
    await chat({ model: 'chat' });
    await bench.receiver.until((received) => received.length === 2);
    expect(bench.receiver.received[0]?.path).toBe(bench.receiver.received[1]?.path);
    expect(signatureIn(bench.receiver.received[1])).toBe(signatureOf(bench.receiver.received[1]));
  });
});

const signatureIn = (request: Received | undefined): string =>
  /Signature=([0-9a-f]{64})$/.exec(request?.headers.get('authorization') ?? '')?.[1] ?? '';

/** What the store itself would compute, from nothing but what came over the wire. */
function signatureOf(request: Received | undefined): string {
  if (request === undefined) return 'no request';
  const { method, path, headers, body } = request;
  const [, scope = '', names = ''] =
    /Credential=AKIATEST\/([^,]+), SignedHeaders=([^,]+),/.exec(headers.get('authorization') ?? '') ?? [];
  for (const needed of ['host', 'x-amz-content-sha256', 'x-amz-date'])
    if (!names.includes(needed)) return `no ${needed}`;
  const hash = (text: string) => createHash('sha256').update(text).digest('hex');
  if (headers.get('x-amz-content-sha256') !== hash(body)) return 'the body is another';
  const lines = names.split(';').map((name) => `${name}:${headers.get(name)}`);
  const canonical = [method, path, '', ...lines, '', names, hash(body)].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', headers.get('x-amz-date'), scope, hash(canonical)].join('\n');
  let key = Buffer.from(`AWS4${SECRET}`);
  for (const part of [...scope.split('/'), toSign]) key = createHmac('sha256', key).update(part).digest();
  return key.toString('hex');
}

test('the log level follows an edit of the file, without a restart', async () => {
  await bench.start(config('general_settings: {log_level: error}\n'));
  await bench.gateway.chat({ model: 'chat' }, { 'x-litellm-call-id': 'before' });
  writeFileSync(bench.gateway.configPath, config('general_settings: {log_level: info}\n'));
  await bench.gateway.until('configuration swapped');
  await bench.gateway.chat({ model: 'chat' }, { 'x-litellm-call-id': 'after' });
  await bench.gateway.until('"call_id":"after"');
  expect(bench.gateway.output()).not.toContain('"call_id":"before"');
});
