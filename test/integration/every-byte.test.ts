import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { startGateway, streamEvents, streamedText, type TestGateway } from '../support/gateway.ts';

/**
 * The upstream's answer is cut at every single byte, by reset and by an early end.
 *
 * Whatever the byte: the client gets an error or a stream that says it broke, never a short answer that looks whole.
 */
const MODELS = ['openai', 'azure', 'anthropic'] as const;
const CUTS = ['reset', 'end-early'] as const;
/** Requests under way at once. */
const WIDTH = 16;

let simulator: Simulator;
let gateway: TestGateway;

beforeAll(async () => {
  simulator = await startSimulator({ size: 24, pieceSize: 12 });
  const up = `api_key: os.environ/UPSTREAM_KEY, api_base: "${simulator.url}`;
  gateway = await startGateway(
    `model_list:
  - {model_name: openai, litellm_params: {model: openai/cut-openai, ${up}/v1"}}
  - {model_name: azure, litellm_params: {model: azure/cut-azure, ${up}"}}
  - {model_name: anthropic, litellm_params: {model: anthropic/claude-3-5-sonnet-20241022, ${up}"}}
  - {model_name: good, litellm_params: {model: openai/good, ${up}/v1"}}
router_settings:
  num_retries: 0
  timeout: 5
  disable_cooldowns: true
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
`,
    { UPSTREAM_KEY: 'sk-upstream', LITELLM_LOG: 'ERROR' },
  );
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
});

/** Runs `check` for every number below `count`, some at once. */
async function each(count: number, check: (number: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await check(next++);
  };
  await Promise.all(Array.from({ length: WIDTH }, worker));
}

/** Bytes of a whole answer on the wire, head and framing included. */
async function answerSize(model: string, stream: boolean): Promise<number> {
  await simulator.reset();
  const response = await gateway.chat({ model, stream, max_tokens: 50 });
  await response.text();
  await simulator.until(([request]) => request?.ending === 'complete');
  return simulator.requests[0]?.bytesSent ?? 0;
}

for (const model of MODELS) {
  for (const stream of [false, true]) {
    for (const cut of CUTS) {
      test(`${model}, ${stream ? 'streamed' : 'whole'}, ${cut} at every byte`, async () => {
        const size = await answerSize(model, stream);
        expect(size).toBeGreaterThan(500);
        const seen = { whole: 0, broken: 0, refused: 0 };
        await each(size, async (at) => {
          const id = simulator.inject(`${cut}@${at}`, { match: { key: `sk-cut-${at}` }, times: 1 });
          const response = await askAt(model, stream, at);
          seen[await verdict(response, stream)] += 1;
          simulator.remove(id);
        });
        expect(seen.whole).toBeLessThanOrEqual(stream ? 40 : 2);
        expect(seen.refused).toBeGreaterThan(100);
        if (stream) expect(seen.broken).toBeGreaterThan(50);
      }, 60_000);
    }
  }
}

/** The fault strikes by the credential, which each request brings itself: many can run at once. */
function askAt(model: string, stream: boolean, at: number): Promise<Response> {
  return gateway.chat({ model, stream, max_tokens: 50, api_key: `sk-cut-${at}` });
}

/** What a client may take the answer for; throws when it is something that no answer may be. */
async function verdict(response: Response, stream: boolean): Promise<'whole' | 'broken' | 'refused'> {
  const text = await response.text();
  if (response.status !== 200) {
    expect([response.status, JSON.parse(text).error.code]).toEqual([502, '502']);
    return 'refused';
  }
  if (!stream) {
    expect(JSON.parse(text).choices[0].finish_reason).toBe('stop');
    return 'whole';
  }
  const events = streamEvents(text);
  const isWhole = events.at(-1) === '[DONE]';
  expect(events.some((event) => (event as { error?: unknown }).error !== undefined)).toBe(!isWhole);
  expect(isWhole || streamedText(events).length > 0).toBe(true);
  return isWhole ? 'whole' : 'broken';
}

describe('the suite itself', () => {
  test('can tell a whole stream from a broken one', async () => {
    await simulator.reset();
    expect(await verdict(await gateway.chat({ model: 'good', stream: true }), true)).toBe('whole');
    simulator.inject('reset@events:4', { times: 1 });
    expect(await verdict(await gateway.chat({ model: 'good', stream: true }), true)).toBe('broken');
  });
});
