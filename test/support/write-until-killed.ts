/** Writes ledger entries one by one and says how many are committed: `bun write-until-killed.ts '' DATA_FOLDER`. */
import { openStore } from '../../src/store/store.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import { costs, ledgerEntry } from './store.ts';

const store = await openStore({ clock: systemClock, postgres: null, dataDir: process.argv[3] ?? '' });
for (let count = 1; ; count += 1) {
  await store.ledger.write([ledgerEntry({ cost: costs(1) })]);
  console.log(count);
}
