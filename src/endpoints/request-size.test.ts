import { describe, expect, test } from 'bun:test';
import type { JsonObject } from '../core/json.ts';
import type { RequestSize } from '../core/request-size.ts';
import type { Dialect } from '../providers/provider.ts';
import { type JsonBody, scanObject } from '../wire/json-splice.ts';
import { requestSize } from './request-size.ts';

function sizeOf(
  body: JsonObject,
  overrides: readonly JsonObject[] = [],
  dialect: Dialect = 'openai-chat',
): RequestSize {
  const bytes = Buffer.from(JSON.stringify(body));
  return requestSize(bytes, scanObject(bytes) as JsonBody, dialect, overrides);
}

describe('the bound that a client puts on its answer', () => {
  const undeclared = { kind: 'undeclared', choices: 1 } as const;
  const declared = (tokens: number, choices = 1) => ({ kind: 'declared', tokens, choices }) as const;

  test.each<[string, JsonObject, RequestSize['output']]>([
    ['nothing said', {}, undeclared],
    ['max_tokens', { max_tokens: 5 }, declared(5)],
    ['max_completion_tokens', { max_completion_tokens: 5 }, declared(5)],
    ['the larger of both', { max_tokens: 5, max_completion_tokens: 9 }, declared(9)],
    ['n answers', { max_tokens: 5, n: 3 }, declared(5, 3)],
    ['best_of, of which n are shown', { max_tokens: 5, n: 2, best_of: 4 }, declared(5, 4)],
    ['n answers of any length', { n: 3 }, { kind: 'undeclared', choices: 3 }],
    ['no number', { max_tokens: '5' }, undeclared],
    ['null', { max_tokens: null }, undeclared],
    ['less than nothing', { max_tokens: -5 }, undeclared],
    ['a fraction', { max_tokens: 5.5 }, undeclared],
  ])('%s', (_name, body, expected) => {
    expect(sizeOf({ model: 'm', ...body }).output).toEqual(expected);
  });

  test('a fallback that asks for more counts, and one that asks for less does not', () => {
    const body = { model: 'm', max_tokens: 5 };
    expect(sizeOf(body, [{ max_tokens: 500, n: 2 }]).output).toEqual(declared(500, 2));
    expect(sizeOf(body, [{ max_tokens: 1 }]).output).toEqual(declared(5));
    expect(sizeOf({ model: 'm' }, [{ max_tokens: 500 }]).output).toEqual(undeclared);
  });

  test('an embedding has no answer', () => {
    expect(sizeOf({ model: 'm', input: 'x' }, [], 'openai-embeddings').output).toEqual({ kind: 'none' });
  });
});

describe('pictures, sounds and files', () => {
  const ask = (...content: readonly JsonObject[]) => sizeOf({ messages: [{ role: 'user', content }] });

  test.each<[string, RequestSize, Partial<RequestSize>]>([
    ['text alone', ask({ type: 'text', text: 'hello' }), { pictures: 0, documents: 0, mediaBytes: 0 }],
    [
      'a picture by its address',
      ask({ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }),
      { pictures: 1, mediaBytes: 0 },
    ],
    [
      'a picture inside',
      ask({ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }),
      { pictures: 1, mediaBytes: 4 },
    ],
    ['the form of Anthropic', ask({ type: 'image', source: { type: 'base64', data: 'AAAA' } }), { pictures: 1 }],
    [
      'a sound',
      ask({ type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }),
      { pictures: 0, documents: 2 },
    ],
    ['a file', ask({ type: 'file', file: { file_id: 'file-1' } }), { documents: 2 }],
    [
      'a text that speaks of one',
      ask({ type: 'text', text: '{"type": "image_url", "file": "input_audio"}' }),
      { pictures: 0, documents: 0 },
    ],
  ])('%s', (_name, size, expected) => {
    expect(size).toMatchObject(expected);
  });

  test('every byte is text or media', () => {
    const body = { messages: [{ content: [{ image_url: { url: `data:image/png;base64,${'A'.repeat(5000)}` } }] }] };
    const { textBytes, mediaBytes } = sizeOf(body);
    expect([mediaBytes, textBytes + mediaBytes]).toEqual([5000, JSON.stringify(body).length]);
  });
});
