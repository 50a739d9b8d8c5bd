import { describe, expect, test } from 'bun:test';
import { parseExact } from './exact-json.ts';

describe('exact JSON', () => {
  test.each([
    '{"id":12345678901234567890,"n":1}',
    '{"deep":[{"seed":1395002666759424001}]}',
    '{"ratio":0.12345678901234567890123}',
    '[1234567890123456,1.5,true,null,"12345678901234567890"]',
  ])('%s keeps its digits through parse and stringify', (text) => {
    expect(JSON.stringify(parseExact(text))).toBe(text);
  });

  test('numbers that JavaScript can hold stay numbers', () => {
    expect(parseExact('{"a":1700000000000,"b":1234567890123456}')).toEqual({ a: 1700000000000, b: 1234567890123456 });
  });

  test('what is not JSON throws', () => {
    expect(() => parseExact('{"a":12345678901234567890')).toThrow(SyntaxError);
  });
});
