export const LF = 10;
export const CR = 13;

/** How the bytes of an open block end: in a line, after a whole line, or in the CR of a blank line. */
export type Tail = 'in-line' | 'after-lf' | 'after-cr' | 'blank-cr';

/** How the first `length` bytes of an open block end. */
export function tailOf(pending: Buffer, length: number): Tail {
  const last = pending[length - 1];
  if (last === LF) return 'after-lf';
  if (last !== CR) return 'in-line';
  const before = pending[length - 2];
  return before === LF || before === CR ? 'blank-cr' : 'after-cr';
}

/** One past the first blank line, for bytes that go on after `tail`; -1 when the block does not surely end here. */
export function endOfBlock(bytes: Buffer, tail: Tail): number {
  if (tail === 'blank-cr') return bytes[0] === LF ? 1 : 0;
  const lineEnds = new LineEnds(bytes);
  let line = tail === 'after-cr' && bytes[0] === LF ? 1 : 0;
  let isLineStart = tail !== 'in-line';
  while (line < bytes.length) {
    const lineEnd = lineEnds.next(line);
    if (lineEnd === bytes.length) return -1;
    const isCrLf = bytes[lineEnd] === CR && bytes[lineEnd + 1] === LF;
    const next = isCrLf ? lineEnd + 2 : lineEnd + 1;
    if (isLineStart && lineEnd === line) return bytes[lineEnd] === CR && next === bytes.length && !isCrLf ? -1 : next;
    isLineStart = true;
    line = next;
  }
  return -1;
}

/** Finds line ends in order; remembers the next LF and CR, so that many of one kind cost no search for the other. */
export class LineEnds {
  readonly #bytes: Buffer;
  #lf = -1;
  #cr = -1;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** The next CR or LF at or after `from`, or the length; `from` may not go back. */
  next(from: number): number {
    const bytes = this.#bytes;
    if (this.#lf < from) this.#lf = orEnd(bytes.indexOf(LF, from), bytes.length);
    if (this.#cr < from) this.#cr = orEnd(bytes.indexOf(CR, from), bytes.length);
    return Math.min(this.#lf, this.#cr);
  }
}

/** What `indexOf` found, or the length when it found nothing. */
export function orEnd(index: number, length: number): number {
  return index < 0 ? length : index;
}
