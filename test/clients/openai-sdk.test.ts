import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import OpenAI, { AzureOpenAI } from 'openai';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { MASTER_KEY, startGateway, type TestGateway } from '../support/gateway.ts';

let simulator: Simulator;
let gateway: TestGateway;
let client: OpenAI;

beforeAll(async () => {
  simulator = await startSimulator();
  gateway = await startGateway(`model_list:
  - {model_name: gpt, litellm_params: {model: openai/gpt-4o, api_key: sk-up, api_base: "${simulator.url}/v1"}}
  - {model_name: azure, litellm_params: {model: azure/my-deployment, api_key: sk-up, api_base: "${simulator.url}"}}
  - {model_name: claude, litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: sk-up, api_base: "${simulator.url}"}}
  - {model_name: embed, litellm_params: {model: openai/text-embedding-3-small, api_key: sk-up, api_base: "${simulator.url}/v1"}}
router_settings: {num_retries: 0, disable_cooldowns: true}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
`);
  client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: MASTER_KEY, maxRetries: 0 });
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
});

beforeEach(() => simulator.reset());

const messages = [{ role: 'user' as const, content: 'What is the weather in Bonn?' }];
/** Given, so that a translated request is the same streamed and not: the simulator invents by the request. */
const max_tokens = 500;
const tools = [
  {
    type: 'function' as const,
    function: {
      name: 'get_weather',
      parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    },
  },
];

describe("the official client, whatever the model's provider", () => {
  for (const model of ['gpt', 'azure', 'claude']) {
    test(`${model}: a whole answer with usage`, async () => {
      const answer = await client.chat.completions.create({ model, messages, max_tokens });
      expect(answer.object).toBe('chat.completion');
      expect(answer.choices[0]?.message.content?.length).toBeGreaterThan(0);
      expect(answer.usage?.total_tokens).toBe(
        (answer.usage?.prompt_tokens ?? 0) + (answer.usage?.completion_tokens ?? 0),
      );
    });

    test(`${model}: a stream that adds up to the whole answer`, async () => {
      const whole = await client.chat.completions.create({ model, messages, max_tokens });
      const stream = client.chat.completions.stream({
        model,
        messages,
        max_tokens,
        stream_options: { include_usage: true },
      });
      const final = await stream.finalChatCompletion();
      expect(final.choices[0]?.message.content).toBe(whole.choices[0]?.message.content ?? '');
      expect(final.choices[0]?.finish_reason).toBe('stop');
      expect(final.usage?.completion_tokens).toBeGreaterThan(0);
    });

    test(`${model}: a tool call, whole and streamed`, async () => {
      const request = { model, messages, max_tokens, tools, tool_choice: 'required' as const };
      const whole = await client.chat.completions.create(request);
      const call = whole.choices[0]?.message.tool_calls?.[0];
      if (call?.type !== 'function') throw new Error('no function call');
      expect([call.function.name, whole.choices[0]?.finish_reason]).toEqual(['get_weather', 'tool_calls']);
      expect(JSON.parse(call.function.arguments)).toBeObject();
      const streamed = await client.chat.completions.stream(request).finalChatCompletion();
      const other = streamed.choices[0]?.message.tool_calls?.[0];
      if (other?.type !== 'function') throw new Error('no function call');
      expect(other.function).toMatchObject({ name: 'get_weather', arguments: call.function.arguments });
    });

    test(`${model}: a stream that breaks throws and does not look finished`, async () => {
      simulator.inject('reset@events:6');
      const stream = await client.chat.completions.create({ model, messages, stream: true });
      const read = async () => {
        for await (const _ of stream);
      };
      await expect(read()).rejects.toThrow(/broke off/);
    });
  }

  test('embeddings, which it asks for in base64, come as numbers', async () => {
    const answer = await client.embeddings.create({ model: 'embed', input: ['a', 'b'] });
    expect(answer.data.map((each) => typeof each.embedding[0])).toEqual(['number', 'number']);
  });

  test('legacy completions of a chat model', async () => {
    const answer = await client.completions.create({ model: 'claude', prompt: 'Say hello' });
    expect(answer.choices[0]?.text.length).toBeGreaterThan(0);
  });

  test('models are listed and found', async () => {
    const list = await client.models.list();
    expect(list.data.map(({ id }) => id)).toEqual(['gpt', 'azure', 'claude', 'embed']);
    expect((await client.models.retrieve('gpt')).id).toBe('gpt');
  });

  test('errors are its own classes', async () => {
    const wrong = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'sk-wrong', maxRetries: 0 });
    // Its promises are of a class of their own, which `rejects` does not take.
    const failure = (call: () => PromiseLike<unknown>) => (async () => await call())().catch((error: unknown) => error);
    expect(await failure(() => wrong.models.list())).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(await failure(() => client.chat.completions.create({ model: 'nothing', messages }))).toBeInstanceOf(
      OpenAI.BadRequestError,
    );
    simulator.inject('429');
    expect(await failure(() => client.chat.completions.create({ model: 'gpt', messages }))).toBeInstanceOf(
      OpenAI.RateLimitError,
    );
  });

  test("Azure's client finds its own paths", async () => {
    const azure = new AzureOpenAI({
      endpoint: gateway.url,
      apiKey: MASTER_KEY,
      apiVersion: '2024-10-21',
      deployment: 'gpt',
      maxRetries: 0,
    });
    const answer = await azure.chat.completions.create({ model: 'ignored', messages });
    expect(answer.choices[0]?.message.content?.length).toBeGreaterThan(0);
  });
});
