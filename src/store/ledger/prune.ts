import { sql } from 'kysely';
import type { EpochMillis } from '../../core/units.ts';
import { auditTable } from '../schema/identity.ts';
import { spendLogTable } from '../schema/spend.ts';
import type { Table } from '../schema/table.ts';
import { changeFeedTable } from '../schema/tables.ts';
import { nameOf, type Session } from '../session.ts';
import { followingMonth, partitionName } from './months.ts';

/** What may go: everything before these moments. Null: nothing. Totals, days and buckets always stay. */
export interface Retention {
  readonly spendLogsBefore: EpochMillis | null;
  readonly auditBefore: EpochMillis | null;
}

/** What went. */
export interface Pruned {
  /** Months of `litellm_spendlogs` dropped whole (PostgreSQL). */
  readonly months: readonly string[];
  readonly spendLogs: number;
  readonly audit: number;
}

/** Rows deleted in one statement: few enough that none lasts long. */
const BATCH = 1_000;
/** How long the feed remembers; an instance that was away longer reads everything again. */
const FEED_DAYS = 7;

/**
 * Removes old rows without leaving bloat behind.
 *
 * On PostgreSQL whole months are dropped as tables; only the part of a month is deleted row by row, and its empty space
 * goes with the month soon after. SQLite fills the space of deleted rows with new ones.
 */
export async function prune(session: Session, { spendLogsBefore, auditBefore }: Retention): Promise<Pruned> {
  const feedBefore = new Date(session.now().getTime() - FEED_DAYS * 86_400_000);
  // The newest change stays, because the next one is numbered after it.
  await deleteBefore(
    session,
    changeFeedTable,
    'changed_at',
    feedBefore,
    sql`and sequence < (select max(sequence) from ${nameOf(session, changeFeedTable)})`,
  );
  const months = spendLogsBefore === null ? [] : await dropMonths(session, spendLogsBefore);
  return {
    months,
    spendLogs:
      spendLogsBefore === null ? 0 : await deleteBefore(session, spendLogTable, 'startTime', new Date(spendLogsBefore)),
    audit: auditBefore === null ? 0 : await deleteBefore(session, auditTable, 'updated_at', new Date(auditBefore)),
  };
}

async function dropMonths(session: Session, before: EpochMillis): Promise<readonly string[]> {
  if (session.kind !== 'postgres') return [];
  const { rows } = await sql<{ month: string }>`
    select replace(substr(c.relname, ${spendLogTable.name.length + 2}), '_', '-') as month
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = ${`${session.schema}.${spendLogTable.name}`}::text::regclass order by 1`.execute(
    session.queries,
  );
  const old = rows.map(({ month }) => month).filter((month) => Date.parse(`${followingMonth(month)}-01Z`) <= before);
  for (const month of old) {
    const partition = { ...spendLogTable, name: partitionName(month) };
    await sql`drop table if exists ${nameOf(session, partition)}`.execute(session.queries);
  }
  return old;
}

async function deleteBefore(
  session: Session,
  table: Table,
  column: string,
  before: Date,
  condition = sql``,
): Promise<number> {
  const name = nameOf(session, table);
  const row = session.kind === 'postgres' ? sql`(tableoid, ctid)` : sql`rowid`;
  for (let total = 0; ; ) {
    const { numAffectedRows = 0n } = await sql`delete from ${name} where ${row} in
      (select ${session.kind === 'postgres' ? sql`tableoid, ctid` : sql`rowid`} from ${name}
       where ${sql.id(column)} < ${before} ${condition} limit ${sql.lit(BATCH)})`.execute(session.queries);
    total += Number(numAffectedRows);
    if (Number(numAffectedRows) < BATCH) return total;
  }
}
