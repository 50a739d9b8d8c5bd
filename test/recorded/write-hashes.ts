import { join } from 'node:path';
import { sha256 } from '../support/recordings.ts';
import { anthropicRecordings, translated } from './anthropic-answers.ts';

// Writes expected-hashes.json: TOLLGATE_RECORDINGS=<folder> bun test/recorded/write-hashes.ts
// Only hashes are kept; the recordings are third-party data. Read the diff of answers before you commit new hashes.

const hashes = anthropicRecordings().map((recording) => [recording.name, sha256(translated(recording).client)]);
if (hashes.length === 0) throw new Error('TOLLGATE_RECORDINGS does not name a folder of recordings');
await Bun.write(
  join(import.meta.dir, 'expected-hashes.json'),
  `${JSON.stringify(Object.fromEntries(hashes), null, 2)}\n`,
);
