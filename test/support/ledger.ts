import * as nodeFiles from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requestId } from '../../src/core/ids.ts';
import type { BegunRequest, LedgerEntry } from '../../src/core/ledger-entry.ts';
import { type LedgerStore, StoreUnavailable, type WriteReport } from '../../src/core/ledger-store.ts';
import { NO_PAYER } from '../../src/core/payer.ts';
import { epochMillis, millis, type NanoUsd } from '../../src/core/units.ts';
import { type Ledger, type LedgerOptions, openLedger } from '../../src/ledger/ledger.ts';
import type { LedgerEvent } from '../../src/ledger/ports.ts';
import type { FileSystem } from '../../src/ledger/run.ts';
import { VirtualClock } from './virtual-clock.ts';

/** An entry that costs one more nano-dollar than its number. */
export function entryOf(number: number, more: Partial<LedgerEntry> = {}): LedgerEntry {
  const { estimate: _, ...request } = begunOf(number);
  return {
    ...request,
    group: 'gpt-4o',
    deployment: null,
    provider: null,
    model: 'gpt-4o-2024-08-06',
    end: 'success',
    status: 200,
    usage: null,
    duration: millis(12.5),
    overhead: millis(0.25),
    firstByte: null,
    attempts: [],
    apiBase: null,
    responseId: null,
    failure: null,
    cost: { kind: 'known', total: BigInt(number + 1) as NanoUsd },
    ...more,
  };
}

/** The beginning of the same request. */
export function begunOf(number: number): BegunRequest {
  return {
    requestId: idOf(number),
    callId: `call-${number}`,
    principal: 'key',
    endpoint: 'chat-completions',
    requestedModel: 'gpt-4o',
    isStreaming: number % 2 === 0,
    startedAt: epochMillis(1_767_225_600_000 + number),
    user: null,
    tags: [],
    requesterAddress: null,
    session: null,
    payer: { ...NO_PAYER, keyHash: `key-${number % 3}`, teamId: 'team' },
    estimate: 1_000n as NanoUsd,
  };
}

export const idOf = (number: number) => requestId(`request-${number}`);

/** Numbers from 0 up to, not including, `end`. */
export const upTo = (end: number): readonly number[] => Array.from({ length: end }, (_, index) => index);

/** A store that keeps rows by id, as the real one does, and can be away or choosy. */
export class MemoryStore implements LedgerStore {
  readonly rows = new Map<string, LedgerEntry>();
  duplicates = 0;
  calls = 0;
  isAway = false;
  /** Entries that make the whole batch fail, and those that the store names and leaves out. */
  poison: (entry: LedgerEntry) => boolean = () => false;
  refuses: (entry: LedgerEntry) => boolean = () => false;

  async write(entries: readonly LedgerEntry[]): Promise<WriteReport> {
    this.calls += 1;
    if (new Set(entries.map(({ requestId }) => requestId)).size < entries.length) throw new Error('an id twice');
    if (this.isAway) throw new StoreUnavailable('connection refused');
    if (entries.some(this.poison)) throw new Error('value out of range');
    const rejected = entries.filter(this.refuses).map((entry) => ({ entry, reason: 'no such team' }));
    const rest = entries.filter((entry) => !this.refuses(entry));
    const fresh = rest.filter(({ requestId }) => !this.rows.has(requestId));
    for (const entry of fresh) this.rows.set(entry.requestId, entry);
    this.duplicates += rest.length - fresh.length;
    return { written: fresh.length, duplicates: rest.length - fresh.length, rejected };
  }

  get ids(): readonly string[] {
    return [...this.rows.keys()].toSorted();
  }
}

/** Calls of the real disk that have not come back. */
let diskWork = 0;

/** The real files, their work counted. */
const FILES: FileSystem = {
  ...nodeFiles,
  fdatasync: counted(nodeFiles.fdatasync),
  fsync: counted(nodeFiles.fsync),
  read: counted(nodeFiles.read),
};

function counted<Call>(call: Call): Call {
  const run = (...values: readonly unknown[]) => {
    diskWork += 1;
    const done = values.at(-1) as (...results: readonly unknown[]) => void;
    (call as (...values: readonly unknown[]) => void)(...values.slice(0, -1), (...results: readonly unknown[]) => {
      diskWork -= 1;
      done(...results);
    });
  };
  // The calls in question end with their callback.
  return run as Call;
}

/** A ledger on a real folder, its clock in the test's hands. */
export class LedgerBench {
  readonly folder = nodeFiles.mkdtempSync(join(tmpdir(), 'tollgate-ledger-'));
  readonly clock = new VirtualClock();
  readonly store = new MemoryStore();
  readonly events: LedgerEvent[] = [];
  readonly letters = new Map<string, string>();
  #runs = 0;

  open(more: Partial<LedgerOptions> = {}): Promise<Ledger> {
    return openLedger({
      folder: this.folder,
      store: this.store,
      deadLetter: async (entry, reason) => void this.letters.set(entry.requestId, reason),
      clock: this.clock,
      random: () => 0.5,
      run: `run-${this.#runs++}`,
      observe: (event) => this.events.push(event),
      files: FILES,
      ...more,
    });
  }

  /** Lets virtual time pass until something is so; it stands still while the real disk works. */
  async until(isSo: () => boolean): Promise<void> {
    const patience = performance.now() + 20_000;
    while (!isSo()) {
      if (performance.now() > patience) throw new Error(`it never came to pass: ${isSo}`);
      if (diskWork === 0) this.clock.advanceTo(millis(this.clock.now() + 1));
      await turn();
    }
  }

  /** The same for a promise. */
  async settled<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    promise.finally(() => {
      isSettled = true;
    });
    await this.until(() => isSettled);
    return promise;
  }

  /** Events of a kind, in order. */
  seen<Kind extends LedgerEvent['kind']>(kind: Kind): readonly Extract<LedgerEvent, { kind: Kind }>[] {
    return this.events.filter((event): event is Extract<LedgerEvent, { kind: Kind }> => event.kind === kind);
  }

  /** Everything under the folder, as relative paths. */
  get files(): readonly string[] {
    return nodeFiles.readdirSync(this.folder, { recursive: true }).map(String).toSorted();
  }

  remove(): void {
    nodeFiles.rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface FaultyDisk {
  readonly files: FileSystem;
  trouble: 'none' | 'full' | 'no-sync' | 'no-read' | 'hanging';
  /** Lets the syncs that hang go through; later ones hang again. */
  answer(): void;
  /** Ends the trouble. */
  release(): void;
}

/** A disk whose trouble the test switches on and off. */
export function faultyDisk(): FaultyDisk {
  const waiting: (() => void)[] = [];
  const disk = {
    trouble: 'none' as 'none' | 'full' | 'no-sync' | 'no-read' | 'hanging',
    files: {
      ...FILES,
      // Takes half of what it is given and then nothing, as a disk does that fills up.
      writeSync: ((descriptor: number, buffer: Buffer, offset: number, length: number, position: number) => {
        if (disk.trouble !== 'full') return nodeFiles.writeSync(descriptor, buffer, offset, length, position);
        if (length < 20) throw fault('ENOSPC: no space left on device, write');
        return nodeFiles.writeSync(descriptor, buffer, offset, length >> 1, position);
      }) as FileSystem['writeSync'],
      read: ((...values: Parameters<FileSystem['read']>) => {
        if (disk.trouble !== 'no-read') return FILES.read(...values);
        (values.at(-1) as unknown as (error: Error) => void)(fault('EIO: i/o error, read'));
      }) as FileSystem['read'],
      fdatasync: ((descriptor: number, done: (error: Error | null) => void) => {
        const sync = () => FILES.fdatasync(descriptor, done);
        if (disk.trouble === 'no-sync') done(fault('EIO: i/o error, fdatasync'));
        else if (disk.trouble === 'hanging') waiting.push(sync);
        else sync();
      }) as FileSystem['fdatasync'],
    },
    answer() {
      for (const late of waiting.splice(0)) late();
    },
    release() {
      disk.trouble = 'none';
      disk.answer();
    },
  };
  return disk;
}

function fault(message: string): Error {
  return Object.assign(new Error(message), { code: message.split(':', 1)[0] });
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
