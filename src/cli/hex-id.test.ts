import { expect, test } from 'bun:test';
import { hexId } from './hex-id.ts';

test('ids are 32 hexadecimal characters and never repeat', () => {
  const ids = Array.from({ length: 10_000 }, hexId);
  expect(ids.filter((id) => !/^[0-9a-f]{32}$/.test(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
});
