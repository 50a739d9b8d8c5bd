import { expect, test } from 'bun:test';
import { Unstorable } from './errors.ts';
import { decodeRow, storableJson, toPostgres, toSqlite } from './values.ts';

test.each([
  ['a NUL character', { a: 'x\0y' }, '{"a":"x\\ufffdy"}'],
  ['a backslash before u0000', { a: '\\u0000' }, '{"a":"\\\\u0000"}'],
  ['two backslashes and a NUL character', { a: '\\\\\0' }, '{"a":"\\\\\\\\\\ufffd"}'],
  ['a quote and a NUL character', { a: '"\0' }, '{"a":"\\"\\ufffd"}'],
  ['half of a surrogate pair', { a: '\uD83D!' }, '{"a":"\\ufffd!"}'],
  ['a whole surrogate pair', { a: '\u{1F600}' }, '{"a":"\u{1F600}"}'],
  ['an amount beyond 53 bits', { a: 2n ** 60n }, '{"a":"1152921504606846976"}'],
])('JSON with %s is made storable', (_, value, expected) => {
  expect(storableJson(value)).toBe(expected);
});

test.each([
  ['text', 'a\0', [toPostgres, toSqlite]],
  ['JSON', ['a\0'], [toSqlite]],
  ['an amount beyond 63 bits', 2n ** 63n, [toSqlite]],
] as const)('%s that cannot be stored is refused before it is sent', (_, value, encoders) => {
  for (const encode of encoders) expect(() => encode(value)).toThrow(Unstorable);
});

test('a row of SQLite becomes what PostgreSQL’s client gives', () => {
  const row = {
    blocked: 1n,
    tpm_limit: 5n,
    spend_nano: 7n,
    models: '["a"]',
    created_at: '2026-11-23T01:02:03.004Z',
    user_id: '7',
  };
  expect(decodeRow(row)).toEqual({
    blocked: true,
    tpm_limit: 5,
    spend_nano: 7n,
    models: ['a'],
    created_at: new Date(Date.UTC(2026, 10, 23, 1, 2, 3, 4)),
    user_id: '7',
  });
  expect(() => decodeRow({ tpm_limit: 2n ** 60n })).toThrow('beyond 53 bits');
});
