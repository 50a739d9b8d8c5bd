import { tableText } from './price-table.ts';

// Writes src/metering/price-table.txt from the installed source: bun test/prices/write-price-table.ts
// Read the diff: each line of it is a price that changes for operators.

await Bun.write(new URL('../../src/metering/price-table.txt', import.meta.url), tableText());
