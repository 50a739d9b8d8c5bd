import { sql } from 'kysely';
import type { Clock } from '../../core/clock.ts';
import type { LedgerEntry } from '../../core/ledger-entry.ts';
import type { LedgerStore, Rejected, WriteReport } from '../../core/ledger-store.ts';
import { Conflict, Contention, Unstorable } from '../errors.ts';
import { withRetries } from '../retry.ts';
import { customerTable } from '../schema/identity.ts';
import { deadLetterTable, spendBucketTable, spendLogTable } from '../schema/spend.ts';
import { nameOf, type Session } from '../session.ts';
import { storableJson, storableText } from '../values.ts';
import { ACCOUNTS } from './accounts.ts';
import { lockLedger } from './balance.ts';
import { Months } from './months.ts';
import { addSpend, insertRows } from './recordset.ts';
import { reopen } from './roll-up.ts';
import { bucketRows, DAILY_SUMS, dailyRows, logRow, spendByAccount, unfit } from './rows.ts';

/**
 * Writes ledger entries, exactly once, together with every total.
 *
 * 1. Only entries whose row was really inserted count: a batch that is written again adds nothing.
 * 2. Row, buckets, totals of entities and daily rows are one transaction.
 * 3. Tables are always taken in the same order, and rows in the order of their keys, so that instances do not lock each
 *    other out; where they do, the transaction is run again.
 * 4. An entry that the database refuses is found by halving the batch, and becomes a dead letter.
 */
export class DatabaseLedger implements LedgerStore {
  readonly #session: Session;
  readonly #clock: Clock;
  readonly #months: Months;

  constructor(session: Session, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
    this.#months = new Months(session);
  }

  async write(entries: readonly LedgerEntry[]): Promise<WriteReport> {
    const rejected = entries.flatMap((entry) => {
      const reason = unfit(entry);
      return reason === null ? [] : [{ entry, reason }];
    });
    if (rejected.length === 0) return this.#write(entries, rejected);
    const bad = new Set(rejected.map(({ entry }) => entry));
    return this.#write(
      entries.filter((entry) => !bad.has(entry)),
      rejected,
    );
  }

  /** Puts an entry aside that `write` does not take for reasons of its own. Taking the same one again is no error. */
  async bury(entry: LedgerEntry, reason: string): Promise<void> {
    await bury(this.#session, [{ entry, reason }]);
  }

  async #write(entries: readonly LedgerEntry[], rejected: readonly Rejected[]): Promise<WriteReport> {
    if (entries.length === 0 && rejected.length === 0) return NOTHING;
    try {
      return await withRetries(this.#clock, () => this.#once(entries, rejected));
    } catch (error) {
      if (entries.length === 0 || !isPoison(error)) throw error;
      return this.#apart(entries, rejected, error.message);
    }
  }

  /** Some entry of the batch is refused: each half by itself, down to the one. */
  async #apart(entries: readonly LedgerEntry[], rejected: readonly Rejected[], reason: string): Promise<WriteReport> {
    const [entry] = entries;
    if (entries.length === 1 && entry !== undefined) return this.#write([], [...rejected, { entry, reason }]);
    const middle = Math.ceil(entries.length / 2);
    const first = await this.#write(entries.slice(0, middle), rejected);
    const second = await this.#write(entries.slice(middle), []);
    return {
      written: first.written + second.written,
      duplicates: first.duplicates + second.duplicates,
      rejected: [...first.rejected, ...second.rejected],
    };
  }

  async #once(entries: readonly LedgerEntry[], rejected: readonly Rejected[]): Promise<WriteReport> {
    try {
      await this.#months.ensure(entries.map(({ startedAt }) => startedAt));
      return await this.#transaction(entries, rejected);
    } catch (error) {
      if (error instanceof Contention) this.#months.forget();
      throw error;
    }
  }

  #transaction(entries: readonly LedgerEntry[], rejected: readonly Rejected[]): Promise<WriteReport> {
    return this.#session.queries.transaction().execute(async (queries) => {
      const session = { ...this.#session, queries };
      await lockLedger(session, 'shared');
      await bury(session, rejected);
      const inserted = await insertLogs(session, entries);
      await addTotals(session, inserted);
      return { written: inserted.length, duplicates: entries.length - inserted.length, rejected };
    });
  }
}

/** Whether an entry's own values made a batch fail. What is wrong with the database or its tables is nobody's poison. */
const isPoison = (error: unknown): error is Error =>
  error instanceof Unstorable || error instanceof Conflict || error instanceof TypeError || error instanceof RangeError;

const SKIP = { kind: 'skip' } as const;
const NOTHING: WriteReport = { written: 0, duplicates: 0, rejected: [] };

/** Inserts the log rows and returns the entries whose row was not there. */
async function insertLogs(session: Session, entries: readonly LedgerEntry[]): Promise<readonly LedgerEntry[]> {
  const byId = new Map(entries.map((entry) => [entry.requestId as string, entry]));
  if (byId.size === 0) return [];
  const unique = [...byId.values()];
  const inserted = await insertRows(session, spendLogTable, unique.map(logRow), SKIP);
  return inserted === 'all' ? unique : unique.filter(({ requestId }) => inserted.has(requestId));
}

async function addTotals(session: Session, entries: readonly LedgerEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await createCustomers(session, entries);
  const buckets = bucketRows(entries);
  if (buckets.length > 0)
    await insertRows(session, spendBucketTable, buckets, { kind: 'add', sums: ['spend_nano', 'assumed_nano'] });
  for (const { table, rows } of dailyRows(entries))
    if (rows.length > 0) await insertRows(session, table, rows, { kind: 'add', sums: DAILY_SUMS });
  await reopen(
    session,
    entries.map(({ startedAt }) => startedAt),
  );
  await addToEntities(session, entries);
}

/**
 * A customer is known from the first request that names it, as in LiteLLM (§3.7). One that was deleted starts again at
 * nought, so it comes before this batch is added to its account.
 */
async function createCustomers(session: Session, entries: readonly LedgerEntry[]): Promise<void> {
  const ids = new Set(entries.flatMap(({ payer }) => payer.customerId ?? []).map(storableText));
  if (ids.size === 0) return;
  const given = [...ids].map((user_id) => ({ user_id }));
  const inserted = await insertRows(session, customerTable, given, SKIP);
  const created = inserted === 'all' ? ids : inserted;
  if (created.size === 0) return;
  await sql`update ${nameOf(session, customerTable)} as present set spend_offset_nano = -cast(coalesce(
      (select sum(spend_nano) from ${nameOf(session, spendBucketTable)}
       where account_type = 'customer' and account_id = present.user_id), 0) as bigint)
    where user_id in (${sql.join([...created])})`.execute(session.queries);
}

async function addToEntities(session: Session, entries: readonly LedgerEntry[]): Promise<void> {
  const grown = spendByAccount(entries);
  for (const [type, shown] of Object.entries(ACCOUNTS)) {
    const accounts = grown.get(type as keyof typeof ACCOUNTS); // a key of ACCOUNTS
    if (shown === null || accounts === undefined) continue;
    const rows = accounts.map(({ account, spend }) => ({
      ...Object.fromEntries(shown.columns.map((column, index) => [column, account.id[index]])),
      spend_nano: spend,
    }));
    await addSpend(session, shown.table, shown.columns, rows);
  }
}

/** Puts entries aside, whole, where a person finds them. */
async function bury(session: Session, rejected: readonly Rejected[]): Promise<void> {
  if (rejected.length === 0) return;
  const rows = rejected.map(({ entry, reason }) => ({
    request_id: entry.requestId === '' ? crypto.randomUUID() : entry.requestId,
    entry: storableJson(entry),
    reason,
    created_at: session.now(),
  }));
  await insertRows(session, deadLetterTable, rows, SKIP);
}
