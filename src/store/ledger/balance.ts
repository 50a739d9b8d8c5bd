import { type RawBuilder, sql } from 'kysely';
import { type EpochMillis, millis, type NanoUsd } from '../../core/units.ts';
import { spendBucketTable } from '../schema/spend.ts';
import { nameOf, type Session, sumOf } from '../session.ts';
import { ACCOUNTS, type Account, accountId } from './accounts.ts';

/** How long one row of `litellm_spendbuckets` lasts: every time zone is a multiple of it away from UTC. */
export const BUCKET = millis(15 * 60_000);

/** What an account spent. */
export interface Balance {
  /** At known prices. */
  readonly spend: NanoUsd;
  /** Held for requests whose price nobody knows. */
  readonly assumed: NanoUsd;
}

/**
 * What an account spent since a moment, to the last unit.
 *
 * @param since a multiple of a quarter of an hour, as every period of an hour or longer starts in every time zone;
 *   spend of the quarter in which another moment lies counts as a whole. Null: ever
 */
export async function balanceOf(session: Session, account: Account, since: EpochMillis | null): Promise<Balance> {
  let query = session.queries
    .selectFrom(spendBucketTable.name)
    .select([sumOf('spend_nano').as('spend_nano'), sumOf('assumed_nano').as('assumed_nano')])
    .where('account_type', '=', account.type)
    .where('account_id', '=', accountId(account));
  if (since !== null) query = query.where('bucket_start', '>=', bucketStart(since));
  const row = await query.executeTakeFirstOrThrow();
  return { spend: row.spend_nano as NanoUsd, assumed: row.assumed_nano as NanoUsd }; // named as what they sum
}

/** An account, and the moment from which its spend is asked, as in `balanceOf`. */
export interface AccountPeriod {
  readonly account: Account;
  readonly since: EpochMillis | null;
}

/** Accounts in one statement. */
const TOGETHER = 100;

/**
 * What many accounts spent, in the order in which they were asked.
 *
 * An account whose spend was set by hand has that much more or less, when all of its spend is asked: a period's sum
 * cannot tell when the hand was at work.
 */
export async function balancesOf(session: Session, asked: readonly AccountPeriod[]): Promise<readonly Balance[]> {
  const found: Balance[] = [];
  for (let from = 0; from < asked.length; from += TOGETHER)
    found.push(...(await balancesTogether(session, asked.slice(from, from + TOGETHER))));
  return found;
}

async function balancesTogether(session: Session, asked: readonly AccountPeriod[]): Promise<readonly Balance[]> {
  const sums = asked.map((each, index) => sumRow(session, each, index));
  const { rows } = await sql<SumRow>`${sql.join(sums, sql` union all `)}`.execute(session.queries);
  const found = new Array<Balance>(asked.length);
  for (const { place, spend_nano, assumed_nano } of rows)
    found[place] = { spend: spend_nano as NanoUsd, assumed: assumed_nano as NanoUsd }; // as in balanceOf
  return found;
}

interface SumRow {
  readonly place: number;
  readonly spend_nano: bigint;
  readonly assumed_nano: bigint;
}

function sumRow(session: Session, { account, since }: AccountPeriod, place: number): RawBuilder<unknown> {
  const after = since === null ? sql`` : sql`and bucket_start >= ${bucketStart(since)}`;
  const byHand = since === null ? offset(session, account) : sql`0`;
  return sql`select ${sql.lit(place)} as place, ${sumOf('spend_nano')} + ${byHand} as spend_nano,
      ${sumOf('assumed_nano')} as assumed_nano
    from ${nameOf(session, spendBucketTable)}
    where account_type = ${account.type} and account_id = ${accountId(account)} ${after}`;
}

/** What was set by hand beside the ledger's sum; 0 where nothing shows it. */
function offset(session: Session, { type, id }: Account): RawBuilder<unknown> {
  const shown = ACCOUNTS[type];
  if (shown === null) return sql`0`;
  const isMeant = shown.columns.map((column, index) => sql`${sql.ref(column)} = ${id[index] ?? ''}`);
  return sql`cast(coalesce((select spend_offset_nano from ${nameOf(session, shown.table)}
    where ${sql.join(isMeant, sql` and `)}), 0) as bigint)`;
}

/**
 * Lets batches of the ledger be written side by side, but none while a row gets its offset from a balance: one that is
 * still to be committed would be missing in the balance and in the new row.
 */
export async function lockLedger({ queries, schema }: Session, mode: 'shared' | 'alone'): Promise<void> {
  if (schema === null) return;
  const lock = sql.raw(mode === 'shared' ? 'pg_advisory_xact_lock_shared' : 'pg_advisory_xact_lock');
  await sql`select ${lock}(hashtextextended(${`tollgate ledger ${schema}`}, 0))`.execute(queries);
}

/** The start of the quarter of an hour in which a moment lies. */
export const bucketStart = (at: number): Date => new Date(Math.floor(at / BUCKET) * BUCKET);
