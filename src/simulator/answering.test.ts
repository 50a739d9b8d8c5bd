import { describe, expect, test } from 'bun:test';
import { isObject, type Json, type JsonObject } from '../core/json.ts';
import type { Answer } from './answer.ts';
import { type Call, type InventOptions, invent } from './answering.ts';
import type { Dialect, Operation } from './dialect.ts';

const OPTIONS: InventOptions = { seed: 1, size: 60, pieceSize: 5, demo: false };
const NO_ORDER = { faults: [], wantsTool: false };
const WEATHER = {
  type: 'object',
  properties: {
    city: { type: 'string' },
    unit: { enum: ['C', 'F'] },
    days: { type: 'integer' },
    tags: { type: 'array', items: { type: 'string' } },
  },
};

function call(dialect: Dialect, operation: Operation, body: JsonObject): Call {
  return { dialect, operation, name: null, model: 'model-1', body, requestId: 'req_1' };
}

function chatBody(dialect: Dialect, lastText: string, more: JsonObject = {}): JsonObject {
  const tools =
    dialect === 'anthropic'
      ? ['weather', 'clock'].map((name) => ({ name, input_schema: WEATHER }))
      : ['weather', 'clock'].map((name) => ({ type: 'function', function: { name, parameters: WEATHER } }));
  const limit = dialect === 'anthropic' ? { max_tokens: 1000 } : {};
  return { model: 'model-1', ...limit, messages: [{ role: 'user', content: lastText }], tools, ...more };
}

function answerJson(answer: Answer): JsonObject {
  if (answer.kind !== 'whole') throw new Error('a stream');
  return JSON.parse(Buffer.from(answer.body).toString()) as JsonObject;
}

/** Payloads of a stream's events, `[DONE]` left out. */
function payloads(answer: Answer): JsonObject[] {
  if (answer.kind !== 'stream') throw new Error('no stream');
  return answer.events
    .map((event) => /^data: (.*)$/m.exec(Buffer.from(event.bytes).toString())?.[1] ?? '')
    .filter((data) => data !== '[DONE]')
    .map((data) => JSON.parse(data) as JsonObject);
}

const objects = (value: Json | undefined): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);

/** Puts a chat stream back together: text, tool calls, finish reason by choice. */
function foldChat(chunks: readonly JsonObject[]): JsonObject[] {
  const folded: { content: string | null; tool_calls: { id: Json; name: Json; arguments: string }[]; finish: Json }[] =
    [];
  for (const choice of chunks.flatMap((chunk) => objects(chunk.choices))) {
    const index = choice.index as number;
    folded[index] ??= { content: null, tool_calls: [], finish: null };
    const one = folded[index];
    const delta = choice.delta as JsonObject;
    if (typeof delta.content === 'string') one.content = (one.content ?? '') + delta.content;
    for (const part of objects(delta.tool_calls)) {
      const fn = part.function as JsonObject;
      if (typeof part.id === 'string')
        one.tool_calls[part.index as number] = { id: part.id, name: fn.name ?? null, arguments: '' };
      const tool = one.tool_calls[part.index as number];
      if (tool) tool.arguments += fn.arguments as string;
    }
    if (choice.finish_reason !== null) one.finish = choice.finish_reason ?? null;
  }
  return folded;
}

function ofReply(reply: JsonObject): JsonObject[] {
  return objects(reply.choices).map((choice) => {
    const message = choice.message as JsonObject;
    const tool_calls = objects(message.tool_calls).map((tool) => {
      const fn = tool.function as JsonObject;
      return { id: tool.id, name: fn.name, arguments: fn.arguments };
    });
    return { content: message.content, tool_calls, finish: choice.finish_reason } as JsonObject;
  });
}

/** Puts a Messages stream back together as its content blocks and final members. */
function foldMessages(events: readonly JsonObject[]): JsonObject {
  const blocks: { [key: string]: Json | undefined }[] = [];
  const inputs: string[] = [];
  let stop: Json = null;
  for (const event of events) {
    const index = event.index as number;
    if (event.type === 'content_block_start') blocks[index] = { ...(event.content_block as JsonObject) };
    if (event.type === 'message_delta') stop = (event.delta as JsonObject).stop_reason ?? null;
    if (event.type !== 'content_block_delta') continue;
    const { type, ...delta } = event.delta as JsonObject;
    const block = blocks[index];
    if (!block) throw new Error('a delta before its block');
    if (type === 'input_json_delta') {
      inputs[index] = (inputs[index] ?? '') + delta.partial_json;
      if (inputs[index] !== '') block.input = tryJson(inputs[index] ?? '') ?? block.input;
    } else for (const [key, value] of Object.entries(delta)) block[key] = `${block[key]}${value}`;
  }
  return { content: blocks, stop_reason: stop };
}

function tryJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

const CHAT_CASES: readonly (readonly [name: string, text: string, more: JsonObject])[] = [
  ['prose', 'hello', {}],
  ['prose cut by max_tokens', 'hello', { max_tokens: 5 }],
  ['a tool call that was asked for', 'use a tool please', {}],
  ['two tool calls in parallel', 'use the tools in parallel', {}],
];

for (const dialect of ['openai', 'azure'] as const) {
  describe(`${dialect} chat`, () => {
    const cases = [
      ...CHAT_CASES,
      ['three choices', 'hi', { n: 3 }],
      ['a forced tool', 'hi', { tool_choice: 'required' }],
    ] as const;
    for (const [name, text, more] of cases) {
      test(`${name}: the folded stream equals the reply`, () => {
        const body = chatBody(dialect, text, more);
        const reply = ofReply(answerJson(invent(call(dialect, 'chat', body), OPTIONS, NO_ORDER)));
        const streamed = { ...body, stream: true };
        const folded = foldChat(payloads(invent(call(dialect, 'chat', streamed), OPTIONS, NO_ORDER)));
        expect(folded).toEqual(reply);
        for (const tool of folded.flatMap((choice) => objects(choice.tool_calls))) {
          expect(Object.keys(JSON.parse(tool.arguments as string) as object)).toEqual(['city', 'unit', 'days', 'tags']);
        }
      });
    }

    test('usage comes only when it was asked for, and adds up', () => {
      const plain = payloads(
        invent(call(dialect, 'chat', chatBody(dialect, 'hi', { stream: true })), OPTIONS, NO_ORDER),
      );
      expect(plain.some((chunk) => 'usage' in chunk)).toBe(false);
      const asked = chatBody(dialect, 'hi', { stream: true, stream_options: { include_usage: true } });
      const chunks = payloads(invent(call(dialect, 'chat', asked), OPTIONS, NO_ORDER));
      const usage = chunks.at(-1)?.usage as JsonObject;
      expect(chunks.at(-1)?.choices).toEqual([]);
      expect(chunks.slice(dialect === 'azure' ? 1 : 0, -1).every((chunk) => chunk.usage === null)).toBe(true);
      expect(usage.total_tokens).toBe((usage.prompt_tokens as number) + (usage.completion_tokens as number));
      expect(usage.completion_tokens).toBe(OPTIONS.size / 4);
    });
  });
}

test('an openai reply has the members of a recorded one, and the stream opens and closes as specified', () => {
  const reply = answerJson(invent(call('openai', 'chat', chatBody('openai', 'hi')), OPTIONS, NO_ORDER));
  expect(Object.keys(reply)).toEqual([
    ...['id', 'object', 'created', 'model', 'choices', 'usage', 'service_tier', 'system_fingerprint'],
  ]);
  expect(reply.id).toMatch(/^chatcmpl-[A-Za-z0-9]{29}$/);
  expect([reply.object, reply.model]).toEqual(['chat.completion', 'model-1']);
  expect(objects(reply.choices)[0]?.message).toEqual({
    role: 'assistant',
    content: expect.stringMatching(/^\[simulated\] .{48}$/),
    refusal: null,
    annotations: [],
  });
  const answer = invent(call('openai', 'chat', chatBody('openai', 'hi', { stream: true })), OPTIONS, NO_ORDER);
  const chunks = payloads(answer);
  const choice = (chunk: JsonObject | undefined) => objects(chunk?.choices)[0];
  expect(choice(chunks[0])?.delta).toEqual({ role: 'assistant', content: '', refusal: null });
  expect(choice(chunks.at(-1))).toMatchObject({ delta: {}, finish_reason: 'stop' });
  expect(
    new Set(chunks.map(({ id, created, model, object }) => JSON.stringify([id, created, model, object]))).size,
  ).toBe(1);
  expect(answer.kind === 'stream' && Buffer.from(answer.events.at(-1)?.bytes ?? []).toString()).toBe(
    'data: [DONE]\n\n',
  );
});

test('an openai tool call opens with id and name, then sends fragments with neither', () => {
  const chunks = payloads(
    invent(call('openai', 'chat', chatBody('openai', 'tool', { stream: true })), OPTIONS, NO_ORDER),
  );
  const deltas = chunks.map((chunk) => objects(chunk.choices)[0]?.delta as JsonObject);
  expect(deltas[0]).toMatchObject({
    role: 'assistant',
    content: null,
    tool_calls: [
      { index: 0, id: expect.stringMatching(/^call_/), type: 'function', function: { name: 'weather', arguments: '' } },
    ],
  });
  const [fragment] = objects(deltas[1]?.tool_calls);
  expect(Object.keys(fragment ?? {})).toEqual(['index', 'function']);
});

test('an azure stream opens with a chunk that has no choices and no identity, and filters every text', () => {
  const [opening, ...chunks] = payloads(
    invent(call('azure', 'chat', chatBody('azure', 'hi', { stream: true })), OPTIONS, NO_ORDER),
  );
  expect(opening).toMatchObject({
    choices: [],
    created: 0,
    id: '',
    model: '',
    object: '',
    prompt_filter_results: [{ prompt_index: 0 }],
  });
  expect(chunks.every((chunk) => objects(chunk.choices).every((choice) => 'content_filter_results' in choice))).toBe(
    true,
  );
  const reply = answerJson(invent(call('azure', 'chat', chatBody('azure', 'hi')), OPTIONS, NO_ORDER));
  expect(objects(reply.choices)[0]?.content_filter_results).toHaveProperty('self_harm', {
    filtered: false,
    severity: 'safe',
  });
  expect(reply.prompt_filter_results).toHaveLength(1);
});

describe('anthropic messages', () => {
  const thinking = { thinking: { type: 'enabled', budget_tokens: 1024 } };
  const cases: typeof CHAT_CASES = [
    ...CHAT_CASES,
    ['thinking before prose', 'hi', thinking],
    ['thinking before a tool', 'tool', thinking],
    ['a forced tool', 'hi', { tool_choice: { type: 'tool', name: 'clock' } }],
  ];
  for (const [name, text, more] of cases) {
    test(`${name}: the folded stream equals the reply`, () => {
      const body = chatBody('anthropic', text, more);
      const reply = answerJson(invent(call('anthropic', 'messages', body), OPTIONS, NO_ORDER));
      const events = payloads(invent(call('anthropic', 'messages', { ...body, stream: true }), OPTIONS, NO_ORDER));
      const folded = foldMessages(events);
      expect(folded).toEqual({ content: reply.content, stop_reason: reply.stop_reason ?? null });
      for (const block of objects(folded.content).filter((one) => one.type === 'tool_use')) {
        expect(Object.keys(block.input as JsonObject)).toEqual(['city', 'unit', 'days', 'tags']);
      }
    });
  }

  test('events come in the order of the protocol, each with its own name', () => {
    const answer = invent(
      call('anthropic', 'messages', chatBody('anthropic', 'hi', { stream: true, max_tokens: 2 })),
      OPTIONS,
      NO_ORDER,
    );
    if (answer.kind !== 'stream') throw new Error('no stream');
    const names = answer.events.map(
      (event) => /^event: (.*)\ndata: {"type":"\1"/.exec(Buffer.from(event.bytes).toString())?.[1],
    );
    expect(names).toEqual([
      ...['message_start', 'content_block_start', 'ping', 'content_block_delta', 'content_block_delta'],
      ...['content_block_stop', 'message_delta', 'message_stop'],
    ]);
  });

  test('message_start has the input tokens, message_delta the cumulative output', () => {
    const events = payloads(
      invent(call('anthropic', 'messages', chatBody('anthropic', 'hi', { stream: true })), OPTIONS, NO_ORDER),
    );
    const start = (events[0] as { message: { usage: JsonObject } }).message.usage;
    const end = events.find((event) => event.type === 'message_delta')?.usage as JsonObject;
    expect(end).toMatchObject({ input_tokens: start.input_tokens, output_tokens: OPTIONS.size / 4 });
    expect(start).toMatchObject({ output_tokens: 1, cache_read_input_tokens: 0, service_tier: 'standard' });
  });
});

describe('invented answers', () => {
  test('are the same bytes for the same request and seed, and others for another', () => {
    const bodies = { hello: chatBody('openai', 'hello'), other: chatBody('openai', 'other') };
    const bytes = (body: JsonObject, seed: number) =>
      answerJson(invent(call('openai', 'chat', body), { ...OPTIONS, seed }, NO_ORDER));
    expect(bytes(bodies.hello, 1)).toEqual(bytes(bodies.hello, 1));
    expect(bytes(bodies.hello, 1)).not.toEqual(bytes(bodies.hello, 2));
    expect(bytes(bodies.hello, 1)).not.toEqual(bytes(bodies.other, 1));
  });

  test('follow a JSON schema', () => {
    const response_format = { type: 'json_schema', json_schema: { name: 'w', schema: WEATHER } };
    const reply = answerJson(
      invent(call('openai', 'chat', chatBody('openai', 'hi', { response_format })), OPTIONS, NO_ORDER),
    );
    const content = JSON.parse(ofReply(reply)[0]?.content as string) as JsonObject;
    expect(content).toEqual({
      city: expect.any(String),
      unit: expect.stringMatching(/^[CF]$/),
      days: expect.any(Number),
      tags: [expect.any(String)],
    });
  });

  test('are prose again after a tool has answered', () => {
    const messages = [
      { role: 'user', content: 'tool' },
      { role: 'assistant', tool_calls: [] },
      { role: 'tool', content: 'use the tool' },
    ];
    const reply = answerJson(invent(call('openai', 'chat', chatBody('openai', '', { messages })), OPTIONS, NO_ORDER));
    expect(ofReply(reply)[0]?.finish).toBe('stop');
  });

  test('of completions have one text for each prompt and stop at 16 tokens by default', () => {
    const body = { model: 'm', prompt: ['a', 'b'], n: 2 };
    const reply = answerJson(invent(call('openai', 'completions', body), { ...OPTIONS, size: 100 }, NO_ORDER));
    expect(
      objects(reply.choices).map((choice) => [choice.index, (choice.text as string).length, choice.finish_reason]),
    ).toEqual([
      [0, 64, 'length'],
      [1, 64, 'length'],
      [2, 64, 'length'],
      [3, 64, 'length'],
    ]);
  });
});

describe('embeddings', () => {
  const vectors = (body: JsonObject) =>
    objects(answerJson(invent(call('openai', 'embeddings', { model: 'm', ...body }), OPTIONS, NO_ORDER)).data).map(
      (item) => item.embedding,
    );

  test('have length 1 and the dimensions asked for', () => {
    const [vector] = vectors({ input: 'x', dimensions: 8 }) as number[][];
    expect(vector).toHaveLength(8);
    expect(Math.hypot(...(vector ?? []))).toBeCloseTo(1, 5);
    expect(vectors({ input: 'x' })[0]).toHaveLength(1536);
  });

  test('in base64 are the same numbers as little-endian float32', () => {
    const [numbers] = vectors({ input: 'x', dimensions: 4 }) as number[][];
    const [text] = vectors({ input: 'x', dimensions: 4, encoding_format: 'base64' }) as string[];
    const bytes = Buffer.from(text ?? '', 'base64');
    expect([0, 4, 8, 12].map((at) => bytes.readFloatLE(at))).toEqual(numbers ?? []);
  });

  test('of the same text are equal wherever it stands; token lists count as one input', () => {
    const [first, second] = vectors({ input: ['a', 'b'], dimensions: 4 });
    expect(vectors({ input: 'b', dimensions: 4 })[0]).toEqual(second);
    expect(first).not.toEqual(second);
    expect(vectors({ input: [1, 2, 3], dimensions: 4 })).toHaveLength(1);
    expect(vectors({ input: [[1, 2], [3]], dimensions: 4 })).toHaveLength(2);
  });
});
