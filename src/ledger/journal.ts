import type { Clock, Timer } from '../core/clock.ts';
import { type GatewayError, gatewayError } from '../core/errors.ts';
import type { RequestId } from '../core/ids.ts';
import type { BegunRequest, LedgerEntry } from '../core/ledger-entry.ts';
import { type Millis, millis, minus, seconds } from '../core/units.ts';
import type { LedgerObserver, RefusalReason } from './ports.ts';
import { RecentEntries } from './recent.ts';
import { begunPayload, mostBytes, storableEntry, writeRecord } from './record.ts';
import { type FileSystem, noteConfirmed, type Position, START, segmentPath } from './run.ts';

/*
 * The journal of this process: every record of a request, on the disk before anything else knows of it.
 *
 *                 ┌────────────── sync worked ──────────────┐
 *                 ▼                                         │
 *   open ──▶ healthy ── write or sync failed ──▶ failing ── back-off over, new segment ──▶ probing
 *                                                   ▲                                         │
 *                                                   └───────────── failed again ──────────────┘
 *
 *   tail:     ┌── being synced ──┬── written ──┬── not written yet ──┐
 *             0            #syncing.bytes   #written              #length
 *
 * 1. A record is written to the file, which outlives the process, before `append` returns, and synced to the disk,
 *    which outlives the machine, some milliseconds later. The write goes to the kernel's memory and takes a
 *    microsecond; the sync runs on another thread. When a sync has stalled, records stay in memory until it is over, so
 *    that a disk which hangs does not hang the event loop.
 * 2. The tail keeps every record until a sync that began after its write has succeeded. When one fails, nothing is
 *    believed about the file behind its last good sync: the file is cut there, and the whole tail is written to a new
 *    segment. (After a failed fsync Linux may call pages clean that were never written; asking the same file again
 *    would get a false yes. See "Can Applications Recover from fsync Failures?", USENIX ATC 2020.)
 * 3. Readers see only what was synced, and never half a record.
 * 4. Nothing recorded is refused: only `refusal` keeps new requests away. So memory is bounded by MOST_TAIL and the
 *    requests that were running when it was reached.
 * 5. Segments are removed oldest first, and only when the store has all of them. Requests still open are noted again
 *    at the head of each new segment, so that removing an older one forgets none.
 */

/**
 * Between the first record of a group and its sync: what a power cut may take. A sync costs 0.2 ms of CPU whatever
 * its size, 1 % of a core at this pace (`bench/micro/journal.ts`).
 */
const COMMIT_AFTER: Millis = millis(20);
/**
 * A sync that runs for longer than this makes the journal refuse, and records wait in memory. Not earlier: where disks
 * are shared, syncs of a tenth of a second are ordinary, and what waits in memory dies with the process.
 */
const STALLED: Millis = seconds(5);
const FIRST_RETRY: Millis = millis(100);
const LAST_RETRY: Millis = seconds(5);
const SEGMENT_BYTES = 8 * 1024 * 1024;
/** A segment in use for so long makes way for another, so that its space is freed. */
const SEGMENT_AGE: Millis = seconds(600);
const TAIL_BYTES = 256 * 1024;
/** Bytes that the disk has not confirmed beyond which the journal refuses. */
const MOST_TAIL = 8 * 1024 * 1024;

export interface JournalOptions {
  readonly files: FileSystem;
  readonly folder: string;
  readonly clock: Clock;
  /** Bytes that wait for the store, in this and other journals, beyond which the journal refuses. */
  readonly mostBytes: number;
  /** Bytes of journals that are not this one's. */
  otherBytes(): number;
  readonly observe: LedgerObserver;
  /** There is more to read. */
  onSynced(): void;
  readonly segmentBytes?: number;
}

interface Segment {
  readonly number: number;
  readonly descriptor: number;
  readonly since: Millis;
  /** Bytes written. */
  size: number;
  /** Of these, bytes that outlive the machine. */
  synced: number;
}

/** Entries of a journal up to a position. */
export interface Recent {
  readonly entries: readonly LedgerEntry[];
  readonly mark: number;
  /** The same place as `mark`. */
  readonly end: Position;
}

interface Sync {
  /** How much of the tail it covers. */
  readonly bytes: number;
  readonly end: Position;
  readonly since: Millis;
  readonly watchdog: Timer;
  readonly segments: readonly { readonly segment: Segment; readonly size: number }[];
}

type Health =
  | { readonly kind: 'healthy' }
  | { readonly kind: 'failing' | 'probing'; readonly tries: number; readonly message: string };

const HEALTHY: Health = { kind: 'healthy' };

export class Journal {
  readonly #options: JournalOptions;
  readonly #open = new Map<RequestId, BegunRequest>();
  readonly #recent = new RecentEntries();
  #tail = Buffer.allocUnsafe(TAIL_BYTES);
  #length = 0;
  #written = 0;
  /** Segments with bytes that were not synced; the last one is written to. */
  #active: Segment[] = [];
  /** Sizes of the segments before these. */
  readonly #finished = new Map<number, number>();
  #lastNumber = 0;
  #durable: Position = START;
  #confirmed: Position = START;
  #syncing: Sync | null = null;
  #timer: Timer | null = null;
  #health: Health = HEALTHY;
  #isStalled = false;
  #isClosed = false;
  #refusal: { readonly reason: RefusalReason; readonly error: GatewayError } | null = null;
  /** Bytes ever appended, and of these the bytes ever synced. */
  #appended = 0;
  #synced = 0;
  #waiting: { readonly mark: number; readonly resolve: () => void }[] = [];

  /** @throws when the folder takes no file */
  constructor(options: JournalOptions) {
    this.#options = options;
    this.#openSegment();
  }

  /** Up to where the journal may be read. */
  get durable(): Position {
    return this.#durable;
  }

  get openRequests(): number {
    return this.#open.size;
  }

  get unsyncedBytes(): number {
    return this.#length;
  }

  get bytes(): number {
    let sum = 0;
    for (const size of this.#finished.values()) sum += size;
    for (const { size } of this.#active) sum += size;
    return sum;
  }

  /** Whether the store has everything, and no request is left without its end. */
  get isComplete(): boolean {
    const { segment, offset } = this.#confirmed;
    const isConfirmed = segment === this.#durable.segment && offset === this.#durable.offset;
    return isConfirmed && this.#length === 0 && this.#open.size === 0;
  }

  get refusing(): RefusalReason | null {
    return this.#refusal?.reason ?? null;
  }

  /** Why no new request should begin; null when all is well. Costs nothing to ask. */
  refusal(): GatewayError | null {
    return this.#refusal?.error ?? null;
  }

  /** Notes that a request is about to call an upstream. */
  begin(begun: BegunRequest): void {
    this.#put(begunPayload(begun));
    this.#open.set(begun.requestId, begun);
    this.#write();
  }

  /** Notes how a request ended. When this returns, the entry outlives the process unless the disk is in trouble. */
  append(entry: LedgerEntry): void {
    const stored = storableEntry(entry);
    this.#put(stored.payload);
    this.#recent.add(stored.entry, this.#appended);
    this.#open.delete(entry.requestId);
    this.#write();
  }

  /**
   * What outlives the machine and ends behind a mark, from memory. Marks count the bytes of all segments.
   *
   * @returns null when some of it is no longer in memory: then it is to be read from the disk
   */
  takeRecent(from: number): Recent | null {
    const entries = this.#recent.take(from, this.#synced);
    return entries === null ? null : { entries, mark: this.#synced, end: this.#durable };
  }

  /** Resolves when everything noted so far outlives the machine; waits for a disk in trouble. */
  flushed(): Promise<void> {
    if (this.#length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ mark: this.#appended, resolve }));
  }

  /** The store has everything before this position: segments that end before it go. */
  confirm(position: Position): void {
    const { files, folder } = this.#options;
    this.#confirmed = position;
    noteConfirmed(files, folder, position);
    for (const number of this.#finished.keys()) {
      if (number < position.segment) this.#removeFinished(number);
    }
    this.#judge();
  }

  /** Looks again whether the journals have room; to be called when those of others grew or went. */
  judge(): void {
    this.#judge();
  }

  /** Ends without waiting; what was not synced by now is in the file at best. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#syncing?.watchdog.cancel();
    for (const { descriptor } of this.#active) this.#options.files.closeSync(descriptor);
    this.#active = [];
  }

  #put(payload: string): void {
    if (this.#isClosed) throw new Error('the ledger is closed and takes no record');
    this.#reserve(mostBytes(payload));
    const end = writeRecord(this.#tail, this.#length, payload);
    this.#appended += end - this.#length;
    this.#length = end;
    if (this.#syncing === null) this.#commitSoon();
  }

  /** Makes room in the tail; doubling keeps the cost of copying small. */
  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#tail.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#tail.length * 2, this.#length + bytes));
    this.#tail.copy(larger, 0, 0, this.#length);
    this.#tail = larger;
    if (this.#length > MOST_TAIL) this.#judge();
  }

  #openSegment(): void {
    const { files, folder, clock } = this.#options;
    const number = this.#lastNumber + 1;
    const descriptor = files.openSync(segmentPath(folder, number), 'wx');
    this.#lastNumber = number;
    this.#active.push({ number, descriptor, since: clock.now(), size: 0, synced: 0 });
  }

  /** Moves what is not written yet into the kernel's memory, unless the disk is in trouble. */
  #write(): void {
    if (this.#written === this.#length || this.#health.kind === 'failing' || this.#isStalled) return;
    try {
      if (this.#isRotationDue()) this.#rotate();
      const segment = this.#current();
      while (this.#written < this.#length) {
        const left = this.#length - this.#written;
        const count = this.#options.files.writeSync(segment.descriptor, this.#tail, this.#written, left, segment.size);
        if (count === 0) throw new Error('the disk took no byte');
        this.#written += count;
        segment.size += count;
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #current(): Segment {
    // One is open from the constructor to `close`, and between a failure and `probing` nobody asks.
    return this.#active.at(-1) as Segment;
  }

  #commitSoon(): void {
    if (this.#health.kind !== 'failing') {
      this.#timer ??= this.#options.clock.after(COMMIT_AFTER, () => {
        this.#timer = null;
        this.#commit();
      });
    }
  }

  /** Syncs what is there, on another thread. */
  #commit(): void {
    if (this.#syncing !== null || this.#isClosed) return;
    this.#write();
    if (this.#health.kind === 'failing') return;
    const { clock } = this.#options;
    const current = this.#current();
    const sync: Sync = {
      bytes: this.#written,
      end: { segment: current.number, offset: current.size },
      since: clock.now(),
      watchdog: clock.after(STALLED, () => {
        this.#isStalled = true;
        this.#judge();
      }),
      segments: this.#active.map((segment) => ({ segment, size: segment.size })),
    };
    this.#syncing = sync;
    this.#syncAll(sync).then(
      () => this.#syncEnded(sync, null),
      (error: unknown) => this.#syncEnded(sync, error),
    );
  }

  #isRotationDue(): boolean {
    if (this.#health.kind !== 'healthy') return false;
    const { clock, segmentBytes = SEGMENT_BYTES } = this.#options;
    const { size, since } = this.#current();
    return size >= segmentBytes || (size > 0 && minus(clock.now(), since) >= SEGMENT_AGE);
  }

  #rotate(): void {
    this.#openSegment();
    this.#carryOver();
  }

  #carryOver(): void {
    for (const begun of this.#open.values()) this.#put(begunPayload(begun));
  }

  async #syncAll({ segments }: Sync): Promise<void> {
    const { files, folder } = this.#options;
    for (const { segment } of segments) await called((done) => files.fdatasync(segment.descriptor, done));
    if (segments.some(({ segment }) => segment.synced === 0)) await syncFolder(files, folder);
  }

  #syncEnded(sync: Sync, error: unknown): void {
    sync.watchdog.cancel();
    this.#syncing = null;
    this.#isStalled = false;
    if (this.#isClosed) return;
    if (error !== null) this.#fail(error);
    else this.#syncWorked(sync);
  }

  #syncWorked(sync: Sync): void {
    const { clock, observe, onSynced } = this.#options;
    for (const { segment, size } of sync.segments) segment.synced = size;
    this.#finish(sync);
    this.#dropFromTail(sync.bytes);
    this.#durable = sync.end;
    this.#recovered();
    observe({ kind: 'synced', bytes: sync.bytes, duration: minus(clock.now(), sync.since) });
    this.#judge();
    this.#tellWaiting();
    this.#write();
    if (this.#length > 0) this.#commitSoon();
    onSynced();
  }

  /** Closes the segments that nothing is written to any more. */
  #finish({ segments }: Sync): void {
    const done = segments.slice(0, -1).map(({ segment }) => segment);
    for (const segment of done) {
      this.#options.files.closeSync(segment.descriptor);
      this.#finished.set(segment.number, segment.size);
    }
    this.#active = this.#active.filter((segment) => !done.includes(segment));
  }

  #dropFromTail(bytes: number): void {
    this.#tail.copyWithin(0, bytes, this.#length);
    this.#length -= bytes;
    this.#written -= bytes;
    this.#synced += bytes;
    if (this.#length < TAIL_BYTES / 2 && this.#tail.length > 4 * TAIL_BYTES) {
      this.#tail = Buffer.concat([this.#tail.subarray(0, this.#length)], TAIL_BYTES);
    }
  }

  #tellWaiting(): void {
    const due = this.#waiting.filter(({ mark }) => mark <= this.#synced);
    this.#waiting = this.#waiting.filter(({ mark }) => mark > this.#synced);
    for (const { resolve } of due) resolve();
  }

  #fail(error: unknown): void {
    if (this.#health.kind === 'failing') return;
    const tries = this.#health.kind === 'probing' ? this.#health.tries + 1 : 1;
    this.#health = { kind: 'failing', tries, message: error instanceof Error ? error.message : String(error) };
    this.#timer?.cancel();
    const delay = millis(Math.min(LAST_RETRY, FIRST_RETRY * 2 ** (tries - 1)));
    this.#timer = this.#options.clock.after(delay, () => {
      this.#timer = null;
      this.#startOver();
    });
    this.#judge();
  }

  /** Cuts what is in doubt and writes the whole tail to a new segment. */
  #startOver(): void {
    if (this.#health.kind !== 'failing') return;
    const { tries, message } = this.#health;
    this.#health = { kind: 'probing', tries, message };
    try {
      // A sync that still runs has its say first about the files that would be given up now.
      if (this.#syncing !== null) throw new Error(message);
      this.#giveUpSegments();
      this.#openSegment();
      this.#commit();
    } catch (error) {
      this.#fail(error);
    }
  }

  #giveUpSegments(): void {
    this.#written = 0;
    for (const segment of this.#active.splice(0)) {
      this.#finished.set(segment.number, segment.synced);
      // Should any of it not work, the same records are read twice, which changes nothing.
      attempt(() => this.#options.files.ftruncateSync(segment.descriptor, segment.synced));
      attempt(() => this.#options.files.closeSync(segment.descriptor));
      if (segment.synced === 0) this.#removeFinished(segment.number);
    }
  }

  /** One that cannot be removed now is tried again when more is confirmed. */
  #removeFinished(number: number): void {
    const { files, folder } = this.#options;
    attempt(() => {
      files.unlinkSync(segmentPath(folder, number));
      this.#finished.delete(number);
    });
  }

  /** A segment that could be synced ends the trouble; it begins without the requests that are open. */
  #recovered(): void {
    if (this.#health.kind !== 'probing') return;
    this.#health = HEALTHY;
    this.#carryOver();
  }

  /** Decides whether new requests may begin, and says so when that changes. */
  #judge(): void {
    const reason = this.#reason();
    if (reason === (this.#refusal?.reason ?? null)) return;
    if (reason === null) {
      this.#refusal = null;
      this.#options.observe({ kind: 'accepting' });
    } else {
      const message = this.#explain(reason);
      this.#refusal = { reason, error: gatewayError('ledger-refusing', message, { retryAfter: LAST_RETRY }) };
      this.#options.observe({ kind: 'refusing', reason, message });
    }
  }

  #reason(): RefusalReason | null {
    if (this.#health.kind !== 'healthy') return 'disk-failing';
    if (this.#isStalled || this.#length > MOST_TAIL) return 'disk-stalled';
    const unwritten = this.bytes - this.#confirmed.offset;
    return unwritten + this.#options.otherBytes() >= this.#options.mostBytes ? 'backlog' : null;
  }

  #explain(reason: RefusalReason): string {
    switch (reason) {
      case 'disk-failing':
        // Only healthy journals have no message.
        return `${NO_RECORD}: the disk of the data folder fails (${(this.#health as { message: string }).message}). Free space on it, or repair it.`;
      case 'disk-stalled':
        return `${NO_RECORD}: the disk of the data folder does not answer in time. Look at its load.`;
      case 'backlog':
        return `${NO_RECORD}: the database has not taken any for so long that the journal is full. Bring the database back.`;
    }
  }
}

const NO_RECORD = 'The gateway takes no new requests because it could not keep their records';

/** Makes the names of new files outlive the machine; where folders cannot be synced, they need not be. */
async function syncFolder(files: FileSystem, folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const descriptor = files.openSync(folder, 'r');
  try {
    await called((done) => files.fsync(descriptor, done));
  } finally {
    files.closeSync(descriptor);
  }
}

function called(run: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    run((error) => (error ? reject(error) : resolve()));
  });
}

function attempt(run: () => void): void {
  try {
    run();
  } catch {}
}
