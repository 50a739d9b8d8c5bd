import { randomFillSync } from 'node:crypto';

const ID_BYTES = 16;
/** Random bytes are fetched for this many ids at once: a call costs more than the bytes. */
const IDS_AT_ONCE = 256;
const pool = Buffer.alloc(ID_BYTES * IDS_AT_ONCE);
let used = pool.length;

/** 32 fresh hexadecimal characters: 128 random bits. */
export function hexId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += ID_BYTES;
  return pool.toString('hex', used - ID_BYTES, used);
}
