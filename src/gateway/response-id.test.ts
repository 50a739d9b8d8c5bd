import { expect, test } from 'bun:test';
import { responseIdIn } from './response-id.ts';

test.each([
  ['a whole answer', '{"id":"chatcmpl-AbC_1-2","object":"chat.completion"}', 'chatcmpl-AbC_1-2'],
  ['an answer with spaces', '{\n  "object": "chat.completion",\n  "id" : "abc"', 'abc'],
  ['an event', 'data: {"id":"chatcmpl-1","choices":[{"delta":{"tool_calls":[{"id":"call_1"}]}}]}\n\n', 'chatcmpl-1'],
  ['an event of another kind', 'event: message_start\ndata: {"id":"x:1"}\n\n', 'x:1'],
  ['no id but that of a part', '{"choices":[{"message":{"tool_calls":[{"id":"call_1"}]}}]}', null],
  ['an id that is no name', '{"id":"<b>\\n"}', null],
  ['an embedding, which has none', '{"object":"list","data":[{"embedding":[0.1]}]}', null],
  ['an id far behind', `{"a":"${'x'.repeat(300)}","id":"late"}`, null],
  ['nothing', '', null],
])('%s', (_, text, expected) => {
  const whole = Buffer.from(`....${text}`);
  expect(responseIdIn(whole.subarray(4))).toBe(expected);
});
