import { expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { ROUTES } from '../registry.ts';
import { adminReference } from './reference.ts';

const FILE = new URL('../../../docs/reference/admin-api.md', import.meta.url);

test('the committed page is the one that the routes make (UPDATE_REFERENCE=1 writes it)', () => {
  if (process.env.UPDATE_REFERENCE === '1') writeFileSync(FILE, adminReference(ROUTES));
  expect(readFileSync(FILE, 'utf8')).toBe(adminReference(ROUTES));
});
