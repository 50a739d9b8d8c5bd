import { sql } from 'kysely';
import { spendLogTable } from '../schema/spend.ts';
import { nameOf, type Session } from '../session.ts';

/**
 * The monthly partitions of `litellm_spendlogs` on PostgreSQL.
 *
 * Old months are dropped whole, which leaves no bloat; see docs/decisions/0013-spend-logs-by-month.md.
 */
export class Months {
  readonly #session: Session;
  readonly #known = new Set<string>();

  constructor(session: Session) {
    this.#session = session;
  }

  /** Makes the partitions in which these moments lie, each looked for once by this process. */
  async ensure(moments: readonly number[]): Promise<void> {
    if (this.#session.kind !== 'postgres') return;
    const missing = new Set(moments.map(monthOf).filter((month) => !this.#known.has(month)));
    for (const month of missing) {
      await this.#create(month);
      this.#known.add(month);
    }
  }

  /** Looks for them again: one may have been dropped. */
  forget(): void {
    this.#known.clear();
  }

  /** In a transaction of its own, because it locks the whole table for a moment. */
  #create(month: string): Promise<void> {
    const { schema, queries } = this.#session;
    return queries.transaction().execute(async (transaction) => {
      await sql`select pg_advisory_xact_lock(hashtextextended(${`tollgate months ${schema}`}, 0))`.execute(transaction);
      const name = partitionName(month);
      const found = await sql`select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = ${schema} and c.relname = ${name}`.execute(transaction);
      if (found.rows.length > 0) return;
      await sql`create table ${nameOf(this.#session, { ...spendLogTable, name })} partition of
        ${nameOf(this.#session, spendLogTable)} for values from (${sql.lit(`${month}-01Z`)})
        to (${sql.lit(`${followingMonth(month)}-01Z`)})`.execute(transaction);
    });
  }
}

/** `2026-11`, in UTC. */
export const monthOf = (moment: number): string => new Date(moment).toISOString().slice(0, 7);

/** `2026-11` -> `2026-12`. */
export function followingMonth(month: string): string {
  const [year = '', number = ''] = month.split('-');
  return monthOf(Date.UTC(Number(year), Number(number)));
}

/** `2026-11` -> `litellm_spendlogs_2026_11`. */
export const partitionName = (month: string): string => `${spendLogTable.name}_${month.replace('-', '_')}`;
