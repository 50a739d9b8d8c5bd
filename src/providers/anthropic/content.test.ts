import { describe, expect, test } from 'bun:test';
import { type Given, refused, requested } from '../../../test/support/anthropic-call.ts';
import type { Json } from '../../core/json.ts';

function block(part: object, given: Given = {}): Json | undefined {
  const { json } = requested({ messages: [{ role: 'user', content: [part] }] }, given);
  return ((json.messages as { content: Json[] }[])[0] as { content: Json[] }).content[0];
}

const image = (url: string, more: object = {}) => ({ type: 'image_url', image_url: { url, ...more } });
const file = (members: object) => ({ type: 'file', file: members });
const base64 = (type: string, media_type: string) => ({ type, source: { type: 'base64', media_type, data: 'AAAA' } });

describe('parts of a message', () => {
  test.each([
    [
      'an image by URL',
      image('https://x.test/a.png', { detail: 'high' }),
      { type: 'image', source: { type: 'url', url: 'https://x.test/a.png' } },
    ],
    [
      'an image URL as a bare string',
      { type: 'image_url', image_url: 'https://x.test/a' },
      { type: 'image', source: { type: 'url', url: 'https://x.test/a' } },
    ],
    ['a PNG', image('data:image/png;base64,AAAA'), base64('image', 'image/png')],
    ['jpg, which is no media type', image('data:image/jpg;base64,AAAA'), base64('image', 'image/jpeg')],
    ['a media type with parameters', image('data:image/webp;q=1;base64,AAAA'), base64('image', 'image/webp')],
    ['a declared format', image('data:;base64,AAAA', { format: 'image/gif' }), base64('image', 'image/gif')],
    ['a PDF as image', image('data:application/pdf;base64,AAAA'), base64('document', 'application/pdf')],
    [
      'a PDF file',
      file({ file_data: 'data:application/pdf;base64,AAAA', filename: 'a.pdf' }),
      { ...base64('document', 'application/pdf'), title: 'a.pdf' },
    ],
    ['a file without prefix', file({ file_data: 'AAAA' }), base64('document', 'application/pdf')],
    [
      'a picture as file',
      file({ file_data: 'data:image/png;base64,AAAA', filename: 'a.png' }),
      base64('image', 'image/png'),
    ],
    [
      'a text file',
      file({ file_data: 'data:text/plain;base64,R3LDvMOfZQ==', filename: 'a.txt' }),
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'Grüße' }, title: 'a.txt' },
    ],
    [
      'a file by URL',
      file({ file_id: 'https://x.test/a.pdf' }),
      { type: 'document', source: { type: 'url', url: 'https://x.test/a.pdf' } },
    ],
    [
      'a file by id',
      file({ file_id: 'file_011' }),
      { type: 'document', source: { type: 'file', file_id: 'file_011' } },
    ],
    [
      "Anthropic's own part",
      { type: 'search_result', source: 's', title: 't', content: [] },
      { type: 'search_result', source: 's', title: 't', content: [] },
    ],
    ['a refusal', { type: 'refusal', refusal: 'No.' }, { type: 'text', text: 'No.' }],
  ])('%s', (_, part, expected) => {
    expect(block(part)).toEqual(expected);
  });

  test.each([
    ['plain http', image('http://x.test/a.png')],
    ['a data URI that is not base64', image('data:image/png,AAAA')],
    ['a type of image that Anthropic lacks', image('data:image/tiff;base64,AAAA')],
    ['an OpenAI file id', file({ file_id: 'file-abc' })],
    ['a file without content', file({})],
    ['an image without URL', { type: 'image_url', image_url: {} }],
    ['a video', { type: 'video_url', video_url: {} }],
  ])('%s is refused', (_, part) => {
    expect(refused({ messages: [{ role: 'user', content: [part] }] }).reason).toBe('invalid-parameter');
  });

  test('sound is refused, or left out when parameters may be dropped', () => {
    const audio = { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } };
    expect(refused({ messages: [{ role: 'user', content: [audio] }] }).reason).toBe('unsupported-parameters');
    const { json, dropped } = requested({ messages: [{ role: 'user', content: [audio] }] }, { dropParams: true });
    expect(json.messages).toEqual([{ role: 'user', content: [{ type: 'text', text: '.' }] }]);
    expect(dropped).toEqual(['input_audio']);
  });

  test('a file id asks for the beta', () => {
    const { headers } = requested({ messages: [{ role: 'user', content: [file({ file_id: 'file_011' })] }] });
    expect(headers).toContainEqual(['anthropic-beta', 'files-api-2025-04-14']);
  });
});

describe('cache marks', () => {
  test.each([
    ['cache_control as it is', { cache_control: { type: 'ephemeral', ttl: '1h' } }, { type: 'ephemeral', ttl: '1h' }],
    ['a breakpoint', { prompt_cache_breakpoint: { mode: 'explicit' } }, { type: 'ephemeral' }],
    [
      'a long breakpoint',
      { prompt_cache_breakpoint: { mode: 'explicit', ttl: '12h' } },
      { type: 'ephemeral', ttl: '1h' },
    ],
  ])('%s', (_, mark, expected) => {
    expect(block({ type: 'text', text: 'x', ...mark })).toEqual({ type: 'text', text: 'x', cache_control: expected });
  });

  test('of six breakpoints the last four are kept', () => {
    const parts = [1, 2, 3, 4, 5, 6].map((n) => ({
      type: 'text',
      text: `${n}`,
      prompt_cache_breakpoint: { mode: 'explicit' },
    }));
    const { json } = requested({ messages: [{ role: 'user', content: parts }] });
    const [turn] = json.messages as { content: { text: string; cache_control?: object }[] }[];
    expect(turn?.content.filter((part) => part.cache_control).map((part) => part.text)).toEqual(['3', '4', '5', '6']);
  });

  test('a cache mark on a tool result and on a tool call stays there', () => {
    const cache_control = { type: 'ephemeral' };
    const { json } = requested({
      tools: [{ type: 'function', function: { name: 'f' } }],
      messages: [
        { role: 'user', content: 'A' },
        {
          role: 'assistant',
          tool_calls: [{ id: 't', type: 'function', cache_control, function: { name: 'f', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 't', content: 'x', cache_control },
      ],
    });
    expect(json.messages).toMatchObject([
      {},
      { content: [{ type: 'tool_use', cache_control }] },
      { content: [{ type: 'tool_result', cache_control }] },
    ]);
  });
});
