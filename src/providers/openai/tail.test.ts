import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { isObject } from '../../core/json.ts';
import { lastTopLevelMember } from './tail.ts';

/** Keys and texts that could be taken for the member by a careless search. */
const trickyText = fc.oneof(
  fc.string(),
  fc.constantFrom('usage', '"usage"', '"usage":', 'x"usage', '\\"usage":{', '{"usage":1}', 'x\\', '\\\\', '}', '"'),
);

const value = fc.memo<unknown>(
  (depth): fc.Arbitrary<unknown> =>
    depth <= 1
      ? fc.oneof(trickyText, fc.integer(), fc.boolean(), fc.constant(null))
      : fc.oneof(
          trickyText,
          fc.array(value(depth - 1), { maxLength: 3 }),
          fc.dictionary(fc.oneof(trickyText, fc.constant('usage')), value(depth - 1), { maxKeys: 3 }),
        ),
);

const document = fc.dictionary(fc.oneof(trickyText, fc.constant('usage')), value(3), { maxKeys: 5 });

test('the member found from the end is the one that JSON.parse finds', () => {
  fc.assert(
    fc.property(document, fc.constantFrom(undefined, 1, '\t'), (json, indent) => {
      const text = JSON.stringify(json, null, indent);
      const found = lastTopLevelMember(Buffer.from(text), 'usage');
      const expected: unknown = isObject(json) && Object.hasOwn(json, 'usage') ? json.usage : undefined;
      expect(found === null ? undefined : JSON.parse(found)).toEqual(expected);
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ['{"usage":{"a":1}}', '{"a":1}'],
  ['{"usage" : 12 , "b":[1]} \n', '12 '],
  ['{"usage":1,"usage":2}', '2'],
  ['{"a":{"usage":1}}', null],
  ['{"usage":1,"x_groq":{"usage":2}}', '1'],
  ['{"a":"\\"usage\\":1"}', null],
  ['{"a":"usage"}', null],
  ['{"a":["usage",{"usage":3}],"b":"}"}', null],
  ['{"x\\"usage":1}', null],
  ['{}', null],
])('in %p it is %p', (text, expected) => {
  expect(lastTopLevelMember(Buffer.from(text), 'usage')).toBe(expected);
});
