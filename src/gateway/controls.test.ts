import { describe, expect, test } from 'bun:test';
import { millis } from '../core/units.ts';
import type { ServerRequest } from '../transport/server.ts';
import { scanObject } from '../wire/json-splice.ts';
import { readControls } from './controls.ts';

function read(body: object, headers: Record<string, string> = {}, allowPlaces = false) {
  const request = { header: (name: string) => headers[name] ?? null } as ServerRequest; // all that is asked of it here
  const scanned = scanObject(Buffer.from(JSON.stringify(body)));
  if (scanned.kind === 'fault') throw new Error(scanned.message);
  return readControls(request, scanned, allowPlaces);
}

describe('limits in headers', () => {
  test.each([
    ['30', millis(30_000)],
    ['0.5', millis(500)],
    // An empty or senseless value must not end every request at once.
    ['', null],
    [' ', null],
    ['0', null],
    ['-1', null],
    ['soon', null],
    ['Infinity', null],
  ])('%j is read as %j', (value, expected) => {
    const names = { 'x-litellm-timeout': value, 'x-litellm-stream-timeout': value, 'x-stainless-timeout': value };
    expect(read({ model: 'm' }, names)).toMatchObject({
      routing: { timeout: expected, streamTimeout: expected, totalTimeout: expected },
    });
  });

  test('no retries can be asked for', () => {
    expect(read({ model: 'm' }, { 'x-litellm-num-retries': '0' })).toMatchObject({ routing: { numRetries: 0 } });
  });
});

describe('a credential of the client', () => {
  test.each([['sk-\u0000'], ['sk-\r\nx-evil: 1'], ['ключ'], ['\ud800'], ['x'.repeat(2049)]])(
    '%j cannot be sent and is refused as the mistake that it is',
    (api_key) => {
      expect(read({ model: 'm', api_key })).toMatchObject({ kind: 'invalid-parameter', param: 'api_key' });
    },
  );

  test('an address is refused unless the operator allows it, and a long one always', () => {
    expect(read({ model: 'm', api_base: 'http://x' })).toMatchObject({ kind: 'client-credentials' });
    expect(read({ model: 'm', api_base: 'http://x/' }, {}, true)).toMatchObject({
      credentials: { baseUrl: 'http://x' },
    });
    // Taking the slashes off the end of this one would stop the gateway for seconds.
    expect(read({ model: 'm', api_base: `${'/'.repeat(200_000)}x` }, {}, true)).toMatchObject({ param: 'api_base' });
  });
});

describe('a session', () => {
  test.each([
    [{}, { 'x-litellm-session-id': 'a', 'x-litellm-trace-id': 'b' }, 'a'],
    [{}, { 'x-litellm-trace-id': 'b' }, 'b'],
    [{ litellm_session_id: 'c', litellm_trace_id: 'd' }, {}, 'c'],
    [{ litellm_trace_id: 'd', metadata: { session_id: 'e' } }, {}, 'd'],
    [{ metadata: { session_id: 'e' } }, {}, 'e'],
    [{ litellm_session_id: 7, metadata: { session_id: '' } }, {}, null],
    [{}, { 'x-litellm-session-id': 'l'.repeat(1000) }, 'l'.repeat(256)],
    [{}, {}, null],
  ])('of %j with %j is %j', (body, headers, session) => {
    expect(read({ model: 'm', ...body }, headers as Record<string, string>)).toMatchObject({ session });
  });
});
