import { hash } from 'node:crypto';
import type { Store } from '../../store/store.ts';

/**
 * The hashes by which rows and days know a key, from a request's field: the key in clear, its hash, or its `key_id`,
 * which stands for every text that the key ever had.
 */
export async function askedKeys({ read }: Store, key: string): Promise<readonly string[]> {
  if (key.startsWith('sk-')) return [hash('sha256', key)];
  if (HASH.test(key)) return [key];
  const hashes = await read.keys.hashesOf(key);
  // What is no key's id may still stand in a row: `master`, say.
  return hashes.length === 0 ? [key] : hashes;
}

const HASH = /^[0-9a-f]{64}$/;
