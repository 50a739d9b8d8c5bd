import { expect, test } from 'bun:test';
import { completionToChunks } from './synthetic.ts';

const COMPLETION = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  system_fingerprint: 'fp',
  choices: [
    {
      index: 0,
      message: {
        role: 'assistant',
        content: null,
        reasoning_content: 'hm',
        tool_calls: [{ id: 'a', type: 'function' }, { id: 'b' }],
      },
      logprobs: null,
      finish_reason: 'tool_calls',
    },
    { index: 1, message: { role: 'assistant', content: 'hi' } },
  ],
  usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
};

test('an answer becomes a chunk and an end for each choice, then usage', () => {
  const base = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm', system_fingerprint: 'fp' };
  expect(completionToChunks(COMPLETION) as unknown).toEqual([
    {
      ...base,
      choices: [
        {
          index: 0,
          delta: {
            role: 'assistant',
            content: null,
            reasoning_content: 'hm',
            tool_calls: [
              { index: 0, id: 'a', type: 'function' },
              { index: 1, id: 'b' },
            ],
          },
          logprobs: null,
          finish_reason: null,
        },
      ],
    },
    { ...base, choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: 'tool_calls' }] },
    { ...base, choices: [{ index: 1, delta: { role: 'assistant', content: 'hi' }, finish_reason: null }] },
    { ...base, choices: [{ index: 1, delta: {}, logprobs: null, finish_reason: 'stop' }] },
    { ...base, choices: [], usage: COMPLETION.usage },
  ]);
});

test('what is no answer gives no chunks', () => {
  expect(completionToChunks({ error: { message: 'no' } })).toEqual([]);
  expect(completionToChunks({ choices: 'x', usage: {} })).toEqual([]);
});
