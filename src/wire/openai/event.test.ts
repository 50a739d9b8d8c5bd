import { describe, expect, test } from 'bun:test';
import { SseSplitter } from '../sse.ts';
import { type EventFacts, inspectEvent } from './event.ts';

function facts(payload: string, name?: string): EventFacts {
  const seen: EventFacts[] = [];
  const text = `${name === undefined ? '' : `event: ${name}\n`}data: ${payload.replaceAll('\n', '\ndata: ')}\n\n`;
  new SseSplitter().push(Buffer.from(text), (event) => seen.push(inspectEvent(event)));
  expect(seen).toHaveLength(1);
  return seen[0] as EventFacts;
}

const names = (found: EventFacts) => Object.entries(found).flatMap(([name, holds]) => (holds ? [name] : []));
const delta = (members: string, finish = 'null') =>
  `{"id":"c","choices":[{"index":0,"delta":{${members}},"finish_reason":${finish}}]}`;

describe('an event', () => {
  test.each<[string, string, readonly (keyof EventFacts)[]]>([
    ['the end', '[DONE]', ['isDone']],
    ['the end with blanks around', ' [DONE] ', ['isDone']],
    ['text', delta('"content":"hi"'), ['isMeaningful']],
    ['the opening chunk', delta('"role":"assistant","content":"","refusal":null'), []],
    ['the opening chunk of tool calls', delta('"role":"assistant","content":null'), []],
    ['an empty delta', delta(''), []],
    ['a refusal', delta('"refusal":"No."'), ['isMeaningful']],
    ['a tool call', delta('"tool_calls":[{"index":0,"function":{"arguments":""}}]'), ['isMeaningful']],
    ['no tool calls', delta('"content":"","tool_calls":[]'), []],
    ['a function call', delta('"function_call":{"arguments":"{"}'), ['isMeaningful']],
    ['reasoning as DeepSeek has it', delta('"content":null,"reasoning_content":"Hm"'), ['isMeaningful']],
    ['reasoning as Groq has it', delta('"reasoning":"Hm","channel":"analysis"'), ['isMeaningful']],
    ['encrypted reasoning', delta('"content":"","reasoning_details":[{"data":"x"}]'), ['isMeaningful']],
    ['content in parts, as Mistral has it', delta('"content":[{"type":"thinking","thinking":[]}]'), ['isMeaningful']],
    ['audio', delta('"audio":{"data":"AAAA"}'), ['isMeaningful']],
    ['text of a legacy completion', '{"choices":[{"text":" a","index":0,"finish_reason":null}]}', ['isMeaningful']],
    ['empty text of a legacy completion', '{"choices":[{"text":"","index":0,"finish_reason":null}]}', []],
    ['the second of two choices', '{"choices":[{"delta":{}},{"delta":{"content":"b"}}]}', ['isMeaningful']],
    ['a finish reason', delta('', '"stop"'), ['isMeaningful', 'hasFinish']],
    ['an empty finish reason', delta('"content":"a"', '""'), ['isMeaningful']],
    ['usage alone', '{"choices":[],"usage":{"total_tokens":1}}', ['hasUsage', 'isUsageOnly']],
    [
      'usage with the end',
      `${delta('', '"stop"').slice(0, -1)},"usage":{}}`,
      ['hasUsage', 'isMeaningful', 'hasFinish'],
    ],
    ['usage null', '{"choices":[],"usage":null}', []],
    ["Azure's opening chunk", '{"choices":[],"created":0,"id":"","prompt_filter_results":[{}]}', []],
    ['a choice without delta', '{"choices":[{"content_filter_results":{}}]}', []],
    ['choices that are none', '{"choices":[null,1,[]]}', []],
    ['an error', '{"error":{"message":"no"}}', ['hasError']],
    ['an error as text', '{"error":"no"}', ['hasError']],
    ['no error', '{"error":null,"choices":[]}', []],
    ['a broken chunk', delta('"content":"hi"').slice(0, -1), ['isMalformed']],
    ['a broken chunk with a brace at its end', '{"choices":[{"delta":{"content":"}', ['isMalformed']],
    ['JSON that is no object', '[1]', ['isMalformed']],
    ['nothing', '', ['isMalformed']],
    ['a page', '<html>', ['isMalformed']],
    ['a payload on two lines', '{"choices":\n[{"text":"a"}]}', ['isMeaningful']],
    // What the model says must not be taken for what the provider says.
    ['text about usage', delta('"content":"\\"usage\\":{\\"a\\":1},\\"error\\":{}"'), ['isMeaningful']],
    ['text about the end', delta('"content":"[DONE]"'), ['isMeaningful']],
    ['a member named like a fact deeper down', '{"choices":[{"delta":{"x":{"content":"a","error":1}}}]}', []],
    ['escaped keys', '{"\\u0065rror":1,"choices":[]}', ['hasError']],
  ])('%s', (_name, payload, expected) => {
    expect(names(facts(payload))).toEqual([...expected]);
  });

  test('named error is one whatever it holds', () => {
    expect(names(facts('{"message":"x"}', 'error'))).toEqual(['hasError']);
    expect(names(facts('oops', 'error'))).toEqual(['hasError', 'isMalformed']);
  });
});
