import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { TEST_KEY, testCall, testContext, testDeployment, testHead } from '../../test/support/call.ts';
import { comparable } from '../../test/support/comparable.ts';
import { type Fixture, loadFixtures } from '../../test/support/fixtures.ts';
import { type Folded, fold } from '../../test/support/fold.ts';
import { cut, type Played, play } from '../../test/support/play.ts';
import type { JsonObject } from '../core/json.ts';
import type { CallContext, ClientCall, Facet, Provider, Reply, UpstreamRequest } from './provider.ts';
import { PROVIDERS } from './registry.ts';

// Laws that every provider keeps, and the fixtures of each. See __fixtures__.md.

const FIXTURES = loadFixtures(import.meta.dir);
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

function expectOneCredential(request: UpstreamRequest): void {
  expect(request.headers.filter(([, value]) => value.includes(TEST_KEY))).toHaveLength(1);
  expect(request.url).not.toContain(TEST_KEY);
  expect(Buffer.from(request.body).toString()).not.toContain(TEST_KEY);
}

// Fixtures

describe('the fixtures', () => {
  test('are there for every folder of providers', () => {
    const folders = new Set(FIXTURES.map((fixture) => fixture.name.split('/')[0]));
    expect([...folders]).toEqual(['anthropic', 'azure', 'openai', 'openai-compatible']);
  });

  test('all expect something', () => {
    const idle = FIXTURES.filter(
      ({ upstreamRequest, refusal, body, expectedBody, outcome, stream, expectedStream }) =>
        upstreamRequest === null &&
        refusal === null &&
        (body === null || (expectedBody === null && outcome === null)) &&
        (stream === null || (expectedStream === null && outcome === null)),
    );
    expect(idle.map(({ name }) => name)).toEqual([]);
  });
});

interface Staged {
  readonly facet: Facet;
  readonly call: ClientCall;
  readonly context: CallContext;
}

/** The fixture's call as the gateway would make it; `context.answer` is what building the request noted. */
function stage(fixture: Fixture, isStreaming: boolean): Staged {
  const provider = PROVIDERS.get(fixture.provider);
  if (provider === undefined) throw new Error(`no provider ${fixture.provider}`);
  const call = testCall(fixture.request ?? Buffer.from(MINIMAL.chat));
  const { settings } = fixture;
  const model = settings.model ?? String(call.body.value('model'));
  const deployment = testDeployment(provider.id, model, settings.upstream, settings.deployment);
  const facet = {
    'openai-chat': provider.chat,
    'openai-completions': provider.completions,
    'openai-embeddings': provider.embeddings,
  }[call.dialect];
  if (facet === undefined) throw new Error(`${provider.id} does not serve ${call.dialect}`);
  const context = testContext(deployment, call, { isStreaming, ...settings.context });
  const request = fixture.request === null ? null : facet.request(call, context);
  const answer = request?.kind === 'request' ? (request.answer ?? null) : null;
  return { facet, call, context: { ...context, answer } };
}

/** A stream is played once for each of its bytes. */
const PATIENCE = 60_000;

const compact = (text: Buffer) => JSON.stringify(JSON.parse(text.toString()));
const withoutLineEnd = (text: Buffer) => text.toString().replace(/\n$/, '');

function replyOf(fixture: Fixture): Reply {
  const { facet, context } = stage(fixture, false);
  return facet.reply(
    testHead(fixture.response.status, fixture.response.headers),
    fixture.body ?? Buffer.alloc(0),
    context,
  );
}

/** What the client reads of a reply. */
function clientText(reply: Reply): string {
  if (reply.kind === 'failed') throw new Error(JSON.stringify(reply.outcome));
  return reply.kind === 'bytes' ? Buffer.from(reply.body).toString() : JSON.stringify(reply.chat);
}

function played(fixture: Fixture, offsets: readonly number[] = []): Played {
  const { facet, context } = stage(fixture, true);
  return play(facet.stream(context), cut(fixture.stream as Buffer, offsets));
}

const having = (has: (fixture: Fixture) => boolean) =>
  FIXTURES.filter(has).map((fixture) => [fixture.name, fixture] as const);

describe('the request', () => {
  test.each(having((fixture) => fixture.upstreamRequest !== null))('%s', (_name, fixture) => {
    const { facet, call, context } = stage(fixture, testCall(fixture.request as Buffer).isStreaming);
    const request = facet.request(call, context);
    if (request.kind === 'refused') throw new Error(request.message);
    const { method, url, headers, body, dropped } = fixture.upstreamRequest as NonNullable<Fixture['upstreamRequest']>;
    const sent = request.headers.filter(([, value]) => !value.includes(TEST_KEY));
    expect({ method: request.method, url: request.url }).toEqual({ method: method as 'POST', url });
    expect(Object.fromEntries(sent)).toEqual({ ...headers });
    if (body !== undefined) expect(JSON.parse(Buffer.from(request.body).toString())).toEqual(body);
    if (fixture.upstreamBody !== null) {
      expect(Buffer.from(request.body).toString()).toBe(withoutLineEnd(fixture.upstreamBody));
    }
    expect(request.dropped).toEqual(dropped ?? []);
    expectOneCredential(request);
  });

  test.each(having((fixture) => fixture.refusal !== null))('%s is refused', (_name, fixture) => {
    const { facet, call, context } = stage(fixture, false);
    expect(facet.request(call, context)).toMatchObject({ kind: 'refused', ...fixture.refusal });
  });
});

describe('the complete answer', () => {
  test.each(having((fixture) => fixture.body !== null && fixture.expectedBody !== null))('%s', (_name, fixture) => {
    const reply = replyOf(fixture);
    const expected = fixture.expectedBody as Buffer;
    expect(clientText(reply).replace(/\n$/, '')).toBe(
      reply.kind === 'chat' ? compact(expected) : withoutLineEnd(expected),
    );
    if (fixture.usage !== null && reply.kind !== 'failed') expect(reply.usage).toMatchObject(fixture.usage);
  });

  test.each(having((fixture) => fixture.body !== null && fixture.outcome !== null))('%s fails', (_name, fixture) => {
    const isSuccess = fixture.response.status >= 200 && fixture.response.status < 300;
    const head = testHead(fixture.response.status, fixture.response.headers);
    const provider = PROVIDERS.get(fixture.provider) as Provider; // `stage` has said so when there is none
    const failed = { kind: 'failed', outcome: fixture.outcome as JsonObject };
    if (isSuccess) expect(replyOf(fixture)).toMatchObject(failed as never);
    else expect(provider.classify(head, fixture.body as Buffer)).toMatchObject(fixture.outcome as never);
  });
});

describe('the stream', () => {
  const streamed = having((fixture) => fixture.stream !== null);

  test.each(streamed)(
    '%s',
    (_name, fixture) => {
      const { client, usage, end, failure } = played(fixture);
      if (fixture.expectedStream !== null) expect(client.toString()).toBe(fixture.expectedStream.toString());
      if (fixture.usage !== null) expect(usage).toMatchObject(fixture.usage);
      if (fixture.outcome === null) expect({ end, failure }).toEqual({ end: 'complete', failure: null });
      else expect({ end, failure }).toMatchObject({ end: 'failed', failure: fixture.outcome as never });
    },
    PATIENCE,
  );

  test.each(streamed)(
    '%s says the same wherever it is split',
    (_name, fixture) => {
      const { calls } = played(fixture);
      const body = fixture.stream as Buffer;
      const step = body.length < 20_000 ? 1 : Math.ceil(body.length / 2000);
      for (let offset = 1; offset < body.length; offset += step) {
        expect(played(fixture, [offset]).calls, `split at byte ${offset}`).toEqual(calls);
      }
      const bytes = Array.from(body, (_, offset) => offset);
      expect(played(fixture, bytes).calls).toEqual(calls);
    },
    PATIENCE,
  );

  test.each(streamed.filter(([, fixture]) => fixture.outcome === null))(
    '%s completes only when it is whole',
    (_name, fixture) => {
      const body = fixture.stream as Buffer;
      const whole = fold(played(fixture).client);
      for (let length = 0; length < body.length; length++) {
        const { client, end } = played({ ...fixture, stream: body.subarray(0, length) });
        if (end === 'complete') expect(said(fold(client)), `cut at byte ${length}`).toEqual(said(whole));
        else expect(fold(client).isDone).toBe(false);
      }
    },
    PATIENCE,
  );

  const both = having((fixture) => fixture.stream !== null && fixture.body !== null && fixture.outcome === null);

  test.each(both)(
    '%s folds to the complete answer',
    (_name, fixture) => {
      const { client } = played(fixture);
      const reply = JSON.parse(clientText(replyOf(fixture))) as JsonObject;
      expect(comparable(fold(client), reply)).toEqual(comparable.reply(reply));
    },
    PATIENCE,
  );
});

const said = ({ choices }: Folded) => choices;
