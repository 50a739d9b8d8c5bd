import { describe, expect, test } from 'bun:test';
import type { HeaderPair } from '../core/http.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { millis } from '../core/units.ts';
import type { ServerRequest } from '../transport/server.ts';
import { AnswerHead } from './attempt.ts';
import { type AnswerFacts, addUpstreamHeaders, answerHeaders, clientLabel, forwardedHeaders } from './headers.ts';

const FACTS: AnswerFacts = {
  callId: 'call',
  echoedId: 'request',
  modelId: null,
  modelGroup: null,
  apiBase: null,
  provider: null,
  retries: 0,
  maxRetries: null,
  fallbacks: 0,
  timeout: null,
  duration: millis(1),
  overhead: millis(0),
  dropped: [],
};

function returned(...pairs: readonly HeaderPair[]): readonly string[] {
  const headers: HeaderPair[] = [];
  addUpstreamHeaders(headers, new AnswerHead(200, pairs));
  return headers.map(([name]) => name);
}

describe('names from the configuration', () => {
  test.each([
    ['größe', 'gr%C3%B6%C3%9Fe'],
    ['🚀', '%F0%9F%9A%80'],
    ['half \ud83d of a pair', 'half %EF%BF%BD of a pair'],
    ['two\r\nx-evil: lines', 'two%0D%0Ax-evil: lines'],
  ])('%j stand in headers as %s', (name, written) => {
    const facts = { ...FACTS, modelId: name, modelGroup: name, apiBase: name, dropped: [name] };
    const values = answerHeaders(facts, 'text/plain').map(([, value]) => value);
    expect(values.filter((value) => value === written)).toHaveLength(4);
    // Whatever is there, the engine takes it.
    expect(() => new Headers(answerHeaders(facts, 'text/plain').map(([key, value]) => [key, value]))).not.toThrow();
  });
});

describe('headers of the upstream', () => {
  test('come back under a name of their own, rate limits under theirs as well', () => {
    expect(returned(['x-request-id', 'a'], ['x-ratelimit-remaining-tokens', '7'])).toEqual([
      'llm_provider-x-request-id',
      'llm_provider-x-ratelimit-remaining-tokens',
      'x-ratelimit-remaining-tokens',
    ]);
  });

  test('that repeat a credential, or tell about the account, do not come back', () => {
    expect(returned(['authorization', 'Bearer x'], ['api-key', 'x'], ['x-api-key', 'x'], ['set-cookie', 'x'])).toEqual(
      [],
    );
    expect(returned(['openai-organization', 'org-x'], ['connection', 'close'])).toEqual([]);
  });

  test('come back as far as clients can take them', () => {
    const many = Array.from({ length: 2000 }, (_, index): HeaderPair => [`x-${index}`, 'v'.repeat(20)]);
    const size = returned(...many).join('').length;
    expect(size).toBeLessThan(16 * 1024);
  });
});

test('what a client sends goes upstream only when it can be sent: else its mistake would count as a failure', () => {
  const values: Record<string, string> = {
    'openai-beta': 'a\x7fb',
    'anthropic-beta': 'ok',
    'x-client-request-id': 'ä',
  };
  const request = { header: (name: string) => values[name] ?? null } as ServerRequest; // all that is asked of it here
  const snapshot = { server: { forwardClientHeaders: false } } as Snapshot; // likewise
  expect(forwardedHeaders(request, snapshot, true)).toEqual([
    ['anthropic-beta', 'ok'],
    ['x-client-request-id', 'ä'],
  ]);
});

test.each([
  ['a-1.B:2_c', 'a-1.B:2_c'],
  ['', null],
  [null, null],
  ['a b', null],
  ['a\r\nb', null],
  ['x'.repeat(129), null],
])('the label %j of a client is taken as %j', (value, taken) => {
  expect(clientLabel(value)).toBe(taken);
});
