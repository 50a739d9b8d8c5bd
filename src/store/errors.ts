/** One class for every layer: the ledger, which does not know the store, tells it from other failures. */
export { StoreUnavailable } from '../core/ledger-store.ts';

/** A row with these values is there already, or a row that it points at is not (`reference`). */
export class Conflict extends Error {
  override readonly name = 'Conflict';
  readonly reason: 'duplicate' | 'reference';
  readonly table: string;
  /** The columns that must be unique; empty when the database did not say. */
  readonly columns: readonly string[];

  constructor(reason: Conflict['reason'], table: string, columns: readonly string[]) {
    const what = reason === 'duplicate' ? `has a row with the same ${columns.join(', ')}` : 'refers to a row';
    super(`${table} ${what}${reason === 'duplicate' ? '' : ' that is not there, or is referred to by one'}`);
    this.reason = reason;
    this.table = table;
    this.columns = columns;
  }
}

/** A value that no database here can hold: text with a NUL character, an amount beyond 63 bits. */
export class Unstorable extends Error {
  override readonly name = 'Unstorable';
}

/** The store cannot start, and waiting will not help: the message says what an operator can do. */
export class StoreRefused extends Error {
  override readonly name = 'StoreRefused';
}

/** The same, and waiting may help: nobody answers at the address. */
export class StoreUnreachable extends StoreRefused {}

/** Two transactions stood in each other's way; the store repeats such work by itself. */
export class Contention extends Error {
  override readonly name = 'Contention';
}
