import { randomFillSync } from 'node:crypto';

const RANDOM_BYTES = 10;
/** Random bytes are fetched for this many ids at once: a call costs more than the bytes. */
const IDS_AT_ONCE = 256;
const pool = Buffer.alloc(RANDOM_BYTES * IDS_AT_ONCE);
let used = pool.length;
let time = 0;
let timeText = '';

/**
 * 32 fresh hexadecimal characters: the time in milliseconds (48 bits), then 80 random bits.
 *
 * Ids of the same hour stand beside each other in a database's index, so that a batch of new rows touches its last pages
 * and not as many pages as it has rows. The time is no secret: it stands in the same row.
 */
export function hexId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += RANDOM_BYTES;
  const now = Date.now();
  if (now !== time) {
    time = now;
    timeText = now.toString(16).padStart(12, '0');
  }
  return timeText + pool.toString('hex', used - RANDOM_BYTES, used);
}
