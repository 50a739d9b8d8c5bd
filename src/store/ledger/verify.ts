import { type RawBuilder, sql } from 'kysely';
import {
  dailyTables,
  type RolledUpPart,
  rolledUpDayTable,
  rollUpTable,
  spendBucketTable,
  spendLogTable,
} from '../schema/spend.ts';
import { nameOf, type Session } from '../session.ts';
import { ACCOUNTS } from './accounts.ts';
import { ENTITY_COLUMNS, ROLLED_UP_PARTS, ROLLED_UP_SUBJECTS, type RolledUpSubject } from './roll-up.ts';

/** A total that is not what its rows add up to. Amounts in nano-dollars. */
export interface Difference {
  /** `entity`: the row of a key, team and so on. `bucket`: a quarter of an hour. `day`: a daily table. `roll-up`: days added up. */
  readonly total: 'entity' | 'bucket' | 'day' | 'roll-up';
  /** The table and the row. */
  readonly place: string;
  readonly stored: bigint;
  readonly recomputed: bigint;
}

/**
 * Recomputes every total from what it was summed from, and returns those that differ.
 *
 * Rows of the log are compared with days and buckets from the oldest whole day that is still kept; buckets, which are
 * never removed, with the entities' totals, and days with their roll-ups.
 */
export async function verify(session: Session): Promise<readonly Difference[]> {
  return session.queries.transaction().execute(async (queries) => {
    const inside = { ...session, queries };
    if (session.kind === 'postgres')
      await sql`set transaction isolation level repeatable read, read only`.execute(queries);
    return [
      ...(await entityDifferences(inside)),
      ...(await dayDifferences(inside)),
      ...(await bucketDifferences(inside)),
      ...(await rollUpDifferences(inside)),
    ];
  });
}

/** `spend_nano` = `spend_offset_nano` + the sum of the account's buckets. */
async function entityDifferences(session: Session): Promise<readonly Difference[]> {
  const found: Difference[] = [];
  for (const [type, shown] of Object.entries(ACCOUNTS)) {
    if (shown === null) continue;
    const id = shown.columns.length === 1 ? sql.ref(`e.${shown.columns[0]}`) : pairId(session, shown.columns);
    const query = sql<Compared>`
      select ${id} as place, e.spend_nano as stored_nano,
        e.spend_offset_nano + cast(coalesce(b.spend, 0) as bigint) as recomputed_nano
      from ${nameOf(session, shown.table)} as e left join
        (select account_id, sum(spend_nano) as spend from ${nameOf(session, spendBucketTable)}
         where account_type = ${type} group by account_id) as b on b.account_id = ${id}
      where e.spend_nano <> e.spend_offset_nano + cast(coalesce(b.spend, 0) as bigint)`;
    found.push(...(await differences(session, query, 'entity', shown.table.name)));
  }
  return found;
}

/** `["a","b"]`, as `accountId` writes it. */
function pairId({ kind }: Session, columns: readonly string[]): RawBuilder<unknown> {
  const quoted = columns.map((column) =>
    kind === 'postgres' ? sql`to_json(${sql.ref(`e.${column}`)})::text` : sql`json_quote(${sql.ref(`e.${column}`)})`,
  );
  return sql`'[' || ${sql.join(quoted, sql` || ',' || `)} || ']'`;
}

/** For each kind of entity that a row of the log names: the column, its daily table, and its kind of account. */
const NAMED = [
  { column: 'user', days: dailyTables.user, account: 'user' },
  { column: 'team_id', days: dailyTables.team, account: 'team' },
  { column: 'organization_id', days: dailyTables.organization, account: 'organization' },
  { column: 'end_user', days: dailyTables.customer, account: 'customer' },
  { column: 'key_id', days: null, account: 'key' },
] as const;

async function dayDifferences(session: Session): Promise<readonly Difference[]> {
  const day =
    session.kind === 'postgres'
      ? sql`to_char("startTime" at time zone 'UTC', 'YYYY-MM-DD')`
      : sql`substr("startTime", 1, 10)`;
  const found: Difference[] = [];
  for (const { column, days } of [{ column: null, days: dailyTables.everything }, ...NAMED]) {
    if (days === null) continue;
    const logged = column === null ? sql`''` : sql`coalesce(${sql.ref(column)}, '')`;
    const logs = sql`select ${day} as at, ${logged} as id, coalesce(spend_nano, 0) as spend_nano
      from ${nameOf(session, spendLogTable)}`;
    const id = column === null ? sql`''` : sql.ref(days.primaryKey[0] ?? '');
    const stored = sql`select date as at, ${id} as id, spend_nano from ${nameOf(session, days)}`;
    // Only the days of users, and of everything, have the requests of nobody.
    const query = compared(logs, stored, column === 'user' || column === null ? sql`1 = 1` : sql`id <> ''`);
    found.push(...(await differences(session, query, 'day', days.name)));
  }
  return found;
}

async function bucketDifferences(session: Session): Promise<readonly Difference[]> {
  const quarter = (column: string) =>
    session.kind === 'postgres'
      ? sql`cast(floor(extract(epoch from ${sql.ref(column)}) / 900) * 900 as bigint)`
      : sql`unixepoch(${sql.ref(column)}) / 900 * 900`;
  const found: Difference[] = [];
  for (const { column, account } of [{ column: null, account: 'all' }, ...NAMED]) {
    const id = column === null ? sql`'[]'` : sql`coalesce(${sql.ref(column)}, '')`;
    const logs = sql`select ${quarter('startTime')} as at, ${id} as id, coalesce(spend_nano, 0) as spend_nano
      from ${nameOf(session, spendLogTable)}`;
    // Opening balances stand beside the quarters (`opening.ts`) and have no rows of the log.
    const isQuarter =
      session.kind === 'postgres'
        ? sql`extract(milliseconds from bucket_start) = 0`
        : sql`bucket_start like '%:00.000Z'`;
    const stored = sql`select ${quarter('bucket_start')} as at, account_id as id, spend_nano
      from ${nameOf(session, spendBucketTable)} where account_type = ${account} and ${isQuarter}`;
    const query = compared(logs, stored, sql`id <> ''`);
    found.push(...(await differences(session, query, 'bucket', `${spendBucketTable.name} ${account}`)));
  }
  return found;
}

/** Days that were added up, against the daily tables that they were added up from. */
async function rollUpDifferences(session: Session): Promise<readonly Difference[]> {
  const rolledUp = sql`select date from ${nameOf(session, rolledUpDayTable)} where is_complete`;
  const found: Difference[] = [];
  for (const subject of ROLLED_UP_SUBJECTS)
    for (const part of ROLLED_UP_PARTS) {
      const place = `${rollUpTable.name} ${subject} ${part}`;
      const days = sql`select date as at, ${rolledUpId(subject, part)} as id, spend_nano
        from ${nameOf(session, dailyTables[subject])} where date in (${rolledUp})`;
      const stored = sql`select date as at, ${part === 'parts' ? PARTS_ID : sql`name`} as id, spend_nano
        from ${nameOf(session, rollUpTable)} where subject = ${subject} and part = ${part}`;
      found.push(...(await differences(session, unequal(days, stored, sql`1 = 1`), 'roll-up', place)));
    }
  return found;
}

const PARTS_ID = sql.raw(`model || ' ' || model_group || ' ' || custom_llm_provider || ' ' || endpoint`);

const rolledUpId = (subject: RolledUpSubject, part: RolledUpPart): RawBuilder<unknown> =>
  part === 'parts' ? PARTS_ID : sql.ref(part === 'entity' ? ENTITY_COLUMNS[subject] : part);

/** The same, later than the oldest `at` that the log still has. */
function compared(logs: RawBuilder<unknown>, stored: RawBuilder<unknown>, isMeant: RawBuilder<unknown>) {
  return sql<Compared>`${unequal(logs, stored, isMeant)}
      and coalesce(recomputed.at, stored.at) > (select min(at) from logs)`;
}

/** Sums of two sets of (`at`, `id`, `spend_nano`) that are not alike. */
function unequal(logs: RawBuilder<unknown>, stored: RawBuilder<unknown>, isMeant: RawBuilder<unknown>) {
  const sums = sql`at, id, cast(sum(spend_nano) as bigint) as spend`;
  return sql<Compared>`
    with logs as (${logs}),
      recomputed as (select ${sums} from logs where ${isMeant} group by at, id),
      stored as (select ${sums} from (${stored}) as kept group by at, id)
    select cast(coalesce(recomputed.at, stored.at) as text) || ' ' || coalesce(recomputed.id, stored.id) as place,
      coalesce(stored.spend, 0) as stored_nano, coalesce(recomputed.spend, 0) as recomputed_nano
    from recomputed full join stored on recomputed.at = stored.at and recomputed.id = stored.id
    where coalesce(recomputed.spend, 0) <> coalesce(stored.spend, 0)`;
}

interface Compared {
  readonly place: string;
  readonly stored_nano: bigint;
  readonly recomputed_nano: bigint;
}

async function differences(
  session: Session,
  query: RawBuilder<Compared>,
  total: Difference['total'],
  table: string,
): Promise<readonly Difference[]> {
  const { rows } = await query.execute(session.queries);
  return rows.map((row) => ({
    total,
    place: `${table} ${row.place}`,
    stored: row.stored_nano,
    recomputed: row.recomputed_nano,
  }));
}
