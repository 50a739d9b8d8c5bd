import { describe, expect, test } from 'bun:test';
import type { Answer } from './answer.ts';
import { dataEvent, jsonAnswer } from './answer.ts';
import { type Fault, parseFaults } from './fault.ts';
import { type Script, type ScriptContext, script } from './script.ts';

const stream: Answer = {
  kind: 'stream',
  status: 200,
  headers: [['content-type', 'text/event-stream']],
  events: [dataEvent({ a: 'é' }), dataEvent({ b: 2 }), dataEvent('[DONE]', 'end')],
  reads: null,
};
const whole = jsonAnswer(200, [['x-request-id', 'req_1']], { answer: 42 });

function played(answer: Answer, faults: readonly Fault[] | string, more: Partial<ScriptContext> = {}): Script {
  const list = typeof faults === 'string' ? parseFaults(faults) : faults;
  const failure = () => ({ event: dataEvent({ error: {} }), body: Buffer.from('{"error":{}}') });
  return script(answer, { faults: list, eventGap: 0, keepAlive: true, failure, ...more });
}

function text(script: Script): string {
  return Buffer.concat(script.steps.map((step) => step.bytes)).toString();
}

describe('a script', () => {
  test('carries a whole answer with its length', () => {
    expect(text(played(whole, ''))).toBe(
      'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_1\r\ncontent-length: 13\r\nconnection: keep-alive\r\n\r\n{"answer":42}',
    );
  });

  test('carries a stream in chunks, one for each event', () => {
    expect(text(played(stream, ''))).toBe(
      'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n' +
        '12\r\ndata: {"a":"é"}\n\n\r\nf\r\ndata: {"b":2}\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n',
    );
  });

  for (const [name, answer] of [
    ['stream', stream],
    ['whole answer', whole],
  ] as const) {
    for (const kind of ['reset', 'end-early', 'stall'] as const) {
      test(`of a ${name} with ${kind} at byte N is exactly its first N bytes, for every N`, () => {
        const full = Buffer.from(text(played(answer, '')));
        for (let at = 0; at < full.length; at++) {
          const cut = played(answer, [{ kind, at, of: 'response' }]);
          expect(Buffer.concat(cut.steps.map((step) => step.bytes)).equals(full.subarray(0, at))).toBe(true);
          expect(cut.ending).toBe(kind === 'end-early' ? 'fin' : kind);
        }
        expect(played(answer, [{ kind, at: full.length, of: 'response' }]).isCut).toBe(false);
      });
    }
  }

  test('cut at byte N of the body sends N bytes of payload, for every N', () => {
    const payload = stream.events.map((event) => Buffer.from(event.bytes).toString()).join('');
    const length = Buffer.byteLength(payload);
    for (let at = 0; at <= length; at++) {
      const sent = text(played(stream, [{ kind: 'reset', at, of: 'body' }]))
        .split('\r\n\r\n')
        .slice(1)
        .join('\r\n\r\n');
      const data = sent.replaceAll(/(^|\r\n)[0-9a-f]+\r\n/g, '').replace(/\r\n$/, '');
      expect(Buffer.byteLength(data.replaceAll('�', '?'))).toBe(at);
    }
  });

  const cuts: readonly (readonly [words: string, answer: Answer, end: string])[] = [
    ['stall@events:0', stream, 'connection: keep-alive\r\n\r\n'],
    ['stall@events:1', stream, 'data: {"a":"é"}\n\n\r\n'],
    ['stall@events:2', stream, 'data: {"b":2}\n\n\r\n'],
    ['stall@events:1', whole, '\r\n\r\n{"answ'],
    ['end-early@body:0', whole, '\r\n\r\n'],
  ];
  for (const [words, answer, end] of cuts) {
    test(`of a ${answer.kind} answer with ${words} ends in ${JSON.stringify(end.slice(-12))}`, () => {
      expect(text(played(answer, words))).toEndWith(end);
    });
  }

  test('with a malformed event keeps the others', () => {
    expect(text(played(stream, 'malformed@1'))).toContain('data: {"b\n\n\r\ne\r\ndata: [DONE]');
    expect(text(played(whole, 'malformed@0'))).toEndWith('content-length: 6\r\nconnection: keep-alive\r\n\r\n{"answ');
  });

  test('with an error event says nothing after it, and ends as HTTP should', () => {
    expect(text(played(stream, 'error-event@1'))).toEndWith(
      'data: {"a":"é"}\n\n\r\n14\r\ndata: {"error":{}}\n\n\r\n0\r\n\r\n',
    );
    expect(text(played(whole, 'error-event@0'))).toEndWith('\r\n\r\n{"error":{}}');
  });

  test('without its end marker ends as HTTP should', () => {
    expect(text(played(stream, 'no-end'))).toEndWith('data: {"b":2}\n\n\r\n0\r\n\r\n');
  });

  test('with a wrong length promises it and closes', () => {
    for (const [by, promised] of [
      [-5, 8],
      [5, 18],
    ] as const) {
      const wrong = played(whole, [{ kind: 'wrong-length', by }]);
      expect(text(wrong)).toContain(`content-length: ${promised}\r\nconnection: close\r\n\r\n{"answer":42}`);
      expect(wrong.ending).toBe('fin');
    }
    expect(text(played(stream, [{ kind: 'wrong-length', by: 1 }]))).not.toContain('chunked');
  });

  test('with close is empty', () => {
    expect(played(whole, 'close')).toEqual({ steps: [], ending: 'fin', isCut: true });
  });

  test('waits where latency is asked for', () => {
    const delays = (words: string, gap = 0) => played(stream, words, { eventGap: gap }).steps.map((step) => step.delay);
    expect(delays('')).toEqual([null, null, null, null, null]);
    expect(delays('latency@9')).toEqual([9, null, null, null, null]);
    expect(delays('first-event@9')).toEqual([null, 9, null, null, null]);
    expect(delays('event@9')).toEqual([null, null, 9, 9, null]);
    expect(delays('event@3', 5)).toEqual([null, null, 5, 5, null]);
  });

  test('replays recorded network reads in writes of their own', () => {
    const recorded: Answer = { ...stream, reads: [3, 20] };
    const steps = played(recorded, '').steps.slice(1, -1);
    expect(steps.map((step) => [step.payloadEnd - step.payloadStart, step.delay])).toEqual([
      [3, 0],
      [20, 0],
      [24, 0],
    ]);
  });
});
