import { expect, test } from 'bun:test';
import { dropPath } from './drop-path.ts';

const VALUE = { a: [{ b: 1, c: 2 }, { b: 3 }, 4], d: { e: { f: 5 } } };

test.each([
  ['.a[*].b', { a: [{ c: 2 }, {}, 4], d: { e: { f: 5 } } }],
  ['.a[0].c', { a: [{ b: 1 }, { b: 3 }, 4], d: { e: { f: 5 } } }],
  ['.a[1]', { a: [{ b: 1, c: 2 }, 4], d: { e: { f: 5 } } }],
  ['.a[*]', { a: [], d: { e: { f: 5 } } }],
  ['.d.e.f', { a: [{ b: 1, c: 2 }, { b: 3 }, 4], d: { e: {} } }],
])('without %s', (path, expected) => {
  expect(dropPath(VALUE, path)).toEqual(expected);
});

test.each(['', '.x', '.a[9]', '.a[9].b', '.a.b', '.d[*]', '.d.e.f.g', '.a[2].b'])('%p names nothing', (path) => {
  expect(dropPath(VALUE, path)).toBe(VALUE);
});
