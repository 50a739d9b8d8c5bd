import { expect, test } from 'bun:test';
import { hexId } from './hex-id.ts';

test('ids are 32 hexadecimal characters and never repeat', () => {
  const ids = Array.from({ length: 10_000 }, hexId);
  expect(ids.filter((id) => !/^[0-9a-f]{32}$/.test(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
});

test('ids made later sort behind, so that an index grows at its end', async () => {
  const earlier = hexId();
  while (Number.parseInt(hexId().slice(0, 12), 16) === Number.parseInt(earlier.slice(0, 12), 16));
  expect(hexId() > earlier).toBe(true);
  expect(Math.abs(Number.parseInt(earlier.slice(0, 12), 16) - Date.now())).toBeLessThan(60_000);
});
