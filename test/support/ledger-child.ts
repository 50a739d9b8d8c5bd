/**
 * A gateway's ledger in a process of its own, to be killed: begins and records requests as fast as it can, and says so.
 *
 *     bun ledger-child.ts FOLDER RUN [COUNT]
 *
 * Lines on standard output: `b N` once begin(N) has returned, `r N` once record(N) has, `f N` once everything up to N is
 * on the disk, `end` after COUNT requests. Its store is always away, or every entry would leave before the kill.
 */
import { writeSync } from 'node:fs';
import { requestId } from '../../src/core/ids.ts';
import { StoreUnavailable } from '../../src/core/ledger-store.ts';
import { openLedger } from '../../src/ledger/ledger.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import { begunOf, entryOf } from './ledger.ts';

// With a limit on the size of files the kernel kills who does not ignore this.
process.on('SIGXFSZ', () => {});

const [folder = '', run = '', count = 'Infinity'] = process.argv.slice(2);
const ledger = await openLedger({
  folder,
  run,
  store: { write: () => Promise.reject(new StoreUnavailable('always')) },
  deadLetter: () => Promise.reject(new Error('never')),
  clock: systemClock,
  random: Math.random,
  segmentBytes: 100_000,
});
const say = (line: string) => writeSync(1, `${line}\n`);

for (let number = 0; number < Number(count); number++) {
  // One in eight never ends.
  const id = requestId(`${run}-${number}`);
  ledger.begin({ ...begunOf(number), requestId: id });
  say(`b ${number}`);
  if (number % 8 === 7) continue;
  ledger.record(entryOf(number, { requestId: id }));
  say(`r ${number}`);
  if (number % 50 === 0) {
    await ledger.flushed();
    say(`f ${number}`);
  }
}
await ledger.flushed();
say('end');
// The writer would wait for its store for ever.
process.exit(0);
