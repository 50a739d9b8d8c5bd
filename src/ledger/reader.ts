import { MOST_PAYLOAD, type Piece, scan } from './record.ts';
import { type FileSystem, type Position, START, segmentNumbers, segmentPath } from './run.ts';

/** Twice the longest record, so that a whole one is always in sight. */
const CHUNK = 2 * MOST_PAYLOAD;

/** Some pieces of one segment, in order. */
export interface Chunk {
  readonly segment: number;
  /** Byte of the segment where the pieces' own positions count from. */
  readonly base: number;
  readonly pieces: readonly Piece[];
  /** Valid until the next read. */
  readonly bytes: Buffer;
  /** Behind the last piece. */
  readonly end: Position;
  /** Whether this is all that there is, now. */
  readonly isLast: boolean;
}

/** Where reading ends: a position, or the end of the files of a journal that nobody writes any more. */
export type ReadLimit = () => Position | 'end-of-files';

/** Reads the records of one run in order, a chunk at a time. Reads only. */
export class RunReader {
  readonly #files: FileSystem;
  readonly #folder: string;
  readonly #limit: ReadLimit;
  readonly #buffer = Buffer.allocUnsafe(CHUNK);
  #at: Position = START;
  #descriptor: number | null = null;

  constructor(files: FileSystem, folder: string, limit: ReadLimit) {
    this.#files = files;
    this.#folder = folder;
    this.#limit = limit;
  }

  /** The next chunk, or null when there is nothing more at present. */
  async next(): Promise<Chunk | null> {
    for (;;) {
      if (this.#descriptor !== null) {
        const end = this.#segmentEnd(this.#descriptor);
        if (this.#at.offset < end) return this.#read(this.#descriptor, end);
      }
      if (!this.#advance()) return null;
    }
  }

  /** Goes on from a position at which a record begins or the segment ends. */
  goTo(position: Position): void {
    if (position.segment === this.#at.segment && position.offset === this.#at.offset) return;
    if (position.segment !== this.#at.segment) {
      this.close();
      this.#descriptor = this.#files.openSync(segmentPath(this.#folder, position.segment), 'r');
    }
    this.#at = position;
  }

  close(): void {
    if (this.#descriptor !== null) this.#files.closeSync(this.#descriptor);
    this.#descriptor = null;
  }

  #segmentEnd(descriptor: number): number {
    const limit = this.#limit();
    if (limit !== 'end-of-files' && limit.segment === this.#at.segment) return limit.offset;
    return this.#files.fstatSync(descriptor).size;
  }

  /** Goes to the next segment that may be read. */
  #advance(): boolean {
    const limit = this.#limit();
    const last = limit === 'end-of-files' ? Number.POSITIVE_INFINITY : limit.segment;
    const next = segmentNumbers(this.#files, this.#folder).find((number) => number > this.#at.segment);
    if (next === undefined || next > last) return false;
    this.close();
    this.#descriptor = this.#files.openSync(segmentPath(this.#folder, next), 'r');
    this.#at = { segment: next, offset: 0 };
    return true;
  }

  async #read(descriptor: number, end: number): Promise<Chunk> {
    const { segment, offset: base } = this.#at;
    const length = Math.min(CHUNK, end - base);
    await this.#fill(descriptor, length, base);
    const isEnd = base + length === end;
    const bytes = this.#buffer.subarray(0, length);
    const pieces = scan(bytes, isEnd ? 'none' : 'follows');
    this.#at = { segment, offset: base + (pieces.at(-1)?.end ?? 0) };
    return { segment, base, pieces, bytes, end: this.#at, isLast: isEnd && !this.#hasMore(segment) };
  }

  #hasMore(segment: number): boolean {
    return segmentNumbers(this.#files, this.#folder).some((number) => number > segment);
  }

  /** @throws when the file has become shorter, which nobody but a stranger does */
  async #fill(descriptor: number, length: number, position: number): Promise<void> {
    let got = 0;
    while (got < length) {
      const more = await new Promise<number>((resolve, reject) => {
        this.#files.read(descriptor, this.#buffer, got, length - got, position + got, (error, count) =>
          error ? reject(error) : resolve(count),
        );
      });
      if (more === 0) throw new Error(`a journal segment in ${this.#folder} has become shorter`);
      got += more;
    }
  }
}
