import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { hash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startGateway, type TestGateway } from '../support/gateway.ts';

/** What the upstream received last, and what it is to answer next. */
let received: Buffer = Buffer.alloc(0);
let answer: { readonly type: string; readonly body: string | Uint8Array; readonly coding?: string } = {
  type: 'application/json',
  body: '{}',
};
let upstream: Server;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = createServer((request, response) => {
    void readAll(request).then((body) => {
      received = body;
      response.writeHead(200, {
        'content-type': answer.type,
        ...(answer.coding === undefined ? {} : { 'content-encoding': answer.coding }),
      });
      response.end(answer.body);
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => upstream.once('listening', resolve));
  const { port } = upstream.address() as AddressInfo;
  const base = `api_key: sk-upstream, api_base: "http://127.0.0.1:${port}/v1"`;
  gateway = await startGateway(`model_list:
  - {model_name: m, litellm_params: {model: openai/m, ${base}}}
  - {model_name: renamed, litellm_params: {model: openai/other-name, ${base}}}
  - {model_name: text, litellm_params: {model: openai/gpt-3.5-turbo-instruct, ${base}}}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
`);
});

afterAll(async () => {
  await gateway.stop();
  upstream.close();
});

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const sha256 = (bytes: string | Uint8Array) => hash('sha256', bytes);

/** Odd in every way in which JSON may be odd: order, white space, big and long numbers, escapes, unknown members. */
const ODD_MEMBERS = ` "zeta" : 9007199254740993,\t"temperature":1.0000000000000000001 , "seed": 1395002666759424000,
  "messages" : [ {"role":"user", "content":"caf\\u00e9 \\ud83d\\ude00 \u{1F600} \\/ \\"model\\": \\"fake\\"", "unknown": {"a":[1, 2 ,{}]}} ] , "huge":1e400`;

const ANSWER = `{ "id":"chatcmpl-1","object":"chat.completion", "created":1,"model":"whatever", "seed":1395002666759424000,
 "choices":[{"index":0,"message":{"role":"assistant","content":"caf\\u00e9 \u{1F600}", "x":9007199254740993 },"finish_reason":"stop","logprobs":null}],
 "usage": {"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}, "unknown" : [ ] }\n`;

describe('the same dialect on both sides', () => {
  test('brings the client bytes to the upstream unchanged when the model has the same name', async () => {
    const body = `{${ODD_MEMBERS},"model":"m"}`;
    answer = { type: 'application/json', body: ANSWER };
    const response = await gateway.post('/v1/chat/completions', body);
    expect(response.status).toBe(200);
    expect(sha256(received)).toBe(sha256(body));
  });

  test('changes the value of model and not one other byte when it has another', async () => {
    answer = { type: 'application/json', body: ANSWER };
    await gateway.post('/v1/chat/completions', `{ "model" :  "renamed" ,${ODD_MEMBERS}}`);
    expect(received.toString()).toBe(`{ "model" :  "other-name" ,${ODD_MEMBERS}}`);
  });

  test('brings the answer back unchanged', async () => {
    answer = { type: 'application/json', body: ANSWER };
    const response = await gateway.post('/v1/chat/completions', `{"model":"m","messages":[]}`);
    expect(sha256(Buffer.from(await response.arrayBuffer()))).toBe(sha256(ANSWER));
  });

  test('brings every event of a stream back unchanged', async () => {
    const events =
      `data: {"id":"1", "seed":1395002666759424000,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n` +
      `data:  {"choices":[{"delta":{"content":"caf\u00e9 \u{1F600} \\"usage\\":{"},"index":0}], "p":"abc"}\n\n` +
      `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`;
    answer = { type: 'text/event-stream', body: events };
    const response = await gateway.post('/v1/chat/completions', `{"model":"m","stream":true,"messages":[]}`);
    expect(sha256(Buffer.from(await response.arrayBuffer()))).toBe(sha256(events));
  });

  test('takes the gateway its own words out of the body and leaves the rest', async () => {
    answer = { type: 'application/json', body: ANSWER };
    await gateway.post(
      '/v1/chat/completions',
      `{"model":"m","num_retries":1, "tags":["a"],"messages":[],"fallbacks":["x"],"big":9007199254740993}`,
    );
    expect(JSON.parse(received.toString())).toEqual({ model: 'm', messages: [], big: 9007199254740992 });
    expect(received.toString()).toContain('"big":9007199254740993');
  });

  for (const input of ['[[1,2,3],[4]]', '"text"', '["a","b"]']) {
    test(`embeddings of ${input} pass, and base64 vectors come back as they are`, async () => {
      const body = `{"model":"m","input":${input},"encoding_format":"base64"}`;
      const vectors =
        '{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AACAPwAAAEA="}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}';
      answer = { type: 'application/json', body: vectors };
      const response = await gateway.post('/v1/embeddings', body);
      expect([sha256(received), await response.text()]).toEqual([sha256(body), vectors]);
    });
  }

  test('a legacy completion reaches a legacy model as it is', async () => {
    const legacy =
      '{"id":"cmpl-1","object":"text_completion","created":1,"model":"x","choices":[{"index":0,"text":"hi","finish_reason":"stop","logprobs":null}]}';
    answer = { type: 'application/json', body: legacy };
    const response = await gateway.post('/v1/completions', '{"model":"text", "prompt":["a", "b"], "echo":true}');
    expect(received.toString()).toBe('{"model":"gpt-3.5-turbo-instruct", "prompt":["a", "b"], "echo":true}');
    expect(await response.text()).toBe(legacy);
  });

  test('an answer of a megabyte comes back whole', async () => {
    const body = JSON.stringify({
      id: '1',
      object: 'chat.completion',
      choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(1_000_000) }, finish_reason: 'stop' }],
    });
    answer = { type: 'application/json', body };
    const response = await gateway.post('/v1/chat/completions', '{"model":"m","messages":[]}');
    expect(sha256(await response.text())).toBe(sha256(body));
  });
});

describe('compressed bodies', () => {
  test('of upstreams that compress unasked reach the client plain, streams included', async () => {
    const events =
      'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\ndata: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';
    answer = { type: 'application/json', body: Bun.gzipSync(ANSWER), coding: 'gzip' };
    const whole = await gateway.post('/v1/chat/completions', '{"model":"m","messages":[]}');
    expect(await whole.text()).toBe(ANSWER);
    answer = { type: 'text/event-stream', body: Bun.gzipSync(events), coding: 'gzip' };
    const streamed = await gateway.post('/v1/chat/completions', '{"model":"m","messages":[],"stream":true}');
    expect(await streamed.text()).toBe(events);
  });

  test('are sent to a client that asks for them, when they are large', async () => {
    const large = JSON.stringify({
      id: '1',
      object: 'chat.completion',
      choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(20_000) }, finish_reason: 'stop' }],
    });
    answer = { type: 'application/json', body: large };
    const asked = await gateway.post('/v1/chat/completions', '{"model":"m","messages":[]}', {
      'accept-encoding': 'gzip',
    });
    expect([asked.headers.get('content-encoding'), await asked.text()]).toEqual(['gzip', large]);
    const refused = await gateway.post('/v1/chat/completions', '{"model":"m","messages":[]}', {
      'accept-encoding': 'gzip;q=0',
    });
    expect([refused.headers.get('content-encoding'), await refused.text()]).toEqual([null, large]);
  });

  test('of clients are read and handed on plain', async () => {
    const body = '{"model":"m","messages":[{"role":"user","content":"hello"}]}';
    answer = { type: 'application/json', body: ANSWER };
    for (const [coding, bytes] of [
      ['gzip', Bun.gzipSync(body)],
      ['zstd', Bun.zstdCompressSync(body)],
    ] as const) {
      const response = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: 'Bearer sk-test-master-key-0123456789', 'content-encoding': coding },
        body: bytes,
      });
      expect([response.status, received.toString()]).toEqual([200, body]);
    }
  });
});
