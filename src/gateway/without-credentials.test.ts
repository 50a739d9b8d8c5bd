import { expect, test } from 'bun:test';
import type { Failure } from '../core/outcome.ts';
import { Secret } from '../core/secret.ts';
import type { UpstreamSettings } from '../core/snapshot.ts';
import { millis } from '../core/units.ts';
import { withoutCredentials } from './without-credentials.ts';

// As Azure's keys look: like nothing that could be known for a key.
const KEY = '0123456789abcdef0123456789abcdef';
const UPSTREAM: UpstreamSettings = {
  baseUrl: null,
  apiKey: new Secret(KEY),
  apiVersion: null,
  organization: null,
  extraHeaders: [['x-auth', new Secret('Token canary-in-a-header')]],
  extraBody: {},
};

const repeated = `refused api-key: ${KEY} (x-auth: Token canary-in-a-header)`;

test.each<[Failure]>([
  [{ kind: 'broken-stream', committed: true, detail: repeated }],
  [
    {
      kind: 'upstream-error',
      retryAfter: null,
      words: { status: 500, message: repeated, type: repeated, param: repeated, code: repeated },
    },
  ],
])('an upstream that repeats the request gives no credential away: %j', (failure) => {
  const text = JSON.stringify(withoutCredentials(failure, UPSTREAM));
  expect(text).not.toContain(KEY);
  expect(text).not.toContain('canary');
  expect(text).toContain('refused api-key: [redacted]');
});

test('words without a credential stay as they are', () => {
  const failure: Failure = { kind: 'timeout', phase: 'idle', limit: millis(1) };
  expect(withoutCredentials(failure, UPSTREAM)).toBe(failure);
});
