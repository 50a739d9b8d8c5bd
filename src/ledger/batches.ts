import type { RequestId } from '../core/ids.ts';
import type { BegunRequest, LedgerEntry } from '../core/ledger-entry.ts';
import { millis } from '../core/units.ts';
import type { Journal } from './journal.ts';
import type { Damage, LedgerObserver } from './ports.ts';
import { type Chunk, RunReader } from './reader.ts';
import type { Piece } from './record.ts';
import {
  type FileSystem,
  noteConfirmed,
  type Position,
  quarantine,
  type Run,
  readConfirmed,
  removeRun,
  START,
} from './run.ts';

/** Entries in the order of their journal. */
export interface Batch {
  readonly entries: readonly LedgerEntry[];
  /** The store has them all: they need not be given again. */
  confirm(): void;
}

/** One journal, as the writer sees it. A batch is asked for only when the one before was confirmed. */
export interface BatchSource {
  /** @returns null when there is nothing more at present, or for good if nobody writes the journal any more */
  next(): Promise<Batch | null>;
  close(): void;
}

interface SourceOptions {
  readonly files: FileSystem;
  readonly root: string;
  readonly run: Run;
  readonly observe: LedgerObserver;
}

/** The journal of this process: from memory as long as the writer keeps up, else from the disk. */
export class LiveSource implements BatchSource {
  readonly #options: SourceOptions;
  readonly #journal: Journal;
  readonly #reader: RunReader;
  readonly #onConfirmed: (entries: number) => void;
  /** What was given so far, in bytes of the journal and as a place in it. */
  #mark = 0;
  #end: Position = START;

  constructor(options: SourceOptions, journal: Journal, onConfirmed: (entries: number) => void) {
    this.#options = options;
    this.#onConfirmed = onConfirmed;
    this.#journal = journal;
    this.#reader = new RunReader(options.files, options.run.folder, () => journal.durable);
  }

  async next(): Promise<Batch | null> {
    const recent = this.#journal.takeRecent(this.#mark);
    if (recent === null) return this.#read();
    if (recent.mark === this.#mark) return null;
    return this.#batch(recent.entries, recent.mark, recent.end);
  }

  close(): void {
    this.#reader.close();
  }

  async #read(): Promise<Batch | null> {
    this.#reader.goTo(this.#end);
    const chunk = await this.#reader.next();
    if (chunk === null) return null;
    keepDamage(this.#options, chunk);
    const entries = chunk.pieces.flatMap((piece) => (piece.kind === 'entry' ? [piece.entry] : []));
    return this.#batch(entries, this.#mark + chunk.end.offset - chunk.base, chunk.end);
  }

  #batch(entries: readonly LedgerEntry[], mark: number, end: Position): Batch {
    this.#mark = mark;
    this.#end = end;
    const confirm = () => {
      this.#journal.confirm(end);
      this.#onConfirmed(entries.length);
    };
    return { entries, confirm };
  }
}

/**
 * The journal of a process that is gone: what the store had not confirmed, then an entry for every request that died
 * with its process. When all of it is written the folder is removed.
 */
export class DeadSource implements BatchSource {
  readonly #options: SourceOptions;
  readonly #reader: RunReader;
  readonly #confirmed: Position;
  readonly #open = new Map<RequestId, BegunRequest>();
  readonly #onRemoved: () => void;

  constructor(options: SourceOptions, onRemoved: () => void) {
    this.#options = options;
    this.#onRemoved = onRemoved;
    this.#confirmed = readConfirmed(options.files, options.run.folder);
    this.#reader = new RunReader(options.files, options.run.folder, () => 'end-of-files');
  }

  async next(): Promise<Batch | null> {
    const chunk = await this.#reader.next();
    if (chunk !== null) return this.#batch(chunk);
    if (this.#open.size > 0) return this.#lost();
    this.#remove();
    return null;
  }

  close(): void {
    this.#reader.close();
    this.#options.run.lock.release();
  }

  #batch(chunk: Chunk): Batch {
    const { files, run } = this.#options;
    keepDamage(this.#options, chunk);
    const entries: LedgerEntry[] = [];
    for (const piece of chunk.pieces) {
      noteOpen(this.#open, piece);
      const position = { segment: chunk.segment, offset: chunk.base + piece.end };
      if (piece.kind === 'entry' && isAfter(position, this.#confirmed)) entries.push(piece.entry);
    }
    const confirm = () => {
      if (isAfter(chunk.end, this.#confirmed)) noteConfirmed(files, run.folder, chunk.end);
    };
    return { entries, confirm };
  }

  #lost(): Batch {
    const { observe, run } = this.#options;
    const entries = [...this.#open.values()].map(lostEntry);
    this.#open.clear();
    observe({ kind: 'lost', requests: entries.length, run: run.name });
    return { entries, confirm() {} };
  }

  #remove(): void {
    const { files, run } = this.#options;
    this.#reader.close();
    removeRun(files, run);
    this.#onRemoved();
  }
}

/** Follows which requests began and did not end. */
export function noteOpen(open: Map<RequestId, BegunRequest>, piece: Piece): void {
  if (piece.kind === 'begun') open.set(piece.begun.requestId, piece.begun);
  if (piece.kind === 'entry') open.delete(piece.entry.requestId);
}

/** Stretches of a chunk that are no record. */
export function damagesOf(
  run: string,
  { segment, base, pieces, isLast }: Chunk,
): readonly (Damage & { piece: Piece })[] {
  return pieces.flatMap((piece) => {
    if (piece.kind !== 'damaged') return [];
    const kind = isLast && piece === pieces.at(-1) ? 'torn-tail' : 'corrupt';
    return [{ run, segment, offset: base + piece.start, bytes: piece.end - piece.start, kind, piece }];
  });
}

/** The entry of a request whose process died: nobody knows what was used, so the estimate is assumed. */
export function lostEntry({ estimate, ...request }: BegunRequest): LedgerEntry {
  return {
    ...request,
    group: null,
    deployment: null,
    provider: null,
    model: null,
    end: 'lost',
    status: 0,
    usage: null,
    duration: millis(0),
    overhead: millis(0),
    firstByte: null,
    attempts: [],
    apiBase: null,
    responseId: null,
    failure: null,
    cost: { kind: 'unknown', assumed: estimate },
  };
}

function isAfter(a: Position, b: Position): boolean {
  return a.segment === b.segment ? a.offset > b.offset : a.segment > b.segment;
}

/** Copies what is no record to the side, and says so: nothing is passed over in silence. */
function keepDamage({ files, root, run, observe }: SourceOptions, chunk: Chunk): void {
  for (const { piece, ...damage } of damagesOf(run.name, chunk)) {
    const name = `${run.name}-${damage.segment}-${damage.offset}`;
    observe({ kind: 'damaged', damage, copy: copied(files, root, name, chunk.bytes.subarray(piece.start, piece.end)) });
  }
}

function copied(files: FileSystem, root: string, name: string, bytes: Buffer): string | null {
  try {
    return quarantine(files, root, name, bytes);
  } catch {
    return null;
  }
}
