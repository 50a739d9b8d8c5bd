import { describe, expect, test } from 'bun:test';
import type { ChatChunk, ChatCompletion } from '../wire/openai/chat.ts';
import { completions } from './completions.ts';

const { encoder } = completions;
const text = (bytes: Uint8Array | null) => Buffer.from(bytes ?? []).toString();

describe('the answer of a chat model in the legacy shape', () => {
  test('has its text, its finish reason and its usage', () => {
    const chat = {
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'tool_calls' }],
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    } as unknown as ChatCompletion;
    expect(JSON.parse(text(encoder.reply(chat)))).toEqual({
      id: 'cmpl-1',
      object: 'text_completion',
      created: 1,
      model: 'm',
      choices: [{ index: 0, text: 'hi', logprobs: null, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    });
  });

  // Hosts that look like OpenAI leave out what nobody reads; that must not end the request.
  test.each([
    [{}],
    [{ id: 7, choices: {} }],
    [{ choices: [null, 'x', {}] }],
    [{ choices: [{ message: null, delta: null, finish_reason: 7 }] }],
    [{ choices: [{ message: { content: null } }], usage: [] }],
  ])('survives an upstream that wrote %j', (odd) => {
    expect(() => encoder.reply(odd as unknown as ChatCompletion)).not.toThrow();
    expect(text(encoder.chunk(odd as unknown as ChatChunk))).toStartWith('data: {');
  });
});
