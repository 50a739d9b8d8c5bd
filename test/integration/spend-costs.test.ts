import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type ControlBench, configured, startControl } from '../support/control.ts';
import { DATABASES, OPERATOR } from '../support/store.ts';

const CONFIG = `
model_list:
  - model_name: cheap
    litellm_params: {model: openai/my-own, api_key: sk-x, input_cost_per_token: 0.000002, output_cost_per_token: 0.00001}
  - model_name: cached
    litellm_params:
      model: openai/my-cached
      api_key: sk-x
      input_cost_per_token: 0.000002
      cache_read_input_token_cost: 0.0000005
      output_cost_per_token: 0.00001
      input_cost_per_token_above_200k_tokens: 0.000004
      output_cost_per_token_above_200k_tokens: 0.00002
  - model_name: dear
    litellm_params: {model: mistral/mine, api_key: sk-x, input_cost_per_token: 0.000001, output_cost_per_token: 0.000001}
  - model_name: unpriced
    litellm_params: {model: openai/nobody-knows-this-one, api_key: sk-x}
  - model_name: mini/*
    litellm_params: {model: openai/*, api_key: sk-x}
router_settings:
  model_group_alias: {thrifty: cheap}
litellm_settings:
  cost_discount_config: {mistral: 0.5}
  cost_margin_config: {mistral: {percentage: 0.1, fixed_amount: 0.001}}
`;

describe.each(DATABASES)('what a request would cost, on %s', (kind) => {
  let bench: ControlBench;

  beforeAll(async () => {
    bench = await startControl(kind);
    bench.snapshot = configured(CONFIG);
    await bench.store.change(OPERATOR, async ({ users, keys }) => {
      await users.create({ user_id: 'ann', user_role: 'internal_user' });
      await keys.create({ token: Bun.SHA256.hash('sk-ann', 'hex'), key_id: 'ann', user_id: 'ann' });
      await keys.create({ token: Bun.SHA256.hash('sk-nobody', 'hex'), key_id: 'nobody' });
    });
  });

  afterAll(() => bench.stop());

  const estimate = (body: object, more = {}) => bench.post('/cost/estimate', body, more);
  const calculate = (body: object, more = {}) => bench.post('/spend/calculate', body, more);

  test('an estimate has one request, a day of them and a month, in the shape of LiteLLM', async () => {
    const asked = { model: 'cheap', input_tokens: 1000, output_tokens: 500 };
    const answer = await estimate({ ...asked, num_requests_per_day: 100 });
    expect([answer.status, answer.body]).toEqual([
      200,
      {
        ...asked,
        ...{ cache_read_input_tokens: 0, cache_creation_input_tokens: 0, reasoning_tokens: 0 },
        ...{ num_requests_per_day: 100, num_requests_per_month: null },
        cost_per_request: 0.007,
        input_cost_per_request: 0.002,
        output_cost_per_request: 0.005,
        margin_cost_per_request: 0,
        ...{ daily_cost: 0.7, daily_input_cost: 0.2, daily_output_cost: 0.5, daily_margin_cost: 0 },
        ...{ monthly_cost: null, monthly_input_cost: null, monthly_output_cost: null, monthly_margin_cost: null },
        ...{ input_cost_per_token: 0.000002, output_cost_per_token: 0.00001, provider: 'openai' },
      },
    ]);
  });

  test.each([
    ['an alias', { model: 'thrifty', input_tokens: 1000, output_tokens: 500 }, 0.007],
    ['cached tokens', { model: 'cached', input_tokens: 1000, output_tokens: 0, cache_read_input_tokens: 800 }, 0.0008],
    ['a long prompt', { model: 'cached', input_tokens: 300_000, output_tokens: 1000 }, 1.22],
    // Half of 0.002, a tenth of that, and a thousandth.
    ['discount and margin', { model: 'dear', input_tokens: 1000, output_tokens: 1000 }, 0.0021],
    ['a model of a pattern', { model: 'mini/gpt-4o-mini', input_tokens: 1_000_000, output_tokens: 0 }, 0.15],
    [
      'a model that is not configured',
      { model: 'openai/gpt-4o-mini', input_tokens: 1_000_000, output_tokens: 0 },
      0.15,
    ],
  ])('%s is estimated as it is billed', async (_, asked, cost) => {
    const { body } = await estimate({ ...asked, num_requests_per_month: 3 });
    expect(body.cost_per_request).toBe(cost);
    expect(body.monthly_cost).toBe(Math.round(cost * 3e9) / 1e9);
    const parts = body.input_cost_per_request + body.output_cost_per_request + body.margin_cost_per_request;
    expect(parts).toBeCloseTo(cost, 9);
  });

  test('a long prompt makes the answer dearer too, and each part says so', async () => {
    const { body } = await estimate({ model: 'cached', input_tokens: 300_000, output_tokens: 1000 });
    expect([body.input_cost_per_request, body.output_cost_per_request]).toEqual([1.2, 0.02]);
  });

  test('a prompt costs what its tokens cost, with the frames of its messages', async () => {
    // "Hello, world!" has four tokens; a message has a frame of four, a chat of three. Each costs 0.15 millionths.
    const messages = [{ role: 'user', content: 'Hello, world!' }];
    const answer = await calculate({ model: 'mini/gpt-4o-mini', messages });
    expect([answer.status, answer.body]).toEqual([200, { cost: 0.00000165 }]);
  });

  test('an answer costs what its usage says', async () => {
    const completion_response = {
      ...{ id: 'chatcmpl-1', object: 'chat.completion', model: 'cached' },
      choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1000, completion_tokens: 10, prompt_tokens_details: { cached_tokens: 500 } },
    };
    expect((await calculate({ completion_response })).body).toEqual({ cost: 0.00135 });
  });

  test('an internal user may ask, a key of nobody may not', async () => {
    const asked = { model: 'cheap', input_tokens: 1, output_tokens: 1 };
    expect((await estimate(asked, { key: 'sk-ann' })).status).toBe(200);
    expect((await calculate({ model: 'cheap', messages: [] }, { key: 'sk-ann' })).status).toBe(200);
    expect((await estimate(asked, { key: 'sk-nobody' })).status).toBe(403);
  });

  test.each([
    ['/cost/estimate', { model: 'unpriced', input_tokens: 1, output_tokens: 1 }, 404, 'model', 'No price is known'],
    ['/cost/estimate', { model: 'who-is-this', input_tokens: 1, output_tokens: 1 }, 404, 'model', 'who-is-this'],
    ['/cost/estimate', { model: 'cheap', input_tokens: -1, output_tokens: 1 }, 422, 'input_tokens', 'input_tokens'],
    ['/cost/estimate', { model: 'cheap', input_tokens: 1 }, 422, 'output_tokens', 'output_tokens'],
    ['/spend/calculate', { model: 'unpriced', messages: [] }, 404, 'model', 'No price is known'],
    ['/spend/calculate', { model: 'cheap' }, 400, 'messages', 'messages must be provided'],
    ['/spend/calculate', {}, 400, 'model', "Either 'model' or 'completion_response'"],
    ['/spend/calculate', { completion_response: { model: 'cheap' } }, 400, 'completion_response', 'no usage'],
  ])('%s %j is %p for %p', async (path, body, status, param, words) => {
    const answer = await bench.post(path, body);
    expect([answer.status, answer.body.error.param]).toEqual([status, param]);
    expect(answer.body.error.message).toContain(words);
  });

  test('nothing of it was recorded, and nothing was a fault of ours', async () => {
    expect(await bench.store.read.spendLogs.count()).toBe(0);
    expect(bench.faults).toEqual([]);
  });
});
