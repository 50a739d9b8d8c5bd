import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { SseSplitter } from '../sse.ts';
import { ChunkTemplate } from './chunk-template.ts';
import { type EventFacts, EventInspector, inspectEvent } from './event.ts';

/** The facts of a stream's events by the inspector with memory, and by the one without. */
function bothFacts(payloads: readonly (string | Buffer)[]): { quick: EventFacts[]; sure: EventFacts[] } {
  const inspector = new EventInspector();
  const splitter = new SseSplitter();
  const quick: EventFacts[] = [];
  const sure: EventFacts[] = [];
  for (const payload of payloads) {
    const bytes = Buffer.concat([Buffer.from('data: '), Buffer.from(payload), Buffer.from('\n\n')]);
    splitter.push(bytes, (event) => {
      quick.push(inspector.inspect(event));
      sure.push(inspectEvent(event));
    });
  }
  return { quick, sure };
}

const chunk = (delta: object, more: object = {}) =>
  JSON.stringify({ id: 'chatcmpl-1', choices: [{ index: 0, delta, finish_reason: null, ...more }], usage: null });

describe('an inspector', () => {
  test('sees what is different in a chunk that is like the one before', () => {
    const plain = chunk({ content: 'a' });
    const others = [
      chunk({ content: '' }),
      chunk({ content: 'a' }, { finish_reason: 'stop' }),
      chunk({ content: null }),
      plain.replace('"usage":null', '"usage":{"total_tokens":1}'),
      plain.replace('"usage":null', '"error":true'),
      plain.slice(0, -1),
      plain.replace('"a"', '"a'),
      plain.replace('"a"', '"\\x"'),
      plain.replace('"a"', '"\\u00g0"'),
      plain.replace('"a"', '"a\u0001"'),
      plain.replace('"a"', '"a","content":""'),
      plain.replace('"a"', '"a"},"x":{"y":"b"'),
      `${plain} `,
      `${plain}}`,
      '[DONE]',
    ];
    for (const other of others) {
      const { quick, sure } = bothFacts([plain, plain, other, plain]);
      expect(quick, other).toEqual(sure);
    }
  });

  test('is not fooled by what the model says', () => {
    const texts = ['"usage":{"a":1}', '"},"finish_reason":"stop"', '[DONE]', '\n\ndata: x', '\\', '\\"', '😀\u2028'];
    const { quick, sure } = bothFacts(texts.map((content) => chunk({ content })));
    expect(quick).toEqual(sure);
    expect(quick.every((facts) => facts.isMeaningful && !facts.hasUsage && !facts.hasFinish)).toBe(true);
  });

  test('looks at the name of an event, whatever it holds', () => {
    const inspector = new EventInspector();
    const found: EventFacts[] = [];
    const plain = `data: ${chunk({ content: 'a' })}\n\n`;
    new SseSplitter().push(Buffer.from(`${plain}${plain}event: error\n${plain}`), (event) =>
      found.push(inspector.inspect(event)),
    );
    expect(found.map((facts) => facts.hasError)).toEqual([false, false, true]);
  });
});

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '"', '\\', '"error":{', '\\u0000', 'finish_reason'),
);
const delta = fc.oneof(
  fc.record({ content: fc.option(text) }),
  fc.record({ role: fc.constant('assistant'), content: text }),
  fc.record({ reasoning_content: text, content: fc.constant(null) }),
  fc.record({ tool_calls: fc.tuple(fc.record({ index: fc.nat(1), function: fc.record({ arguments: text }) })) }),
  fc.record({ content: fc.array(fc.record({ type: fc.constant('text'), text }), { maxLength: 2 }) }),
);
const payload = fc
  .record({
    delta,
    finish: fc.oneof(
      { weight: 5, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: fc.constantFrom('stop', '') },
    ),
    obfuscation: fc.option(text),
    usage: fc.oneof(
      { weight: 5, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: fc.constant({ total_tokens: 1 }) },
    ),
  })
  .map(({ delta, finish, obfuscation, usage }) =>
    JSON.stringify({ id: 'c', choices: [{ index: 0, delta, finish_reason: finish }], obfuscation, usage }),
  );

describe('any stream', () => {
  test('has the facts that parsing each event gives', () => {
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 12 }), (payloads) => {
        const { quick, sure } = bothFacts(payloads);
        expect(quick).toEqual(sure);
      }),
      { numRuns: 500 },
    );
  });

  test('of one kind of chunk has them too when a chunk is damaged', () => {
    const damage = fc.record({
      at: fc.nat(),
      byte: fc.constantFrom(...Buffer.from('"\\{}[],:0n \u0001'), 0xff),
      isCut: fc.boolean(),
    });
    fc.assert(
      fc.property(
        delta,
        fc.array(text, { minLength: 1, maxLength: 4 }),
        damage,
        (shape, texts, { at, byte, isCut }) => {
          const json = chunk(shape);
          const bytes = Buffer.from(json);
          const place = at % bytes.length;
          const damaged = Buffer.concat([
            bytes.subarray(0, place),
            Buffer.from([byte]),
            bytes.subarray(place + (isCut ? 1 : 0)),
          ]);
          const { quick, sure } = bothFacts([json, json, ...texts.map((content) => chunk({ content })), json, damaged]);
          expect(quick).toEqual(sure);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('a template', () => {
  const of = (json: string) => ChunkTemplate.of(Buffer.from(json), 0, json.length);
  const fits = (template: string, json: string) => of(template)?.matches(Buffer.from(json), 0, Buffer.byteLength(json));

  test.each([
    ['another text', '{"content":"a"}', '{"content":"bc é \\n \\u00e9"}', true],
    ['the same bytes', '{"content":"a","n":1}', '{"content":"a","n":1}', true],
    ['two texts', '{"content":"a","obfuscation":"b"}', '{"content":"","obfuscation":"cc"}', false],
    ['padding that is empty now', '{"content":"a","obfuscation":"b"}', '{"content":"c","obfuscation":""}', true],
    ['a text that is empty now', '{"content":"a"}', '{"content":""}', false],
    ['another number', '{"content":"a","n":1}', '{"content":"a","n":2}', false],
    ['another text where none varies', '{"id":"a","content":"a"}', '{"id":"b","content":"a"}', false],
    ['a key that reads like a member', '{"x":"content","content":"a"}', '{"x":"other","content":"a"}', false],
    ['another text behind one that varies', '{"content":"a","id":"x"}', '{"content":"a","id":"y"}', false],
    ['another key', '{"content":"a","id":1}', '{"content":"a","ix":1}', false],
    ['less', '{"content":"a","n":1}', '{"content":"a"', false],
  ])('fits %s: %s, %s → %p', (_name, template, json, expected) => {
    expect(fits(template, json)).toBe(expected);
  });

  test('is not made of large or much varied chunks', () => {
    expect(of(`{"content":"${'x'.repeat(5000)}"}`)).toBeNull();
    expect(of(`[${Array(5).fill('{"text":"a"}').join()}]`)).toBeNull();
  });
});
