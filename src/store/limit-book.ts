import { sql } from 'kysely';
import type { Millis } from '../core/units.ts';
import { ALIVE, budgetHoldTable } from './schema/holds.ts';
import { limitCountTable } from './schema/limits.ts';
import { nameOf, type Session } from './session.ts';
import { storableRows } from './values.ts';

/** What was counted under one limit. */
export interface LimitCounts {
  readonly requests: number;
  readonly tokens: number;
}

/** What one instance has counted, and when the window ends in which it did. */
export interface OwnCounts extends LimitCounts {
  readonly scope: string;
  readonly id: string;
  readonly endsIn: Millis;
  /** Whether it is not what the store was told last. */
  readonly isNews: boolean;
}

/**
 * What the instances on one PostgreSQL have counted under limits. Each writes its own rows and reads the others'; nobody
 * waits for anybody, so that what one reads may be as old as the other's last word.
 */
export class LimitBook {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Whether another instance has said that it is alive. */
  async hasCompany(instance: string): Promise<boolean> {
    const { rows } = await sql<{ has_company: boolean }>`select exists (
      select 1 from ${nameOf(this.#session, budgetHoldTable)}
      where account_type = ${ALIVE} and instance <> ${instance} and expires_at > clock_timestamp()
    ) as has_company`.execute(this.#session.queries);
    return rows[0]?.has_company === true;
  }

  /**
   * Says what this instance has counted, and hears what the others have, in one statement.
   *
   * @returns the others' counts, in the order of `own`
   */
  async exchange(instance: string, own: readonly OwnCounts[]): Promise<readonly LimitCounts[]> {
    if (own.length === 0) return [];
    const table = nameOf(this.#session, limitCountTable);
    const given = storableRows(own.map((counts, place) => ({ place, ...counts })));
    const { rows } = await sql<LimitCounts>`
      with given as materialized (select * from jsonb_to_recordset(${given}::text::jsonb) as given
          (place integer, scope text, id text, requests bigint, tokens bigint, "endsIn" double precision, "isNews" boolean)),
        written as (insert into ${table} (scope, id, instance, requests, tokens, window_ends_at)
          select distinct on (scope, id) scope, id, ${instance}, requests, tokens,
            clock_timestamp() + make_interval(secs => "endsIn" / 1000)
          from given where "isNews" order by scope, id
          on conflict (scope, id, instance) do update set requests = excluded.requests, tokens = excluded.tokens,
            window_ends_at = excluded.window_ends_at)
      select given.place,
        cast(coalesce(sum(present.requests), 0) as bigint) as requests,
        cast(coalesce(sum(present.tokens), 0) as bigint) as tokens
      from given left join ${table} as present
        on present.scope = given.scope and present.id = given.id and present.instance <> ${instance}
          and present.window_ends_at > clock_timestamp()
      group by given.place order by given.place`.execute(this.#session.queries);
    return rows.map(({ requests, tokens }) => ({ requests, tokens }));
  }

  /** Clears away what counts no longer, of the living and the dead. */
  async clear(): Promise<void> {
    await sql`delete from ${nameOf(this.#session, limitCountTable)}
      where window_ends_at < clock_timestamp()`.execute(this.#session.queries);
  }
}
