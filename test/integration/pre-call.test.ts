import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';

let simulator: Simulator;
let gateway: TestGateway;

beforeAll(async () => {
  simulator = await startSimulator();
  const openai = `api_key: sk-upstream, api_base: "${simulator.url}/v1"`;
  gateway = await startGateway(`model_list:
  - {model_name: short, litellm_params: {model: openai/gpt-4, ${openai}}, model_info: {id: short-id, max_input_tokens: 2000}}
  - {model_name: foreign, litellm_params: {model: openai/mistral-small, ${openai}}, model_info: {id: foreign-id, max_input_tokens: 2000}}
  - {model_name: lone, litellm_params: {model: openai/gpt-4, ${openai}}, model_info: {id: lone-id, max_input_tokens: 2000}}
  - {model_name: embed, litellm_params: {model: openai/text-embedding-3-small, ${openai}}, model_info: {id: embed-id, mode: embedding, max_input_tokens: 2000}}
  - {model_name: long, litellm_params: {model: openai/gpt-4o, ${openai}}, model_info: {id: long-id, max_input_tokens: 100000}}
router_settings:
  num_retries: 0
  enable_pre_call_checks: true
  context_window_fallbacks: [{short: [long]}, {foreign: [long]}]
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
`);
  // The first count waits for the worker; on a busy machine it may give up.
  await asked('short', says(words(2500)));
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
});

beforeEach(() => simulator.reset());

/** One token each in every vocabulary. */
const words = (count: number) => ' word'.repeat(count);
const says = (content: unknown) => ({ messages: [{ role: 'user', content }] });

/** Who answered, and which models the upstreams saw. */
async function asked(model: string, body: Record<string, unknown>) {
  const response = await gateway.chat({ model, ...body });
  await response.text();
  return [response.status, response.headers.get('x-litellm-model-id'), simulator.requests.map((each) => each.model)];
}

describe('a prompt', () => {
  test('that exceeds the window goes to the context chain before any call', async () => {
    expect(await asked('short', says(words(2500)))).toEqual([200, 'long-id', ['gpt-4o']]);
  });

  test('that fits stays, however many bytes it has', async () => {
    expect(await asked('short', says(words(1900)))).toEqual([200, 'short-id', ['gpt-4']]);
  });

  test('for a model with a tokenizer of its own leaves only when it is far too long', async () => {
    expect(await asked('foreign', says(words(2300)))).toEqual([200, 'foreign-id', ['mistral-small']]);
    simulator.reset();
    expect(await asked('foreign', says(words(2700)))).toEqual([200, 'long-id', ['gpt-4o']]);
  });

  test('with an image of a megabyte and a short text stays', async () => {
    const url = `data:image/png;base64,${'iVBORw0KGgo'.repeat(100_000)}`;
    const parts = [
      { type: 'text', text: 'What is this?' },
      { type: 'image_url', image_url: { url } },
    ];
    expect(await asked('short', says(parts))).toEqual([200, 'short-id', ['gpt-4']]);
  });

  test('of 20,000 identical letters is counted and goes on', async () => {
    expect(await asked('short', says('a'.repeat(20_000)))).toEqual([200, 'long-id', ['gpt-4o']]);
  });

  test('that fits nowhere is refused, and nobody is called', async () => {
    const response = await gateway.chat({ model: 'lone', ...says(words(2500)) });
    const { error } = (await response.json()) as { error: { message: string; code: string } };
    expect([response.status, simulator.requests.length]).toEqual([400, 0]);
    expect(error.message).toContain('about 2507 tokens and no deployment of lone takes more than 2000');
  });
});

describe('inputs of embeddings', () => {
  const embed = async (input: unknown) => (await gateway.post('/v1/embeddings', { model: 'embed', input })).status;

  test('meet the window one by one', async () => {
    expect(await embed(Array(50).fill(words(1000)))).toBe(200);
  });

  test('are refused when one is too long', async () => {
    expect(await embed(['short', words(2500)])).toBe(400);
    expect(await embed(Array(2001).fill(5))).toBe(400);
    expect(simulator.requests.length).toBe(0);
  });
});
