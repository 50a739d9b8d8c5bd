import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { MASTER_KEY, startGateway, type TestGateway } from '../support/gateway.ts';

/** Header, log line of the ledger entry and metric of the same request, over real sockets. */

let simulator: Simulator;
let gateway: TestGateway;

beforeAll(async () => {
  simulator = await startSimulator();
  const openai = `api_key: os.environ/UPSTREAM_KEY, api_base: "${simulator.url}/v1"`;
  gateway = await startGateway(
    `model_list:
  - {model_name: priced, litellm_params: {model: openai/gpt-4o, ${openai}}, model_info: {id: priced-id}}
  - {model_name: odd, litellm_params: {model: openai/my-model, ${openai}, input_cost_per_token: 1.234567e-7, output_cost_per_token: 9.87e-6}, model_info: {id: odd-id}}
  - {model_name: unpriced, litellm_params: {model: openai/my-model, ${openai}}, model_info: {id: unpriced-id}}
  - {model_name: claude, litellm_params: {model: anthropic/claude-haiku-4-5, api_key: os.environ/UPSTREAM_KEY, api_base: "${simulator.url}"}, model_info: {id: claude-id}}
  - {model_name: broken, litellm_params: {model: openai/gpt-4o, ${openai}, input_cost_per_token: 1}, model_info: {id: broken-id}}
  - {model_name: "openai/*", litellm_params: {model: "openai/*", ${openai}}, model_info: {id: pattern-id}}
litellm_settings:
  cost_discount_config: {anthropic: 0.05}
  cost_margin_config: {anthropic: {percentage: 0.1, fixed_amount: 0.0001}}
  num_retries: 0
general_settings: {assumed_price: {input_cost_per_token: 0.00001}}
`,
    { UPSTREAM_KEY: 'sk-upstream' },
  );
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
});

/** One request's line in the log. */
interface Line {
  readonly call_id: string;
  readonly cost: 'known' | 'unknown' | null;
  readonly input_tokens: number | null;
  /** As it is written, since a parsed number has forgotten its digits. */
  readonly costText: string | null;
}

async function lineOf(id: string): Promise<Line> {
  await gateway.until(`"call_id":"${id}"`);
  const text = gateway
    .output()
    .split('\n')
    .find((line) => line.includes(`"call_id":"${id}"`) && line.includes('"message":"request"'));
  const costText = /"cost_usd":([^,}]+)/.exec(text ?? '')?.[1] ?? null;
  return { ...(JSON.parse(text ?? '{}') as Line), costText };
}

/** The counter's text as `/metrics` has it, or null. */
async function metric(name: string, id: string): Promise<string | null> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name}{`) && each.includes(`model_id="${id}"`));
  return line?.split(' ').at(-1) ?? null;
}

const ask = (model: string, more: Record<string, unknown> = {}) =>
  gateway.chat({ model, messages: [{ role: 'user', content: 'What does it cost?' }], ...more });

/** Nano-USD of a decimal text. */
const nano = (text: string | null): bigint => {
  const [whole = '0', fraction = ''] = (text ?? '').split('.');
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
};

const idOf = (response: Response) => response.headers.get('x-litellm-call-id') ?? '';
const costOf = (response: Response) => response.headers.get('x-litellm-response-cost');

describe('header, ledger entry and metric', () => {
  test('agree to the last nano', async () => {
    let sum = 0n;
    for (let index = 0; index < 5; index++) {
      const response = await ask('odd', { max_tokens: 5 + index });
      const { usage } = (await response.json()) as { usage: { prompt_tokens: number; completion_tokens: number } };
      // Prices of 123,456.7 and 9,870,000 pico-USD: the first is rounded up to 123,457.
      const pico = BigInt(usage.prompt_tokens) * 123_457n + BigInt(usage.completion_tokens) * 9_870_000n;
      expect(nano(costOf(response))).toBe((pico + 999n) / 1000n);
      const line = await lineOf(idOf(response));
      expect([line.cost, line.costText]).toEqual(['known', costOf(response)]);
      sum += nano(costOf(response));
    }
    expect(nano(await metric('litellm_spend_metric_total', 'odd-id'))).toBe(sum);
  });

  test('agree for a stream, whose head is sent before its cost is known', async () => {
    const response = await ask('priced', { stream: true });
    await response.text();
    expect(costOf(response)).toBeNull();
    const line = await lineOf(idOf(response));
    expect(line.cost).toBe('known');
    expect(await metric('litellm_spend_metric_total', 'priced-id')).toBe(line.costText);
  });

  test('agree after discount and margin, whose parts are told', async () => {
    const response = await ask('claude');
    await response.text();
    const part = (name: string) => nano(response.headers.get(`x-litellm-response-cost-${name}`));
    expect(part('original') > 0n).toBe(true);
    expect(part('discount-amount')).toBe(part('original') / 20n);
    expect(nano(costOf(response))).toBe(part('original') - part('discount-amount') + part('margin-amount'));
    expect(part('margin-amount') > 100_000n).toBe(true);
    expect(response.headers.get('x-litellm-response-cost-margin-percent')).toBe('0.1');
    const line = await lineOf(idOf(response));
    expect(line.costText).toBe(costOf(response));
    expect(await metric('litellm_spend_metric_total', 'claude-id')).toBe(costOf(response));
  });

  test('tell that a price is unknown, each in its way', async () => {
    const response = await ask('unpriced');
    await response.text();
    expect(costOf(response)).toBeNull();
    const line = await lineOf(idOf(response));
    expect([line.cost, line.costText]).toEqual(['unknown', 'null']);
    expect(await metric('tollgate_unpriced_requests_total', 'unpriced-id')).toBe('1');
    expect(await metric('litellm_spend_metric_total', 'unpriced-id')).toBe('0');
    expect(gateway.output()).toMatch(/"no price is known for some models[^\n]*\["openai\/my-model"\]/);
  });

  test('know the price of a model that only a pattern matches', async () => {
    const response = await ask('openai/gpt-4o-mini');
    const { usage } = (await response.json()) as { usage: { prompt_tokens: number; completion_tokens: number } };
    const expected = BigInt(usage.prompt_tokens) * 150n + BigInt(usage.completion_tokens) * 600n;
    expect(nano(costOf(response))).toBe(expected);
  });

  test('have nothing for a request that nobody answered', async () => {
    const response = await ask('broken', { mock_testing_fallbacks: true, disable_fallbacks: true });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(costOf(response)).toBeNull();
    expect(await lineOf(idOf(response))).toMatchObject({ cost: null, input_tokens: null });
    expect(await metric('tollgate_unpriced_requests_total', 'broken-id')).toBeNull();
  });
});

test('/model/info shows the prices', async () => {
  const response = await fetch(`${gateway.url}/model/info?litellm_model_id=claude-id`, {
    headers: { authorization: `Bearer ${MASTER_KEY}` },
  });
  const { data } = (await response.json()) as { data: { model_info: Record<string, unknown> }[] };
  expect(data[0]?.model_info).toMatchObject({
    input_cost_per_token: 0.000001,
    output_cost_per_token: 0.000005,
    cache_read_input_token_cost: 1e-7,
    cache_creation_input_token_cost_above_1hr: 0.000002,
    max_input_tokens: 200_000,
  });
});
