/**
 * The database cannot be asked at the moment; the same call may succeed later.
 *
 * The answer to a client is 503 with `retry-after`. After a write it is not known whether it happened.
 */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

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

/** Two transactions stood in each other's way; the store repeats such work by itself. */
export class Contention extends Error {
  override readonly name = 'Contention';
}
