import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { startGateway, streamEvents, streamedText, type TestGateway } from '../support/gateway.ts';

/**
 * Each fault × {OpenAI, Azure, Anthropic} × {stream, whole} × {with, without fallback}, over real sockets.
 *
 * The faulty deployments and the good one are simulated providers; the model `faulty` is harmed, `good` never.
 */
const PROVIDERS = ['openai', 'azure', 'anthropic'] as const;
const STATUSES = [500, 502, 503, 504, 529, 408, 429, 401, 403, 404];

interface Row {
  readonly fault: string;
  /** Status of the answer when there is nowhere else to go. */
  readonly status: number | { readonly whole: number; readonly stream: number };
  /** For streams: the fault strikes after the first output, so that it can only end the stream honestly. */
  readonly committed?: boolean;
  readonly streamOnly?: boolean;
}

const ROWS: readonly Row[] = [
  { fault: 'close', status: 502 },
  { fault: 'reset@0', status: 502 },
  { fault: 'reset@body:0', status: 502 },
  { fault: 'end-early@0', status: 502 },
  { fault: 'end-early@20', status: 502 },
  { fault: 'end-early@body:0', status: 502 },
  { fault: 'stall@0', status: 504 },
  { fault: 'stall@body:0', status: 504 },
  { fault: 'end-early@body:40', status: 502 },
  { fault: 'malformed@0', status: 502, streamOnly: true },
  { fault: 'error-event@0', status: 503, streamOnly: true },
  { fault: 'reset@events:5', status: 502, committed: true },
  { fault: 'end-early@events:5', status: 502, committed: true },
  { fault: 'stall@events:5', status: 504, committed: true },
  { fault: 'error-event@5', status: 503, committed: true, streamOnly: true },
  { fault: 'malformed@5', status: 502, committed: true, streamOnly: true },
  ...STATUSES.map((status) => ({ fault: String(status), status: expectedStatus(status) })),
];

function expectedStatus(upstream: number): number {
  if (upstream === 408) return 504;
  return upstream === 529 ? 503 : upstream;
}

let simulator: Simulator;
let refusing: Simulator;
let gateway: TestGateway;

beforeAll(async () => {
  simulator = await startSimulator({ size: 80 });
  refusing = await startSimulator();
  await refusing.refuse();
  gateway = await startGateway(config());
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
  await refusing.stop();
});

beforeEach(() => simulator.reset());

function params(provider: (typeof PROVIDERS)[number], model: string, url: string): string {
  const base = provider === 'openai' ? `${url}/v1` : url;
  const version = provider === 'azure' ? ', api_version: "2024-10-21"' : '';
  return `{model: ${provider}/${model}, api_key: sk-upstream, api_base: "${base}"${version}}`;
}

function config(): string {
  const models = PROVIDERS.flatMap((provider) => [
    `  - {model_name: ${provider}, litellm_params: ${params(provider, 'faulty', simulator.url)}}`,
    `  - {model_name: ${provider}-backed, litellm_params: ${params(provider, 'faulty', simulator.url)}}`,
    `  - {model_name: ${provider}-refused, litellm_params: ${params(provider, 'faulty', refusing.url)}}`,
    `  - {model_name: ${provider}-refused-backed, litellm_params: ${params(provider, 'faulty', refusing.url)}}`,
  ]);
  const fallbacks = PROVIDERS.flatMap((provider) => [
    `{${provider}-backed: [good]}`,
    `{${provider}-refused-backed: [good]}`,
  ]);
  return `model_list:
${models.join('\n')}
  - {model_name: good, litellm_params: ${params('openai', 'good', simulator.url)}}
router_settings:
  num_retries: 0
  timeout: 0.5
  disable_cooldowns: true
  fallbacks: [${fallbacks.join(', ')}]
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
`;
}

async function ask(model: string, stream: boolean) {
  const response = await gateway.chat({ model, stream });
  return { response, text: await response.text() };
}

for (const provider of PROVIDERS) {
  for (const stream of [false, true]) {
    const how = stream ? 'streamed' : 'whole';
    for (const row of ROWS) {
      if (row.streamOnly === true && !stream) continue;
      const isCommitted = row.committed === true && stream;

      test(`${provider}, ${how}, ${row.fault}, no fallback: the client hears the truth`, async () => {
        simulator.inject(row.fault, { match: { model: 'faulty' } });
        const { response, text } = await ask(provider, stream);
        if (isCommitted) expectBrokenStream(response, text);
        else {
          const status = typeof row.status === 'number' ? row.status : row.status[stream ? 'stream' : 'whole'];
          expect([response.status, text]).toEqual([status, expect.stringContaining('"error"')]);
          expect(response.headers.get('content-type')).toContain('application/json');
          expect(JSON.parse(text).error.code).toBe(String(status));
        }
      });

      test(`${provider}, ${how}, ${row.fault}, with fallback: ${isCommitted ? 'too late to switch' : 'the other group answers'}`, async () => {
        simulator.inject(row.fault, { match: { model: 'faulty' } });
        const { response, text } = await ask(`${provider}-backed`, stream);
        if (isCommitted) expectBrokenStream(response, text);
        else expectFallback(response, text, stream);
      });
    }

    test(`${provider}, ${how}, connection refused, no fallback: 502`, async () => {
      const { response } = await ask(`${provider}-refused`, stream);
      expect(response.status).toBe(502);
    });

    test(`${provider}, ${how}, connection refused, with fallback: the other group answers`, async () => {
      const { response, text } = await ask(`${provider}-refused-backed`, stream);
      expectFallback(response, text, stream);
    });
  }
}

describe('a fault that is over', () => {
  test('leaves no trace in the next answer', async () => {
    simulator.inject('reset@events:5', { match: { model: 'faulty' }, times: 1 });
    expectBrokenStream(...(await pair('openai')));
    const [response, text] = await pair('openai');
    expect(response.status).toBe(200);
    expect(streamEvents(text).at(-1)).toBe('[DONE]');
  });
});

async function pair(model: string): Promise<[Response, string]> {
  const { response, text } = await ask(model, true);
  return [response, text];
}

function expectBrokenStream(response: Response, text: string): void {
  expect(response.status).toBe(200);
  const events = streamEvents(text);
  expect(events).not.toContain('[DONE]');
  expect(events.at(-1)).toEqual({
    error: expect.objectContaining({ message: expect.any(String), code: expect.any(String) }),
  });
  expect(streamedText(events).length).toBeGreaterThan(0);
  expect(text.endsWith('\n\n')).toBe(true);
}

function expectFallback(response: Response, text: string, stream: boolean): void {
  expect([response.status, text]).toEqual([200, expect.any(String)]);
  expect(response.headers.get('x-litellm-attempted-fallbacks')).toBe('1');
  expect(response.headers.get('x-litellm-model-group')).toBe('good');
  if (stream) {
    const events = streamEvents(text);
    expect(events.at(-1)).toBe('[DONE]');
    expect(events.filter((event) => event === '[DONE]')).toHaveLength(1);
    expect(streamedText(events).length).toBeGreaterThan(0);
  } else expect(JSON.parse(text).choices[0].message.content.length).toBeGreaterThan(0);
}
