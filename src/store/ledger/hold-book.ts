import { type RawBuilder, sql } from 'kysely';
import type { Clock } from '../../core/clock.ts';
import { type Millis, type NanoUsd, nanoUsd } from '../../core/units.ts';
import { withRetries } from '../retry.ts';
import { postgresDdl } from '../schema/ddl.ts';
import { ALIVE, budgetHoldTable } from '../schema/holds.ts';
import { nameOf, type Session } from '../session.ts';
import { storableRows } from '../values.ts';
import { accountId } from './accounts.ts';
import { type AccountPeriod, type Balance, balancesOf } from './balance.ts';

/** What is known of one account while nobody else can change what is held of it. */
export interface Holding {
  readonly balance: Balance;
  /** What the other instances hold. */
  readonly others: NanoUsd;
  /** Whether one of them lacks something. */
  readonly isWanted: boolean;
  /** Whether one of them has a request that holds less than it may cost. */
  readonly isOtherShort: boolean;
  /** Whether no other instance is alive. */
  readonly isAlone: boolean;
}

/** What an instance holds of one account from now on. */
export interface Hold {
  readonly held: bigint;
  readonly isWanting: boolean;
  readonly isShort: boolean;
}

/**
 * What instances hold of the budgets that they share, on PostgreSQL.
 *
 * 1. Who changes what it holds of an account has the account's lock, from before it reads until it has committed. So
 *    nobody reads what another is about to change.
 * 2. Spend is written without that lock: it grows while somebody reads, but what grew is still held by who wrote it, so
 *    that it is counted twice at worst, never not at all.
 * 3. Time is the database's: leases end at one moment for all instances.
 */
export class HoldBook {
  readonly #session: Session;
  readonly #clock: Clock;

  constructor(session: Session, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
  }

  /**
   * Changes what an instance holds of some accounts, in one transaction.
   *
   * @param divide says how much, in the order of `asked`; called again when another transaction stood in the way
   * @param lease after which what is held counts no longer, unless it was changed or asked for again
   * @returns what was known of the accounts when it was decided
   */
  exchange(
    instance: string,
    asked: readonly AccountPeriod[],
    divide: (found: readonly Holding[]) => readonly Hold[],
    lease: Millis,
  ): Promise<readonly Holding[]> {
    return withRetries(this.#clock, () =>
      this.#session.queries.transaction().execute(async (queries) => {
        const session = { ...this.#session, queries };
        await lock(session, asked);
        const present = await this.#present(session, instance, asked, lease);
        const balances = await balancesOf(session, asked);
        const found = present.map((row, index) => holdingOf(row, balances[index]));
        await this.#write(session, { instance, asked, present, holds: divide(found), lease });
        return found;
      }),
    );
  }

  /** Says that an instance is alive, and clears away what instances left that are not. */
  async announce(instance: string, lease: Millis): Promise<void> {
    const table = nameOf(this.#session, budgetHoldTable);
    await sql`insert into ${table} (account_type, account_id, instance, held_nano, is_wanting, is_short, expires_at)
      values (${ALIVE}, '', ${instance}, 0, false, false, ${endOf(lease)})
      on conflict (account_type, account_id, instance) do update set expires_at = excluded.expires_at`.execute(
      this.#session.queries,
    );
    await sql`delete from ${table} where expires_at < clock_timestamp()`.execute(this.#session.queries);
  }

  /** An instance is gone, and everything that it spent is in the store. */
  async drop(instance: string): Promise<void> {
    await this.#session.queries.deleteFrom(budgetHoldTable.name).where('instance', '=', instance).execute();
  }

  async #present(session: Session, instance: string, asked: readonly AccountPeriod[], lease: Millis) {
    const table = nameOf(session, budgetHoldTable);
    const isOther = sql`present.instance <> ${instance}`;
    const { rows } = await sql<Present>`
      select given.place,
        cast(coalesce(sum(present.held_nano) filter (where ${isOther}), 0) as bigint) as others_nano,
        coalesce(bool_or(present.is_wanting) filter (where ${isOther}), false) as is_wanted,
        coalesce(bool_or(present.is_short) filter (where ${isOther}), false) as is_other_short,
        not exists (select 1 from ${table} where instance <> ${instance} and expires_at > clock_timestamp()) as is_alone,
        max(present.held_nano) filter (where not ${isOther}) as own_nano,
        coalesce(bool_or(present.is_wanting) filter (where not ${isOther}), false) as own_wanting,
        coalesce(bool_or(present.is_short) filter (where not ${isOther}), false) as own_short,
        coalesce(bool_or(present.expires_at > ${endOf(lease / 2)}) filter (where not ${isOther}), false) as own_fresh
      from ${given(
        asked.map(({ account }, place) => ({ place, account_type: account.type, account_id: accountId(account) })),
        ['place', 'account_type', 'account_id'],
      )}
        left join ${table} as present on present.account_type = given.account_type
          and present.account_id = given.account_id and present.expires_at > clock_timestamp()
      group by given.place order by given.place`.execute(session.queries);
    return rows;
  }

  async #write(session: Session, { instance, asked, present, holds, lease }: Division): Promise<void> {
    const table = nameOf(session, budgetHoldTable);
    const changed = asked.flatMap(({ account }, index) => {
      const [hold, row] = [holds[index], present[index]];
      if (hold === undefined || (row !== undefined && isLike(hold, row))) return [];
      const { held, isWanting, isShort } = hold;
      const name = { account_type: account.type, account_id: accountId(account), instance };
      return [{ ...name, held_nano: held, is_wanting: isWanting, is_short: isShort }];
    });
    const kept = changed.filter((row) => !isNothing(row));
    const gone = changed.filter(isNothing);
    if (kept.length > 0)
      await sql`insert into ${table} (${columns(ROW)}, expires_at) select ${columns(ROW)}, ${endOf(lease)} from ${given(kept, ROW)}
        on conflict (account_type, account_id, instance) do update set held_nano = excluded.held_nano,
          is_wanting = excluded.is_wanting, is_short = excluded.is_short, expires_at = excluded.expires_at`.execute(
        session.queries,
      );
    if (gone.length > 0)
      await sql`delete from ${table} as present using ${given(gone, ROW)} where present.account_type = given.account_type
        and present.account_id = given.account_id and present.instance = given.instance`.execute(session.queries);
  }
}

/** A row of what is held now; `own_nano` is null where this instance has none. */
interface Present {
  readonly others_nano: NanoUsd;
  readonly is_wanted: boolean;
  readonly is_other_short: boolean;
  readonly is_alone: boolean;
  readonly own_nano: bigint | null;
  readonly own_wanting: boolean;
  readonly own_short: boolean;
  readonly own_fresh: boolean;
}

interface Division {
  readonly instance: string;
  readonly asked: readonly AccountPeriod[];
  readonly present: readonly Present[];
  readonly holds: readonly Hold[];
  readonly lease: Millis;
}

const ROW = ['account_type', 'account_id', 'instance', 'held_nano', 'is_wanting', 'is_short'] as const;

function holdingOf(row: Present, balance: Balance | undefined): Holding {
  return {
    balance: balance ?? { spend: nanoUsd(0n), assumed: nanoUsd(0n) },
    others: row.others_nano,
    isWanted: row.is_wanted,
    isOtherShort: row.is_other_short,
    isAlone: row.is_alone,
  };
}

/** Whether the row says so already and will for a while: most exchanges of a quiet budget write nothing. */
function isLike(hold: Hold, { own_nano, own_wanting, own_short, own_fresh }: Present): boolean {
  if (own_nano === null) return isNothing({ held_nano: hold.held, is_wanting: hold.isWanting, is_short: hold.isShort });
  return own_fresh && own_nano === hold.held && own_wanting === hold.isWanting && own_short === hold.isShort;
}

function isNothing(row: { readonly held_nano: bigint; readonly is_wanting: boolean; readonly is_short: boolean }) {
  return row.held_nano <= 0n && !row.is_wanting && !row.is_short;
}

/** One lock for each account, taken in the same order by everybody. */
async function lock(session: Session, asked: readonly AccountPeriod[]): Promise<void> {
  const names = asked.map(({ account }) => `${account.type} ${accountId(account)}`).toSorted();
  const rows = storableRows(names.map((name) => ({ name: `tollgate hold ${session.schema} ${name}` })));
  await sql`select pg_advisory_xact_lock(hashtextextended(each ->> 'name', 0))
    from jsonb_array_elements(${rows}::text::jsonb) as each`.execute(session.queries);
}

const TYPES = {
  ...Object.fromEntries(
    Object.entries(budgetHoldTable.columns).map(([name, { kind }]) => [name, postgresDdl('').typeNames[kind]]),
  ),
  place: 'integer',
} as Readonly<Record<string, string>>;

/** Rows as a table called `given`. */
function given(rows: readonly Readonly<Record<string, unknown>>[], names: readonly string[]): RawBuilder<unknown> {
  const typed = sql.join(names.map((name) => sql`${sql.ref(name)} ${sql.raw(TYPES[name] ?? 'text')}`));
  return sql`jsonb_to_recordset(${storableRows(rows)}::text::jsonb) as given(${typed})`;
}

const columns = (names: readonly string[]): RawBuilder<unknown> => sql.join(names.map((name) => sql.ref(name)));

/** A moment so long after now, by the database's clock. */
const endOf = (lease: number): RawBuilder<unknown> =>
  sql`clock_timestamp() + make_interval(secs => ${sql.lit(lease / 1000)})`;
