/** What does it cost to keep the record of one request: its encoding, its way to the kernel, its share of a sync? */
import * as files from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/core/clock.ts';
import { deploymentId, groupName, providerId, requestId } from '../../src/core/ids.ts';
import type { BegunRequest, LedgerEntry } from '../../src/core/ledger-entry.ts';
import { epochMillis, millis, type NanoUsd } from '../../src/core/units.ts';
import { NO_USAGE } from '../../src/core/usage.ts';
import { Journal } from '../../src/ledger/journal.ts';
import { entryPayload, writeRecord } from '../../src/ledger/record.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import { compare, compareAsync, printMachine } from './compare.ts';

const ENTRY: LedgerEntry = {
  requestId: requestId('0f3c5a7e9b1d4f60a2c4e6880aaccee1'),
  callId: '7d1c9a52-63f0-4a3c-9d53-0f6a3a5a1b7e',
  responseId: 'chatcmpl-9b1d4f60a2c4e688',
  principal: 'key',
  endpoint: 'chat-completions',
  requestedModel: 'gpt-4o',
  group: groupName('gpt-4o'),
  deployment: deploymentId('8c1f0e5d2b7a4936'),
  provider: providerId('openai'),
  model: 'gpt-4o-2024-08-06',
  isStreaming: true,
  end: 'success',
  status: 200,
  usage: { ...NO_USAGE, input: 1234, output: 345, cacheRead: 1024 },
  startedAt: epochMillis(1_795_300_000_000),
  duration: millis(1234.567891),
  overhead: millis(0.812346),
  firstByte: millis(345.123456),
  attempts: [
    {
      deployment: deploymentId('8c1f0e5d2b7a4936'),
      group: 'gpt-4o',
      outcome: 'success',
      delay: millis(0),
      duration: millis(1233.12345),
    },
  ],
  user: null,
  tags: [],
  requesterAddress: '192.0.2.17',
  session: null,
  apiBase: 'https://api.openai.com/v1',
  failure: null,
  payer: {
    keyHash: 'a'.repeat(64),
    keyId: 'b'.repeat(32),
    keyAlias: 'team-search',
    keyModel: null,
    userId: 'user-1',
    teamId: 'team-1',
    organizationId: 'organization-1',
    customerId: null,
  },
  cost: { kind: 'known', total: 12_345_678n as NanoUsd },
};
const BEGUN: BegunRequest = { ...ENTRY, estimate: 99_000_000n as NanoUsd };
/** The journal's files are removed when they are larger. */
const ENOUGH = 64 * 1024 * 1024;

/** Syncs at once instead of after the pause in which others join: what is measured is CPU. */
const CLOCK: Clock = {
  ...systemClock,
  after: (delay, run) => systemClock.after(millis(delay > 1000 ? delay : 0), run),
};

const folder = files.mkdtempSync(join(tmpdir(), 'tollgate-journal-'));
try {
  const buffer = Buffer.allocUnsafe(64 * 1024);
  const plain = files.openSync(join(folder, 'plain'), 'w');
  const size = writeRecord(buffer, 0, entryPayload(ENTRY));
  compare(`One entry of ${size} bytes:`, [
    { name: 'encoded', run: (times) => repeat(times, () => writeRecord(buffer, 0, entryPayload(ENTRY))) },
    { name: 'given to the kernel', run: (times) => repeat(times, () => files.writeSync(plain, buffer, 0, size, 0)) },
  ]);
  for (const group of [20, 200, 500]) {
    const journal = open(`group-${group}`);
    await compareAsync(`Journal, ${group} to a sync, as at ${group * 50} requests a second; an entry:`, [
      { name: 'append', run: (times) => inGroups(journal, times, group, () => journal.append(ENTRY)) },
      {
        name: 'begin and append',
        run: (times) =>
          inGroups(journal, times, group, () => {
            journal.begin(BEGUN);
            journal.append(ENTRY);
          }),
      },
    ]);
    journal.close();
  }
} finally {
  files.rmSync(folder, { recursive: true });
}
printMachine();

function open(name: string): Journal {
  files.mkdirSync(join(folder, name));
  const journal: Journal = new Journal({
    files,
    folder: join(folder, name),
    clock: CLOCK,
    mostBytes: Number.POSITIVE_INFINITY,
    otherBytes: () => 0,
    observe() {},
    onSynced() {
      if (journal.bytes > ENOUGH) journal.confirm(journal.durable);
    },
  });
  return journal;
}

async function inGroups(journal: Journal, times: number, group: number, once: () => void): Promise<number> {
  for (let done = 0; done < times; done += group) {
    for (let each = 0; each < group; each++) once();
    await journal.flushed();
  }
  return journal.durable.offset;
}

function repeat(times: number, once: () => number): number {
  let sum = 0;
  for (let done = 0; done < times; done++) sum += once();
  return sum;
}
