import { type SqlBool, sql } from 'kysely';
import type { ChangeLog } from './change-log.ts';
import { accountOfRow } from './ledger/accounts.ts';
import { balanceOf, lockLedger } from './ledger/balance.ts';
import type { ColumnKind } from './schema/column.ts';
import type { AuditAction } from './schema/identity.ts';
import type { NewRowOf, PatchOf, RowOf, Table } from './schema/table.ts';
import type { Session } from './session.ts';
import { type AnyOf, anyOf, conditions, type Where } from './where.ts';

/** A primary key: one text, or as many as the key has columns. */
export type Key = string | readonly string[];

/** Which rows, in which order, and how many. */
export interface ListQuery<Row> {
  readonly where?: AnyOf<Row>;
  /** The primary key when it is not given; rows alike in it are in the order of the primary key. */
  readonly sort?: keyof Row & string;
  readonly order?: 'ascending' | 'descending';
  readonly limit: number;
  /** `next` of the page before: costs the same however far in. */
  readonly after?: string | null;
  /** Rows to leave out first, for LiteLLM's numbered pages: costs more the farther in. */
  readonly skip?: number;
}

/** Some rows, and where to go on; null when these were the last. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly next: string | null;
}

type Values = Readonly<Record<string, unknown>>;

/** Reads the rows of one table. */
export class TableReader<T extends Table> {
  protected readonly table: T;
  protected readonly session: Session;

  constructor(table: T, session: Session) {
    this.table = table;
    this.session = session;
  }

  /** The row, or null. */
  get(key: Key): Promise<RowOf<T> | null> {
    return this.find(this.#keyWhere(key));
  }

  /** The first row that fits, or null. */
  async find(where: Where<RowOf<T>>): Promise<RowOf<T> | null> {
    const row = await this.#select(where).limit(1).executeTakeFirst();
    return (row ?? null) as RowOf<T> | null; // decoded by the definition that also made the type
  }

  async count(where: AnyOf<RowOf<T>> = {}): Promise<number> {
    const row = await this.session.queries
      .selectFrom(this.table.name)
      .select(({ fn }) => fn.countAll().as('rows'))
      .where(anyOf(this.session, where))
      .executeTakeFirstOrThrow();
    return Number(row.rows);
  }

  /** One page, sorted, after a cursor or a number of rows. */
  async list(query: ListQuery<RowOf<T>>): Promise<Page<RowOf<T>>> {
    const { rows, next } = await this.#page(query, 'whole');
    return { rows: rows as RowOf<T>[], next }; // as in find
  }

  /**
   * The same page, found by its keys first: rows that are left out, or do not fit, are read from an index alone.
   *
   * For large tables; a row that is deleted meanwhile is missing.
   */
  async listByKeys(query: ListQuery<RowOf<T>>): Promise<Page<RowOf<T>>> {
    const { rows: keys, next } = await this.#page(query, 'keys');
    if (keys.length === 0) return { rows: [], next };
    const found = await this.#select(this.#oneOfKeys(keys)).execute();
    const byKey = new Map(found.map((row) => [this.#keyText(row), row]));
    const rows = keys.flatMap((key) => byKey.get(this.#keyText(key)) ?? []);
    return { rows: rows as RowOf<T>[], next }; // as in find
  }

  /** @param what `keys`: the columns by which it is sorted, among them the primary key */
  async #page(query: ListQuery<RowOf<T>>, what: 'whole' | 'keys') {
    const direction = query.order === 'descending' ? 'desc' : 'asc';
    const columns = this.#sortColumns(query.sort);
    const from = this.session.queries.selectFrom(this.table.name).where(anyOf(this.session, query.where ?? {}));
    let select = (what === 'whole' ? from.selectAll() : from.select(columns)).limit(query.limit + 1);
    for (const column of columns) select = select.orderBy(this.#comparable(column), direction);
    if (query.skip !== undefined) select = select.offset(query.skip);
    if (query.after != null) select = select.where(this.#beyond(columns, query.after, direction));
    const rows = await select.execute();
    const page = rows.slice(0, query.limit);
    const last = rows.length > query.limit ? page.at(-1) : undefined;
    return { rows: page, next: last === undefined ? null : cursorOf(columns, last) };
  }

  /** Rows with any of these primary keys; a list for each column, so that an index and the months are found by it. */
  #oneOfKeys(keys: readonly Values[]): Where<RowOf<T>> {
    const lists = this.table.primaryKey.map((column) => [column, { in: keys.map((key) => key[column]) }]);
    return Object.fromEntries(lists) as Where<RowOf<T>>; // names its columns
  }

  #keyText(row: Values): string {
    return JSON.stringify(this.table.primaryKey.map((column) => row[column]));
  }

  #select(where: AnyOf<RowOf<T>>) {
    return this.session.queries.selectFrom(this.table.name).selectAll().where(anyOf(this.session, where));
  }

  #keyWhere(key: Key): Where<RowOf<T>> {
    return keyValues(this.table, key) as Where<RowOf<T>>; // names its columns
  }

  #sortColumns(sort: string | undefined): readonly string[] {
    const { primaryKey, columns } = this.table;
    if (sort !== undefined && columns[sort] === undefined) throw new Error(`${this.table.name} has no column ${sort}`);
    return sort === undefined ? primaryKey : [sort, ...primaryKey.filter((column) => column !== sort)];
  }

  /** A column with nothing sorts before all others, in both databases. */
  #comparable(column: string) {
    const definition = this.table.columns[column];
    if (definition?.isNullable !== true) return sql.ref(column);
    const least = leastOf(definition.kind);
    // Written out, because an index of the expression is found only for the same one.
    return sql`coalesce(${sql.ref(column)}, ${typeof least === 'number' ? sql.lit(least) : least})`;
  }

  #beyond(columns: readonly string[], cursor: string, direction: 'asc' | 'desc') {
    const values = readCursor(cursor, columns.length).map((value, index) =>
      cursorValue(this.table.columns[columns[index] ?? '']?.kind, value),
    );
    const left = sql.join(columns.map((column) => this.#comparable(column)));
    return sql<SqlBool>`(${left}) ${sql.raw(direction === 'asc' ? '>' : '<')} (${sql.join(values)})`;
  }
}

/** What nothing counts as when rows are sorted by it. */
const leastOf = (kind: ColumnKind | undefined): string | Date | number =>
  kind === 'text' ? '' : kind === 'time' ? new Date(0) : -1;

/** Reads and changes the rows of one table inside a transaction; every change is recorded for audit and feed. */
export class TableWriter<T extends Table> extends TableReader<T> {
  protected readonly log: ChangeLog;
  protected readonly author: string;

  constructor(table: T, session: Session, log: ChangeLog, author: string) {
    super(table, session);
    this.log = log;
    this.author = author;
  }

  /**
   * Writes a new row.
   *
   * @throws Conflict when one with the same key is there
   */
  async create(row: NewRowOf<T>): Promise<RowOf<T>> {
    const values = await this.#withOffset({ ...this.#stamps('created'), ...this.#stamps('updated'), ...row }, row);
    const created = await this.session.queries
      .insertInto(this.table.name)
      .values(values)
      .returningAll()
      .executeTakeFirstOrThrow();
    this.log.record({ ...this.#change(created, 'created'), before: null, after: created });
    return created as RowOf<T>; // decoded by the definition that also made the type
  }

  /**
   * Sets columns of a row; none of them changes nothing and leaves no trace.
   *
   * @param action what the audit log calls it
   * @returns the row as it is now; null when there is none
   */
  async update(key: Key, patch: PatchOf<T>, action: AuditAction = 'updated'): Promise<RowOf<T> | null> {
    const before = await this.#lock(key);
    if (before === null) return null;
    if (Object.keys(patch).length === 0) return before as RowOf<T>; // as in create
    const values = await this.#withOffset({ ...this.#stamps('updated'), ...patch }, { ...before, ...patch });
    const after = await this.session.queries
      .updateTable(this.table.name)
      .set(values)
      .where(conditions(this.session, keyValues(this.table, key)))
      .returningAll()
      .executeTakeFirstOrThrow();
    this.log.record({ ...this.#change(before, action), before, after: patch });
    return after as RowOf<T>; // as in create
  }

  /** Removes a row and returns it as it was; null when there is none. */
  async delete(key: Key): Promise<RowOf<T> | null> {
    const before = await this.#lock(key);
    if (before === null) return null;
    await this.session.queries
      .deleteFrom(this.table.name)
      .where(conditions(this.session, keyValues(this.table, key)))
      .execute();
    this.log.record({ ...this.#change(before, 'deleted'), before, after: null });
    return before as RowOf<T>; // as in create
  }

  /** The row, which nobody else changes until the transaction ends. */
  async #lock(key: Key): Promise<Values | null> {
    const select = this.session.queries
      .selectFrom(this.table.name)
      .selectAll()
      .where(conditions(this.session, keyValues(this.table, key)));
    const row = await (this.session.kind === 'postgres' ? select.forUpdate() : select).executeTakeFirst();
    return row ?? null;
  }

  #change(row: Values, action: AuditAction) {
    const key = this.table.primaryKey.map((column) => String(row[column]));
    return { table: this.table, objectId: objectId(key), action };
  }

  /** Who and when, where the table has columns for it. */
  #stamps(what: 'created' | 'updated'): Values {
    const { columns } = this.table;
    return {
      ...(columns[`${what}_at`] !== undefined && { [`${what}_at`]: this.session.now() }),
      ...(columns[`${what}_by`] !== undefined && { [`${what}_by`]: this.author }),
    };
  }

  /**
   * Where `spend` is set by hand: what must be added to the ledger's sum to give it, so that the two can be compared
   * for ever. A new row shows no spend of an earlier one with the same name.
   */
  async #withOffset(values: Values, row: Values): Promise<Values> {
    const isNew = row.spend_offset_nano === undefined;
    if (this.table.columns.spend_offset_nano === undefined || !(isNew || 'spend_nano' in values)) return values;
    const account = accountOfRow(this.table, row);
    if (account === null) return values;
    const wanted = (row.spend_nano ?? 0n) as bigint; // its column holds money
    await lockLedger(this.session, 'alone');
    const { spend } = await balanceOf(this.session, account, null);
    return { ...values, spend_nano: wanted, spend_offset_nano: wanted - spend };
  }
}

/** How a row is named in the audit log and the feed. */
export const objectId = (key: Key): string =>
  typeof key === 'string' ? key : key.length === 1 ? (key[0] ?? '') : JSON.stringify(key);

function keyValues({ primaryKey }: Table, key: Key): Readonly<Record<string, string>> {
  const values = typeof key === 'string' ? [key] : key;
  if (values.length !== primaryKey.length)
    throw new Error(`a key of ${primaryKey.join(', ')} has ${values.length} values`);
  return Object.fromEntries(primaryKey.map((column, index) => [column, values[index] ?? '']));
}

function cursorOf(columns: readonly string[], row: Values): string {
  const values = columns.map((column) => (typeof row[column] === 'bigint' ? String(row[column]) : row[column]));
  return Buffer.from(JSON.stringify(values)).toString('base64url');
}

function readCursor(cursor: string, count: number): readonly unknown[] {
  try {
    const values: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(values) && values.length === count) return values;
  } catch {
    // Not even JSON.
  }
  throw new BadCursor();
}

/** A value of a cursor as its column has it; anybody may send one. */
function cursorValue(kind: ColumnKind | undefined, value: unknown): unknown {
  if (value === null) return leastOf(kind);
  if (kind === 'time' && typeof value === 'string' && !Number.isNaN(Date.parse(value))) return new Date(value);
  if (kind === 'nano' && typeof value === 'string' && /^-?\d{1,19}$/.test(value)) return BigInt(value);
  const isPlain = { text: 'string', boolean: 'boolean', integer: 'number', dollars: 'number' }[String(kind)];
  if (typeof value === isPlain) return value;
  throw new BadCursor();
}

/** A page was asked for by a cursor that the list did not give out, or gave out under another order. */
export class BadCursor extends Error {
  override readonly name = 'BadCursor';

  constructor() {
    super('the cursor is none that this list gave out: leave it away to start at the beginning');
  }
}
