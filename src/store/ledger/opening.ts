import { sql } from 'kysely';
import type { EpochMillis, NanoUsd } from '../../core/units.ts';
import { spendBucketTable } from '../schema/spend.ts';
import type { Session } from '../session.ts';
import { type Account, accountId } from './accounts.ts';
import { balanceOf, bucketStart, lockLedger } from './balance.ts';

/** What an account is to have spent, as another system counted it. */
export interface OpeningBalance {
  /** Start of the period that it was counted in; null: ever. */
  readonly since: EpochMillis | null;
  readonly spend: NanoUsd;
  /** When it counts as spent: in that period. */
  readonly at: EpochMillis;
}

/** How far past its quarter of an hour an opening balance stands, by which it is known: it has no rows of the log. */
const OPENING_MARK_MS = 1;

/** Takes over what accounts spent elsewhere, inside a transaction. */
export class BalanceWriter {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /**
   * Makes what an account spent since a moment equal to a sum, by an opening balance over (or under) what the ledger has.
   *
   * Budgets count it like any spend, until the period is over. The `spend` of the account's row is not touched: it is
   * given when the row is written.
   */
  async open(account: Account, { since, spend, at }: OpeningBalance): Promise<void> {
    await lockLedger(this.#session, 'alone');
    const known = await balanceOf(this.#session, account, since);
    const missing = spend - known.spend;
    if (missing === 0n) return;
    const row = {
      account_type: account.type,
      account_id: accountId(account),
      bucket_start: new Date(bucketStart(at).getTime() + OPENING_MARK_MS),
      spend_nano: missing,
      assumed_nano: 0n,
    };
    await this.#session.queries
      .insertInto(spendBucketTable.name)
      .values(row)
      .onConflict((conflict) =>
        conflict
          .columns(['account_type', 'account_id', 'bucket_start'])
          .doUpdateSet({ spend_nano: sql`${sql.ref(`${spendBucketTable.name}.spend_nano`)} + excluded.spend_nano` }),
      )
      .execute();
  }
}
