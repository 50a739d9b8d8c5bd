import { afterAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { findRecording, loadCorpus, splitEvents } from './corpus.ts';

const folder = mkdtempSync(join(tmpdir(), 'tollgate-corpus-'));
afterAll(() => rmSync(folder, { recursive: true }));

function writeCase(name: string, request: object, response: object, body: string, reads: number[] | null = null): void {
  const at = join(folder, name);
  mkdirSync(at, { recursive: true });
  const isStream = body.startsWith('data:');
  const bodyFile = isStream ? 'response.sse' : 'response.body.json';
  writeFileSync(join(at, 'request.json'), JSON.stringify({ method: 'POST', path: '/v1/chat/completions', ...request }));
  writeFileSync(
    join(at, 'response.json'),
    JSON.stringify({ bodyFormat: isStream ? 'sse' : 'json', bodyFile, ...response }),
  );
  writeFileSync(join(at, bodyFile), body);
  if (reads !== null) writeFileSync(join(at, 'network-reads.json'), JSON.stringify(reads));
}

const OK = { status: 200, headers: { 'x-request-id': 'req_1', 'content-length': '9' } };
writeCase('openai/plain', { body: { model: 'm1' } }, OK, '{"a": 1}\n');
writeCase('openai/plain-2', { body: { model: 'm2' } }, OK, '{"a": 2}');
writeCase('openai/refused', { body: { model: 'm3' } }, { ...OK, status: 401 }, '{"error": 1}');
writeCase('openai/stream', { body: { model: 'm1', stream: true } }, OK, 'data: {"a":1}\n\ndata: [DONE]\n\n', [4, 20]);

const corpus = loadCorpus(folder);
const ask = (model: string, stream = false, turn = 0) =>
  findRecording(corpus, { method: 'POST', path: '/v1/chat/completions', model, stream, turn })?.name ?? null;

describe('a corpus', () => {
  test('is loaded with the recorded bytes, without headers of the recorded connection', () => {
    const plain = corpus.find((one) => one.name === 'openai/plain');
    expect(plain).toMatchObject({ method: 'POST', model: 'm1', stream: false });
    expect(plain?.answer.kind === 'whole' && Buffer.from(plain.answer.body).toString()).toBe('{"a": 1}\n');
    expect(plain?.answer.headers).toEqual([['x-request-id', 'req_1']]);
    expect(corpus.find((one) => one.name === 'openai/stream')?.answer).toMatchObject({
      kind: 'stream',
      reads: [4, 20],
    });
  });

  test('answers with the recording of the same model and streaming', () => {
    expect([ask('m1'), ask('m2'), ask('m3'), ask('m1', true)]).toEqual([
      'openai/plain',
      'openai/plain-2',
      'openai/refused',
      'openai/stream',
    ]);
  });

  test('goes round the successful recordings for a model it does not know', () => {
    expect([0, 1, 2].map((turn) => ask('other', false, turn))).toEqual([
      'openai/plain',
      'openai/plain-2',
      'openai/plain',
    ]);
  });

  test('knows nothing of other paths', () => {
    expect(findRecording(corpus, { method: 'POST', path: '/v1/x', model: 'm1', stream: false, turn: 0 })).toBeNull();
  });

  test('events of a stream joined again are its bytes, whatever they are', () => {
    const piece = fc.constantFrom('data: {"a":1}', '\n\n', '\r\n\r\n', '\n', '\r\n', ': ping', 'event: x\n', 'é', '\r');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (parts) => {
        const bytes = Buffer.from(parts.join(''));
        expect(Buffer.concat(splitEvents(bytes).map((event) => event.bytes)).equals(bytes)).toBe(true);
      }),
    );
  });

  test('events are cut at blank lines of either kind, and the end is marked', () => {
    const bytes = Buffer.from('data: 1\n\nevent: message_stop\r\ndata: 2\r\n\r\n: note\n\ndata: [DONE]\n\n');
    expect(splitEvents(bytes).map((event) => [event.role, Buffer.from(event.bytes).toString()])).toEqual([
      ['data', 'data: 1\n\n'],
      ['end', 'event: message_stop\r\ndata: 2\r\n\r\n'],
      ['data', ': note\n\n'],
      ['end', 'data: [DONE]\n\n'],
    ]);
  });
});
