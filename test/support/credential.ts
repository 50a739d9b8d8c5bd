import { expect } from 'bun:test';
import type { UpstreamRequest } from '../../src/providers/provider.ts';
import { TEST_KEY } from './call.ts';

/** The deployment's key must be in one header and nowhere else. */
export function expectOneCredential(request: UpstreamRequest): void {
  expect(request.headers.filter(([, value]) => value.includes(TEST_KEY))).toHaveLength(1);
  expect(request.url).not.toContain(TEST_KEY);
  expect(Buffer.concat(request.body).toString()).not.toContain(TEST_KEY);
}
