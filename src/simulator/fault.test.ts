import { describe, expect, test } from 'bun:test';
import type { Json } from '../core/json.ts';
import { type Fault, FaultSyntax, faultsFromJson, parseFaults, statusFault } from './fault.ts';

describe('faults written as words', () => {
  const rows: readonly (readonly [words: string, faults: readonly Fault[]])[] = [
    ['429', [statusFault('rate-limit', { status: 429 })]],
    ['529', [statusFault('overloaded', { status: 529 })]],
    ['418', [statusFault('invalid-request', { status: 418 })]],
    ['insufficient-quota', [statusFault('insufficient-quota')]],
    ['latency@250', [{ kind: 'latency', head: 250, firstEvent: 0, event: 0 }]],
    ['first-event@5', [{ kind: 'latency', head: 0, firstEvent: 5, event: 0 }]],
    ['event@7', [{ kind: 'latency', head: 0, firstEvent: 0, event: 7 }]],
    ['reset@100', [{ kind: 'reset', at: 100, of: 'response' }]],
    ['end-early@body:3', [{ kind: 'end-early', at: 3, of: 'body' }]],
    ['stall@events:2', [{ kind: 'stall', at: 2, of: 'events' }]],
    ['stall', [{ kind: 'stall', at: 0, of: 'response' }]],
    ['malformed@1', [{ kind: 'malformed-event', event: 1 }]],
    ['error-event@4', [{ kind: 'error-event', event: 4, error: 'overloaded' }]],
    ['wrong-length@-5', [{ kind: 'wrong-length', by: -5 }]],
    ['no-end, close', [{ kind: 'no-end' }, { kind: 'close' }]],
    ['refuse@50', [{ kind: 'refuse', time: 50 }]],
    ['', []],
  ];
  for (const [words, faults] of rows) {
    test(`"${words}" is understood`, () => {
      expect(parseFaults(words)).toEqual([...faults]);
    });
  }
  test('a word that is no fault is named in the complaint', () => {
    expect(() => parseFaults('429, explode')).toThrow(new FaultSyntax('unknown fault "explode"'));
  });
});

describe('faults written as JSON', () => {
  const rows: readonly (readonly [json: Json, fault: Fault])[] = [
    [{ status: 429, retry_after: 2 }, statusFault('rate-limit', { status: 429, retryAfter: 2000 })],
    [
      { status: 429, retry_after_ms: 1500, retry_after: 2 },
      statusFault('rate-limit', { status: 429, retryAfter: 1500 }),
    ],
    [{ status: 429, retry_after: null }, statusFault('rate-limit', { status: 429, retryAfter: 'none' })],
    [{ error: 'context-length' }, statusFault('context-length')],
    [
      { status: 500, headers: { 'X-Odd': 'a\r\nb' }, body: { oops: 1 } },
      statusFault('server-error', { status: 500, headers: [['x-odd', 'a  b']], body: '{"oops":1}' }),
    ],
    [
      { kind: 'latency', event_ms: 20 },
      { kind: 'latency', head: 0, firstEvent: 0, event: 20 },
    ],
    [
      { kind: 'error-event', event: 2, error: 'server-error' },
      { kind: 'error-event', event: 2, error: 'server-error' },
    ],
    [
      { kind: 'stall', at: 9, of: 'body' },
      { kind: 'stall', at: 9, of: 'body' },
    ],
    [429, statusFault('rate-limit', { status: 429 })],
  ];
  for (const [json, fault] of rows) {
    test(JSON.stringify(json), () => {
      expect(faultsFromJson(json)).toEqual([fault]);
      expect(parseFaults(JSON.stringify([json]))).toEqual([fault]);
    });
  }

  const wrong: readonly (readonly [json: Json, complaint: RegExp])[] = [
    [{ kind: 'explode' }, /unknown kind "explode"; known: status, latency/],
    [{ kind: 'reset', byte: 4 }, /unknown member "byte" of the fault reset/],
    [{ kind: 'reset', at: -4 }, /at must be a number of at least 0/],
    [{ kind: 'reset', of: 'words' }, /"of" is response, body or events/],
    [{ status: 99 }, /status 99 is not one of HTTP's/],
    [{ error: 'nope' }, /unknown error "nope"; known: invalid-request/],
    [{ kind: 'wrong-length' }, /needs a number "by"/],
    [true, /a fault is an object or a word/],
  ];
  for (const [json, complaint] of wrong) {
    test(`${JSON.stringify(json)} is refused`, () => {
      expect(() => faultsFromJson(json)).toThrow(complaint);
    });
  }
});
