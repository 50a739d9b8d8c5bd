import { describe, expect, test } from 'bun:test';
import type { TestGateway } from '../support/gateway.ts';
import { readOtlp, type Span } from '../support/otlp.ts';
import { receivingBench } from '../support/receiving.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const PROVIDER_KEY = 'sk-canary-provider-key';

const bench = receivingBench();

const config = () => `model_list:
  - {model_name: chat, litellm_params: {model: openai/first, order: 1, api_key: "${PROVIDER_KEY}", api_base: "${bench.simulator.url}/v1"}}
  - {model_name: chat, litellm_params: {model: openai/second, order: 2, api_key: "${PROVIDER_KEY}", api_base: "${bench.simulator.url}/v1"}}
router_settings: {num_retries: 0}
`;

const start = async (env: Record<string, string> = {}, more = ''): Promise<TestGateway> => {
  await bench.start(config() + more, { OTEL_EXPORTER_OTLP_ENDPOINT: bench.receiver.url, ...env });
  return bench.gateway;
};

/** What the provider was sent under this name, by its newest request or another. */
const toldOf = (name: string, at = -1): string | undefined =>
  bench.simulator.requests.at(at)?.headers.find(([each]) => each === name)?.[1];

const spans = (): readonly Span[] => bench.receiver.received.flatMap(({ body }) => readOtlp(body));

async function spansOf(count: number): Promise<readonly Span[]> {
  await bench.receiver.until(() => spans().length >= count);
  return spans();
}

describe('a request', () => {
  test('is a span with one below it for each attempt, in the caller’s trace, which the provider is told of', async () => {
    const { chat } = await start({
      OTEL_SERVICE_NAME: 'llm-door',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    });
    bench.simulator.inject('503', { times: 1 });
    const headers = { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'vendor=abc' };
    const answer = await chat({ model: 'chat', user: 'ada' }, headers);
    expect(answer.status).toBe(200);
    const [request, first, second, ...others] = await spansOf(3);
    expect(others).toEqual([]);
    expect(request).toMatchObject({
      ...{
        traceId: TRACE,
        parentSpanId: PARENT,
        traceState: 'vendor=abc',
        kind: 2,
        name: 'chat-completions',
        status: null,
      },
      resource: { 'service.name': 'llm-door', 'deployment.environment.name': 'test' },
      attributes: {
        ...{ 'http.response.status_code': 200, 'gen_ai.request.model': 'chat', 'user.id': 'ada' },
        ...{ 'tollgate.outcome': 'success', 'tollgate.attempts': 2, 'tollgate.model_group': 'chat' },
      },
    });
    expect(first).toMatchObject({
      ...{ traceId: TRACE, parentSpanId: request?.spanId, kind: 3, name: 'chat first' },
      status: { code: 2, message: expect.stringContaining('503 upstream error') },
      attributes: { 'http.response.status_code': 503, 'error.type': '503', 'gen_ai.provider.name': 'openai' },
    });
    expect(second).toMatchObject({
      ...{ traceId: TRACE, parentSpanId: request?.spanId, kind: 3, name: 'chat second', status: null },
      attributes: {
        ...{ 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'second', 'http.response.status_code': 200 },
        ...{ 'server.address': '127.0.0.1', 'server.port': Number(new URL(bench.simulator.url).port) },
      },
    });
    const usage = ((await answer.json()) as { usage: { prompt_tokens: number; completion_tokens: number } }).usage;
    expect(second?.attributes['gen_ai.usage.input_tokens']).toBe(usage.prompt_tokens);
    expect(second?.attributes['gen_ai.usage.output_tokens']).toBe(usage.completion_tokens);
    expect(first?.attributes['gen_ai.usage.input_tokens']).toBeUndefined();
    expect(new Set(spans().map(({ spanId }) => spanId)).size).toBe(3);
    // One after the other, inside of the request.
    const times = [request?.start, first?.start, first?.end, second?.start, second?.end, request?.end];
    expect(times).toEqual(times.toSorted((a, b) => Number((a ?? 0n) - (b ?? 0n))));
    const told = [toldOf('traceparent', -2), toldOf('traceparent')];
    expect(told).toEqual([`00-${TRACE}-${first?.spanId}-01`, `00-${TRACE}-${second?.spanId}-01`]);
    expect(toldOf('tracestate')).toBe('vendor=abc');
    await bench.gateway.until(`"trace_id":"${TRACE}"`);
  });

  test('names its provider as the conventions do, whatever the configuration calls it', async () => {
    const more = `  - {model_name: other, litellm_params: {model: mistral/some, api_key: "${PROVIDER_KEY}", api_base: "${bench.simulator.url}/v1"}}`;
    await bench.start(config().replace('router_settings', `${more}\nrouter_settings`), {
      OTEL_EXPORTER_OTLP_ENDPOINT: bench.receiver.url,
    });
    await bench.gateway.chat({ model: 'other' });
    const [, attempt] = await spansOf(2);
    expect(attempt?.attributes).toMatchObject({ 'gen_ai.provider.name': 'mistral_ai', 'gen_ai.system': 'mistral_ai' });
  });

  test('without a trace begins one, which bears the name that the client is given', async () => {
    const { chat } = await start();
    const answer = await chat({ model: 'chat', stream: true }, { traceparent: 'nonsense', tracestate: 'vendor=abc' });
    await answer.text();
    const [request] = await spansOf(2);
    expect(request).toMatchObject({
      traceId: answer.headers.get('x-litellm-call-id'),
      parentSpanId: null,
      traceState: null,
    });
    expect(request?.attributes['tollgate.first_byte_ms']).toBeGreaterThan(0);
  });

  test('that is refused is a span without attempts, and no error of the server', async () => {
    const { chat } = await start();
    expect((await chat({ model: 'no-such-model' })).status).toBe(400);
    const [request, ...others] = await spansOf(1);
    expect(others).toEqual([]);
    expect(request).toMatchObject({ status: null, attributes: { 'error.type': 'unknown-model' } });
  });

  test('that its caller does not sample is not exported, and the provider is told so', async () => {
    const { chat } = await start();
    await chat({ model: 'chat' }, { traceparent: `00-${TRACE}-${PARENT}-00` });
    expect(toldOf('traceparent')).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
    await chat({ model: 'chat' });
    await spansOf(2);
    expect(spans().filter(({ traceId }) => traceId === TRACE)).toEqual([]);
  });

  test('says nothing of traces to the provider while nobody traces', async () => {
    await bench.start(config());
    await bench.gateway.chat({ model: 'chat' }, { traceparent: `00-${TRACE}-${PARENT}-01` });
    expect(toldOf('traceparent')).toBeUndefined();
  });
});

describe('a receiver', () => {
  test('gets its headers at its own path, and no credential of anybody', async () => {
    const { chat } = await start({
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${bench.receiver.url}/custom/path?token=canary-in-address`,
      OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Bearer%20canary-in-header,x-scope=one',
    });
    const prompt = { role: 'user', content: 'canary-in-prompt' };
    await chat(
      { model: 'chat', messages: [prompt], user: 'sk-canary-as-user' },
      { 'x-litellm-tags': 'sk-canary-as-tag' },
    );
    await spansOf(2);
    const [{ path, headers, body } = { path: '', headers: new Headers(), body: '' }] = bench.receiver.received;
    expect(path).toBe('/custom/path?token=canary-in-address');
    expect(headers.get('authorization')).toBe('Bearer canary-in-header');
    expect(headers.get('x-scope')).toBe('one');
    expect(headers.get('content-type')).toBe('application/json');
    expect(body).toContain('[redacted]');
    expect(body).not.toContain('canary');
    expect(bench.gateway.output()).not.toContain('canary');
  });

  test('that is busy is asked again when it says so, and loses nothing', async () => {
    bench.receiver.answers = [{ status: 429, retryAfter: '0' }, 503];
    const { chat } = await start();
    await chat({ model: 'chat' });
    await bench.receiver.until((received) => received.length === 3);
    expect(new Set(bench.receiver.received.map(({ body }) => body)).size).toBe(1);
    expect(await bench.gateway.stop()).toBe(0);
    expect(bench.gateway.output()).toContain('the receiver answered 429');
  });

  test('that refuses is not asked again, which is counted', async () => {
    bench.receiver.answers = [400];
    const { chat, url } = await start();
    await chat({ model: 'chat' });
    await bench.gateway.until('a callback lost records');
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('litellm_callback_logging_failures_metric_total{callback_name="otel"} 1');
  });

  test('that never answers keeps nobody waiting, neither requests nor the end', async () => {
    bench.receiver.usual = 'silence';
    const { chat } = await start();
    const statuses = new Set<number>();
    const one = async () => {
      for (let count = 0; count < 40; count++) {
        const answer = await chat({ model: 'chat' });
        statuses.add(answer.status);
        await answer.arrayBuffer();
      }
    };
    await Promise.all(Array.from({ length: 25 }, one));
    expect([...statuses]).toEqual([200]);
    await bench.receiver.until((received) => received.length > 0);
    bench.gateway.signal('SIGTERM');
    expect(await bench.gateway.exited).toBe(0);
    expect(bench.gateway.output()).toContain('the gateway ended');
  });

  test('gets what was recorded last when the gateway is told to end', async () => {
    const { chat } = await start();
    for (let count = 0; count < 20; count++) await chat({ model: 'chat' });
    bench.gateway.signal('SIGTERM');
    expect(await bench.gateway.exited).toBe(0);
    expect(spans()).toHaveLength(40);
  });
});

test('langfuse gets spans by OTLP under its keys, of successes only when only those were asked for', async () => {
  await bench.start(`${config()}litellm_settings: {success_callback: [langfuse]}\n`, {
    ...{ LANGFUSE_PUBLIC_KEY: 'pk-lf-1', LANGFUSE_SECRET_KEY: 'sk-lf-canary', LANGFUSE_HOST: bench.receiver.url },
  });
  await bench.gateway.chat({ model: 'no-such-model' });
  await bench.gateway.chat({ model: 'chat' });
  await spansOf(2);
  expect(spans()).toHaveLength(2);
  expect(bench.receiver.received[0]?.path).toBe('/api/public/otel/v1/traces');
  const basic = Buffer.from('pk-lf-1:sk-lf-canary').toString('base64');
  expect(bench.receiver.received[0]?.headers.get('authorization')).toBe(`Basic ${basic}`);
  expect(bench.gateway.output()).not.toContain(basic);
  expect(bench.gateway.output()).not.toContain('canary');
});
