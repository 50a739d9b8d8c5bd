import { expect, test } from 'bun:test';
import { budgetTable, keyTable, teamTable, userTable } from '../../store/schema/identity.ts';
import type { Table } from '../../store/schema/table.ts';
import { budgetFields } from '../budgets.ts';
import { keyUpdateFields } from '../keys/fields.ts';
import { teamFields } from '../teams/fields.ts';
import { userFields } from '../users/fields.ts';
import { columnsOf, type Fields, metadataFields, metadataOf } from './field.ts';
import { nanoOf } from './values.ts';

test.each([
  ['keys', keyUpdateFields, keyTable],
  ['users', userFields, userTable],
  ['teams', teamFields, teamTable],
  ['budgets', budgetFields, budgetTable],
] as readonly (readonly [string, Fields, Table])[])(
  'every field of %s has a column that takes what it stores',
  (_, fields, table) => {
    for (const [name, { place }] of Object.entries(fields)) {
      if (place.kind !== 'column') continue;
      const column = table.columns[place.column ?? name];
      expect([name, column === undefined]).toEqual([name, false]);
      expect([name, column?.isNullable]).toEqual([name, place.empty === null]);
    }
  },
);

test.each([
  [0.1, 100_000_000n],
  [12.345678901, 12_345_678_901n],
  [1e-9, 1n],
  [4e-10, 0n],
  [9_000_000_000, 9_000_000_000_000_000_000n],
  [0, 0n],
])('%d dollars are %d nano-dollars', (dollars, nano) => {
  expect(nanoOf(dollars) as bigint).toBe(nano);
});

test('a field that is not sent sets nothing, null empties', () => {
  expect(columnsOf(keyUpdateFields, { models: null, rpm_limit: null, tpm_limit: undefined, max_budget: 1 })).toEqual({
    models: [],
    rpm_limit: null,
    max_budget_nano: 1_000_000_000n,
  });
});

test('fields of the metadata go into the one that is sent, else into the one before', () => {
  const before = { a: 1, tags: ['x'] };
  expect(metadataOf(keyUpdateFields, {}, before)).toBeUndefined();
  expect(metadataOf(keyUpdateFields, { tags: ['y'] }, before)).toEqual({ a: 1, tags: ['y'] });
  expect(metadataOf(keyUpdateFields, { metadata: { b: 2 }, tags: ['y'] }, before)).toEqual({ b: 2, tags: ['y'] });
  expect(metadataOf(keyUpdateFields, { tags: null }, before)).toEqual({ a: 1 });
  expect(metadataFields(keyUpdateFields, before)).toEqual({ tags: ['x'] });
});
