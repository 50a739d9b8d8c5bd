import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { type Edit, type JsonBody, scanObject } from '../../src/wire/json-splice.ts';
import { damaged, fuzzed, fuzzTimeout, Tally } from '../support/fuzz.ts';

const SAMPLES = [
  '{"model":"gpt-4o","messages":[{"role":"user","content":"Hello \\u00e9 \\"x\\""}],"stream":true}',
  ' {\n "model" : "a" ,\t"temperature":-0.5e+10, "stop" : [ null , true,false ] , "tools":[{"a":{"b":[[],{}]}}] } \r\n',
  `{"long":"${'prose, '.repeat(60)}\\\\","model":"b","seed":9007199254740993}`,
  '{"\\u006dodel":"c","user":"\\ud83d\\ude00","__proto__":{"x":1},"":0}',
  '{}',
];
const TOKENS = [
  ...['{', '}', '[', ']', '"', ':', ',', '\\', '\\"', '\\\\', '\\u0022', '\\u00', '/', ' ', '\n', '\0', '\x1f', '\x7f'],
  ...['"model":"evil",', ',"model":"evil"', '"mod\\u0065l":"evil",', '-', '0', '01', '1e', '.', 'true', 'nul'],
  ...[
    '\xef\xbb\xbf',
    '\xc3',
    '\xff',
    '\xed\xa0\x80',
    '\xf0\x9f\x98\x80',
    '"'.repeat(3),
    '['.repeat(30),
    'x'.repeat(300),
  ],
];
const MODEL = '"\\u2028 the gateway\'s"';

const bytes = damaged(SAMPLES, TOKENS, 5).map((text) => Buffer.from(text, 'latin1'));

/** Names and own bytes of the members, in order. */
const membersOf = (body: JsonBody): readonly (readonly [string, string])[] =>
  body.keys().map((key) => [key, Buffer.from(body.raw(key) ?? []).toString('latin1')]);

/** The object as a parser sees it, or null: duplicate keys are no object here. */
function parsedObject(input: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(input.toString('utf8').replace(/^\ufeff/, ''));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function faultOf(input: Buffer): string | null {
  const scanned = scanObject(input);
  return scanned.kind === 'fault' ? `${scanned.offset} ${scanned.message}` : null;
}

test(
  'what is no JSON is never read beyond its end, whatever lies behind it in memory',
  () => {
    const tally = new Tally('json, bounds');
    fc.assert(
      fc.property(bytes, fc.constantFrom('"', '}', '\\', '0', ' ', '\0'), fc.nat(7), (input, around, offset) => {
        tally.count();
        const memory = Buffer.alloc(input.length + 64, around);
        input.copy(memory, offset);
        const inside = memory.subarray(offset, offset + input.length);
        expect(faultOf(inside)).toBe(faultOf(input));
        const scanned = scanObject(inside);
        if (scanned.kind === 'fault') {
          expect(scanned.offset).toBeGreaterThanOrEqual(0);
          expect(scanned.offset).toBeLessThanOrEqual(input.length);
        } else expect(membersOf(scanned)).toEqual(membersOf(scanObject(input) as JsonBody));
      }),
      fuzzed(3000),
    );
    tally.print();
  },
  fuzzTimeout(),
);

test(
  'a key that two parsers could read differently is refused: what is accepted has one value for each name',
  () => {
    const tally = new Tally('json, differential');
    fc.assert(
      fc.property(bytes, (input) => {
        tally.count();
        const scanned = scanObject(input);
        const parsed = parsedObject(input);
        if (scanned.kind === 'fault') {
          // JSON.parse takes the last of two keys of one name, and knows no limit of depth.
          if (parsed !== null) expect(scanned.message).toMatch(/twice|nested deeper/);
          return;
        }
        if (parsed === null) return;
        expect([...scanned.keys()].sort()).toEqual(Object.keys(parsed).sort());
        for (const key of scanned.keys()) expect(scanned.value(key)).toEqual(parsed[key] as never);
      }),
      fuzzed(3000),
    );
    tally.print();
  },
  fuzzTimeout(),
);

test(
  'an edit of whatever was accepted changes the members that it names, and no byte of the others',
  () => {
    const tally = new Tally('json, splice');
    const key = fc.constantFrom('model', 'stream', 'user', 'long', '', '__proto__', 'new "one"');
    const edit: fc.Arbitrary<Edit> = fc.oneof(
      fc.record({ kind: fc.constant('set' as const), key, raw: fc.constant(MODEL) }),
      fc.record({ kind: fc.constant('remove' as const), key }),
    );
    fc.assert(
      fc.property(bytes, fc.array(edit, { minLength: 1, maxLength: 3 }), (input, edits) => {
        tally.count();
        const scanned = scanObject(input);
        if (scanned.kind === 'fault') return;
        const expected = new Map(membersOf(scanned));
        for (const each of edits) {
          if (each.kind === 'set') expected.set(each.key, MODEL);
          else expected.delete(each.key);
        }
        const again = scanObject(scanned.splice(edits));
        expect(again.kind).toBe('body');
        expect(new Map(membersOf(again as JsonBody))).toEqual(expected);
      }),
      fuzzed(3000),
    );
    tally.print();
  },
  fuzzTimeout(),
);
