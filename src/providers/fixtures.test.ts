import { describe, expect, test } from 'bun:test';
import { TEST_KEY, testCall, testContext, testDeployment, testHead } from '../../test/support/call.ts';
import { comparable } from '../../test/support/comparable.ts';
import { expectOneCredential } from '../../test/support/credential.ts';
import { type Fixture, loadFixtures } from '../../test/support/fixtures.ts';
import { type Folded, fold } from '../../test/support/fold.ts';
import { cut, type Played, play } from '../../test/support/play.ts';
import type { JsonObject } from '../core/json.ts';
import type { CallContext, ClientCall, Facet, Provider, Reply } from './provider.ts';
import { PROVIDERS } from './registry.ts';

// Every behaviour of every provider: bytes in, exact bytes out. See __fixtures__.md.

const FIXTURES = loadFixtures(import.meta.dir);

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
  const call = testCall(fixture.request ?? Buffer.from('{"model":"m","messages":[]}'));
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
    if (body !== undefined) expect(JSON.parse(Buffer.concat(request.body).toString())).toEqual(body);
    if (fixture.upstreamBody !== null) {
      expect(Buffer.concat(request.body).toString()).toBe(withoutLineEnd(fixture.upstreamBody));
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
