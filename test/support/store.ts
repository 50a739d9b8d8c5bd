import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cost } from '../../src/core/cost.ts';
import { deploymentId, providerId, requestId } from '../../src/core/ids.ts';
import type { LedgerEntry } from '../../src/core/ledger-entry.ts';
import { NO_PAYER, type Payer } from '../../src/core/payer.ts';
import { epochMillis, millis, type NanoUsd } from '../../src/core/units.ts';
import { NO_USAGE } from '../../src/core/usage.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import { testDatabase } from './postgres/database.ts';

/** The two databases, on both of which every test of the contract runs. */
export const DATABASES = ['sqlite', 'postgres'] as const;

/** A database that is empty but for our tables. */
export interface TestStore {
  readonly store: Store;
  /** A second instance on the same database; on SQLite, which has one owner, the same instance. */
  another(): Promise<Store>;
  remove(): Promise<void>;
}

/** Opens a store on a database of its own. */
export async function testStore(kind: (typeof DATABASES)[number]): Promise<TestStore> {
  return kind === 'sqlite' ? sqliteStore() : postgresStore();
}

async function sqliteStore(): Promise<TestStore> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tollgate-test-'));
  const store = await openStore({ clock: systemClock, postgres: null, dataDir });
  return {
    store,
    another: () => Promise.resolve(store),
    async remove() {
      await store.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function postgresStore(): Promise<TestStore> {
  const database = await testDatabase();
  const opened: Store[] = [];
  const open = async () => {
    const store = await openStore({ clock: systemClock, postgres: { url: database.url }, dataDir: '' });
    opened.push(store);
    return store;
  };
  return {
    store: await open(),
    another: open,
    async remove() {
      await Promise.all(opened.map((store) => store.close()));
      await database.drop();
    },
  };
}

/** The operator, as the audit log names it. */
export const OPERATOR = { id: 'proxy_admin', keyHash: 'hash-of-master-key' };

/** An amount of nano-dollars. */
export const nanoUsd = (amount: bigint | number): NanoUsd => BigInt(amount) as NanoUsd;

/** A known cost. */
export const costs = (amount: bigint | number): Cost => ({ kind: 'known', total: nanoUsd(amount) });

/** A payer with some parts. */
export const payer = (parts: Partial<Payer>): Payer => ({ ...NO_PAYER, ...parts });

let requests = 0;

/** An entry of a request that succeeded, with what differs. */
export function ledgerEntry(parts: Partial<LedgerEntry> = {}): LedgerEntry {
  requests += 1;
  return {
    requestId: requestId(`request-${process.pid}-${requests}`),
    callId: `call-${requests}`,
    responseId: null,
    principal: 'key',
    endpoint: 'chat-completions',
    requestedModel: 'gpt-4o',
    group: 'gpt-4o',
    deployment: deploymentId('deployment-1'),
    provider: providerId('openai'),
    model: 'gpt-4o-2024-08-06',
    isStreaming: false,
    end: 'success',
    status: 200,
    usage: { ...NO_USAGE, input: 100, output: 20, cacheRead: 40 },
    payer: NO_PAYER,
    cost: costs(1_000),
    startedAt: epochMillis(Date.UTC(2026, 10, 23, 12, 7, 3, 21)),
    duration: millis(812.4),
    overhead: millis(0.6),
    firstByte: millis(200.2),
    attempts: [],
    user: null,
    tags: [],
    requesterAddress: '192.0.2.17',
    session: null,
    apiBase: 'https://api.openai.com/v1',
    failure: null,
    ...parts,
  };
}
