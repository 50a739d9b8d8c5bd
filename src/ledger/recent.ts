import type { LedgerEntry } from '../core/ledger-entry.ts';

/** Entries kept at a time: what a second of the heaviest load leaves, about 5 MB. */
const MOST = 2_000;

/**
 * The latest entries of a journal, so that a writer who keeps up need not read them back from the disk.
 *
 * Marks count the bytes of the journal from its beginning. When there are too many entries all of them are forgotten:
 * a writer that is so far behind reads the disk, and comes back here when it has caught up.
 */
export class RecentEntries {
  #entries: LedgerEntry[] = [];
  /** Where each of the entries ends. */
  #marks: number[] = [];
  /** Every entry behind this mark is here. */
  #from = 0;

  add(entry: LedgerEntry, mark: number): void {
    if (this.#entries.length === MOST) {
      this.#from = this.#marks.at(-1) ?? this.#from;
      this.#entries = [];
      this.#marks = [];
    }
    this.#entries.push(entry);
    this.#marks.push(mark);
  }

  /**
   * Gives away the entries that end behind `from` and not behind `until`, with any that end before.
   *
   * @returns null when some of them were forgotten
   */
  take(from: number, until: number): readonly LedgerEntry[] | null {
    if (from < this.#from) return null;
    const end = countUpTo(this.#marks, until);
    const known = countUpTo(this.#marks, from);
    const taken = this.#entries.splice(0, end);
    this.#marks.splice(0, end);
    return known === 0 ? taken : taken.slice(known);
  }
}

/** How many of the ascending marks are not beyond one. */
function countUpTo(marks: readonly number[], mark: number): number {
  const first = marks.findIndex((each) => each > mark);
  return first < 0 ? marks.length : first;
}
