import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { TEST_KEY, testCall, testContext, testDeployment, testHead } from '../../test/support/call.ts';
import { expectOneCredential } from '../../test/support/credential.ts';
import { play } from '../../test/support/play.ts';
import type { CallContext, ClientCall, Facet, Provider } from './provider.ts';
import { PROVIDERS } from './registry.ts';

// Laws that every provider keeps. What is one provider's own is in its fixtures (fixtures.test.ts).

const providers = [...PROVIDERS.values()];

const MINIMAL = {
  chat: '{"model":"m","messages":[{"role":"user","content":"hi"}]}',
  completions: '{"model":"m","prompt":"hi"}',
  embeddings: '{"model":"m","input":"hi"}',
} as const;
type Family = keyof typeof MINIMAL;
const FAMILIES = Object.keys(MINIMAL) as Family[];

const facets = providers.flatMap((provider) =>
  FAMILIES.flatMap((family) => {
    const facet = provider[family];
    return facet === undefined ? [] : [[`${provider.id} ${family}`, provider, family, facet] as const];
  }),
);

function minimal(provider: Provider, family: Family, isStreaming: boolean): { call: ClientCall; context: CallContext } {
  const body = isStreaming ? MINIMAL[family].replace(/}$/, ',"stream":true}') : MINIMAL[family];
  const call = testCall(Buffer.from(body));
  const baseUrl = provider.defaults.baseUrl ?? 'https://upstream.example/v1';
  const deployment = testDeployment(provider.id, 'm', { baseUrl, apiVersion: '2024-10-21' });
  return { call, context: testContext(deployment, call) };
}

describe('the registry', () => {
  test('names every provider by its own id', () => {
    expect(providers.length).toBeGreaterThan(20);
    for (const [id, provider] of PROVIDERS) expect(provider.id).toBe(id);
  });

  test('has providers that serve something', () => {
    const idle = providers.filter((provider) => FAMILIES.every((family) => provider[family] === undefined));
    expect(idle.map((provider) => provider.id)).toEqual([]);
  });
});

describe.each(facets)('%s', (_name, provider, family, facet) => {
  test('sends the smallest request, the credential in one header and nowhere else', () => {
    const { call, context } = minimal(provider, family, false);
    const request = facet.request(call, context);
    if (request.kind === 'refused') throw new Error(request.message);
    expect(URL.canParse(request.url)).toBe(true);
    expect(request.dropped).toEqual([]);
    expectOneCredential(request);
  });

  test('asks for the model of the deployment, not for the one that the client named', () => {
    const { call, context } = minimal(provider, family, false);
    const request = facet.request(call, { ...context, model: 'upstream-model' });
    if (request.kind === 'refused') throw new Error(request.message);
    const { model } = JSON.parse(Buffer.concat(request.body).toString()) as { model?: string };
    expect(`${request.url} ${model}`).toContain('upstream-model');
    expect(model).not.toBe('m');
  });

  if (provider.defaults.needsKey) {
    test('does not call without a key', () => {
      const { call, context } = minimal(provider, family, false);
      const { deployment } = context;
      // A server of one's own behind the provider's name may take no key; the provider's own address never does.
      const baseUrl = provider.defaults.baseUrl === null ? deployment.upstream.baseUrl : null;
      const upstream = { ...deployment.upstream, apiKey: null, baseUrl };
      const request = facet.request(call, { ...context, deployment: { ...deployment, upstream } });
      expect(request).toMatchObject({ kind: 'refused', reason: 'misconfigured' });
    });
  }

  test('answers any bytes with a reply or a failure, and never throws', () => {
    const { context } = minimal(provider, family, false);
    fc.assert(
      fc.property(bodies, (body) => {
        const reply = facet.reply(testHead(200, { 'content-type': 'application/json' }), Buffer.from(body), context);
        expect(['bytes', 'chat', 'failed']).toContain(reply.kind);
      }),
      { numRuns: 60 },
    );
  });

  if (facet.speaks !== null) passThroughLaws(provider, family, facet);
  if (family === 'embeddings') return;

  test.each([
    ['nothing', ''],
    ['a comment', ': hello\n\n'],
    ['a page', '<html>down</html>\n\n'],
    ['JSON that is no event', '{"error":{"message":"no"}}'],
    ['events of nothing', 'data: {}\n\ndata: {}\n\n'],
    ['only the end', 'data: [DONE]\n\n'],
  ])('takes a stream of %s for a failure', (_case, body) => {
    const { context } = minimal(provider, family, true);
    expect(play(facet.stream(context), [Buffer.from(body)])).toMatchObject({ end: 'failed' });
  });

  test('ends any stream once, and says nothing afterwards', () => {
    const { context } = minimal(provider, family, true);
    fc.assert(
      fc.property(streams, (body) => {
        const { calls, end } = play(facet.stream(context), [Buffer.from(body)]);
        const last = calls.at(-1) ?? '';
        expect(last === 'complete' || last.startsWith('fail ')).toBe(true);
        expect(end).not.toBe('open');
        expect(calls.filter((each) => each === 'complete' || each.startsWith('fail '))).toHaveLength(1);
      }),
      { numRuns: 60 },
    );
  });
});

/** Same dialect on both sides: what nobody has to change keeps its bytes. */
function passThroughLaws(provider: Provider, family: Family, facet: Facet): void {
  const odd = '"x_big" :\t9007199254740993,\n "x_huge":1e400 , "x_text":"\\u00e9\\/", "x_null":null';

  test('sends members that it does not know as they came', () => {
    const { context } = minimal(provider, family, false);
    const call = testCall(Buffer.from(MINIMAL[family].replace(/}$/, `, ${odd} }`)));
    const request = facet.request(call, context);
    if (request.kind === 'refused') throw new Error(request.message);
    expect(Buffer.concat(request.body).toString()).toContain(odd);
    expect(request.dropped).toEqual([]);
  });

  test('gives back a complete answer as it came', () => {
    const { context } = minimal(provider, family, false);
    const list = family === 'embeddings' ? '"data":[ ]' : '"choices" : [{"index":0,"finish_reason":"stop"}]';
    const body = Buffer.from(`\n\n{ ${odd},${list} }\n`);
    const reply = facet.reply(testHead(200, { 'content-type': 'application/json' }), body, context);
    if (reply.kind !== 'bytes') throw new Error(reply.kind);
    expect(Buffer.from(reply.body).toString()).toBe(body.toString());
  });

  if (family === 'embeddings') return;

  test('gives back a stream as it came, up to its end', () => {
    const { context } = minimal(provider, family, true);
    const output = family === 'chat' ? '"delta":{"content":"\\u00e9"}' : '"text":"\\u00e9"';
    const chunk = (finish: string) =>
      `id: 7\r\ndata:{ ${odd.replace('\n', ' ')}, "choices":[{${output},"finish_reason":${finish}}] }\r\n\r\n`;
    const stream = Buffer.from(`${chunk('null')}${chunk('"stop"')}data: [DONE]\n\ndata: more\n\n`);
    const { client, end } = play(facet.stream(context), [stream]);
    expect(end).toBe('complete');
    expect(client.toString()).toBe(stream.toString().replace('data: more\n\n', ''));
  });
}

describe.each(providers.map((provider) => [provider.id, provider] as const))('%s', (_id, provider) => {
  test('classifies any error answer, and keeps its status', () => {
    fc.assert(
      fc.property(fc.integer({ min: 300, max: 599 }), bodies, (status, body) => {
        const failure = provider.classify(testHead(status, { 'retry-after': '1' }), Buffer.from(body));
        if ('words' in failure) expect(failure.words.status).toBe(status);
        expect(JSON.stringify(failure).length).toBeLessThan(40_000);
      }),
      { numRuns: 60 },
    );
  });

  test('does not repeat a credential that the provider repeats', () => {
    const body = JSON.stringify({ error: { message: `Incorrect API key provided: ${TEST_KEY}.` } });
    expect(JSON.stringify(provider.classify(testHead(401, {}), Buffer.from(body)))).not.toContain(TEST_KEY);
  });

  test.each([
    [401, 'rejected', 'credential'],
    [404, 'rejected', 'not-found'],
    [429, 'rate-limited', undefined],
    [500, 'upstream-error', undefined],
    [503, 'upstream-error', undefined],
    [529, 'upstream-error', undefined],
  ])('knows a %i by its status alone', (status, kind, reason) => {
    const failure = provider.classify(testHead(status, {}), Buffer.from(''));
    expect(failure).toMatchObject(reason === undefined ? { kind } : { kind, reason: reason as 'credential' });
  });
});

const json = fc.constantFrom(
  '{}',
  '{"error":{"message":"no","type":"overloaded_error"}}',
  '{"error":"no"}',
  '{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}',
  '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
  '{"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}',
  '{"choices":[],"usage":{"prompt_tokens":1}}',
  '{"type":"message_start","message":{"usage":{"input_tokens":1}}}',
  '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
  '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}',
  '{"type":"content_block_stop","index":0}',
  '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}',
  '{"type":"message_stop"}',
  '{"type":"message","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{}}',
  '{"content":[null,1,{"type":7}],"usage":null}',
  '[DONE]',
  '{"choices":[{"delta":null}]}',
  '{"choices":null,"type":null}',
);
const bodies = fc.oneof(
  json,
  fc.json(),
  fc.string(),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
);
const streams = fc
  .array(fc.oneof(json, fc.json(), fc.constantFrom('<html>', '')), { maxLength: 8 })
  .map((payloads) => payloads.map((payload) => `data: ${payload.replaceAll('\n', ' ')}\n\n`).join(''));
