import { sql } from 'kysely';
import { type EpochMillis, millis, type NanoUsd } from '../../core/units.ts';
import { spendBucketTable } from '../schema/spend.ts';
import { type Session, sumOf } from '../session.ts';
import { type Account, accountId } from './accounts.ts';

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
