import { expect, test } from 'bun:test';
import { COLUMN_KINDS, TABLES } from './tables.ts';

test('a column holds the same kind of thing in every table, so that rows can be decoded by name', () => {
  const wrong = TABLES.flatMap(({ name, columns }) =>
    Object.entries(columns)
      .filter(([column, { kind }]) => COLUMN_KINDS.get(column) !== kind)
      .map(([column]) => `${name}.${column}`),
  );
  expect(wrong).toEqual([]);
  expect(COLUMN_KINDS.size).toBeGreaterThan(100);
});

test('every table is found by \\dt litellm*, and its columns exist that its keys and references name', () => {
  for (const table of TABLES) {
    expect(table.name).toMatch(/^litellm_[a-z]+$/);
    for (const column of [...table.primaryKey, ...table.unique.flat(), ...table.indexes.flat()])
      expect(table.columns[column]).toBeDefined();
    for (const [name, { kind, source, references }] of Object.entries(table.columns)) {
      expect(kind === 'nano').toBe(name.endsWith('_nano'));
      if (source !== null) expect(table.columns[source]?.kind).toBe('nano');
      if (references !== null)
        expect(TABLES.map((each) => each.name).slice(0, TABLES.indexOf(table))).toContain(references);
    }
  }
});
