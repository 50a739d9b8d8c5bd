import { sql } from 'kysely';
import { dailyTables, type RolledUpPart, rolledUpDayTable, rollUpTable } from '../schema/spend.ts';
import { nameOf, type Session } from '../session.ts';
import { lockLedger } from './balance.ts';
import { DAILY_SUMS } from './rows.ts';

/*
 * Sums of days that are over, so that a report of a month does not read every row of it.
 *
 *   open ── an hour after its end: mark ──▶ marked ── addUp ──▶ complete
 *     ▲                                       │                    │
 *     └───────────── a late entry: reopen ────┴────────────────────┘
 *
 * 1. A day has rows in `litellm_dailyrollups` if, and only if, it is complete: one transaction adds or removes both.
 * 2. A batch with an entry of a day that is over takes the day's mark away, in the batch's transaction. The entries of
 *    today, which are nearly all, cost the ledger nothing.
 * 3. No batch is being written while a day is marked; so whoever wrote before is in the daily tables when the day is added
 *    up, and whoever writes after meets the mark: he waits for the sums and removes them, or they are never made.
 * 4. Reports read complete days here and all others from the daily tables, in one statement, and so in one state.
 */

/** Whose days are added up; those of everything are as small already. */
export type RolledUpSubject = Exclude<keyof typeof dailyTables, 'everything'>;

/** The entity's column of each of their daily tables. */
export const ENTITY_COLUMNS = {
  user: 'user_id',
  team: 'team_id',
  organization: 'organization_id',
  customer: 'end_user_id',
  tag: 'tag',
} as const satisfies Record<RolledUpSubject, string>;

/** Where a roll-up has what its part tells apart; whoever it is about, one column has the name. */
export const ROLLED_UP_COLUMNS = {
  date: 'date',
  entity: 'name',
  api_key: 'name',
  model: 'model',
  model_group: 'model_group',
  custom_llm_provider: 'custom_llm_provider',
  endpoint: 'endpoint',
} as const;

export const ROLLED_UP_PARTS = ['entity', 'api_key', 'parts'] as const satisfies RolledUpPart[];
const PART_COLUMNS = ['model', 'model_group', 'custom_llm_provider', 'endpoint'];

export const ROLLED_UP_SUBJECTS = Object.keys(ENTITY_COLUMNS) as readonly RolledUpSubject[]; // its keys

/** Clocks of instances may differ by less than this. */
const SETTLING = 3_600_000;

/**
 * Adds up all days that ended an hour ago or longer and are not added up yet, one after the other.
 *
 * @returns those that were added up
 */
export async function rollUp(session: Session): Promise<readonly string[]> {
  const before = dayOf(new Date(session.now().getTime() - SETTLING));
  const { rows } = await sql<{ date: string }>`select distinct date from ${nameOf(session, dailyTables.everything)}
    where date < ${before} and date not in (select date from ${nameOf(session, rolledUpDayTable)} where is_complete)
    order by date`.execute(session.queries);
  const done: string[] = [];
  for (const { date } of rows) {
    await mark(session, date);
    if (await complete(session, date)) done.push(date);
  }
  return done;
}

function mark(session: Session, date: string): Promise<void> {
  return session.queries.transaction().execute(async (queries) => {
    await lockLedger({ ...session, queries }, 'alone');
    await sql`insert into ${nameOf(session, rolledUpDayTable)} (date) values (${date}) on conflict do nothing`.execute(
      queries,
    );
  });
}

/** @returns whether it was done here: another instance may have been faster, or a late entry */
function complete(session: Session, date: string): Promise<boolean> {
  return session.queries.transaction().execute(async (queries) => {
    const inside = { ...session, queries };
    const taken = await sql`update ${nameOf(session, rolledUpDayTable)} set is_complete = true
      where date = ${date} and not is_complete`.execute(queries);
    if (taken.numAffectedRows === 0n) return false;
    for (const subject of ROLLED_UP_SUBJECTS)
      for (const part of ROLLED_UP_PARTS) await addUp(inside, { subject, part, date });
    return true;
  });
}

async function addUp(
  session: Session,
  { subject, part, date }: { readonly subject: RolledUpSubject; readonly part: RolledUpPart; readonly date: string },
): Promise<void> {
  const name = part === 'parts' ? sql`''` : sql.ref(part === 'entity' ? ENTITY_COLUMNS[subject] : 'api_key');
  const parts = PART_COLUMNS.map((column) => (part === 'parts' ? sql.ref(column) : sql`''`));
  const sums = DAILY_SUMS.map((column) => sql`sum(${sql.ref(column)})`);
  const groups = part === 'parts' ? parts : [name];
  await sql`insert into ${nameOf(session, rollUpTable)} (${sql.join(COLUMNS.map((column) => sql.ref(column)))})
    select ${subject}, ${part}, date, ${name}, ${sql.join([...parts, ...sums])}, count(*)
    from ${nameOf(session, dailyTables[subject])} where date = ${date}
    group by date, ${sql.join(groups)}`.execute(session.queries);
}

/** Opens days again that ended before now, for those who are about to add to them. */
export async function reopen(session: Session, moments: readonly number[]): Promise<void> {
  const today = dayOf(session.now());
  const over = [...new Set(moments.map((moment) => dayOf(new Date(moment))))].filter((date) => date < today);
  if (over.length === 0) return;
  const dates = sql.join(over);
  const marks = await sql`delete from ${nameOf(session, rolledUpDayTable)} where date in (${dates})`.execute(
    session.queries,
  );
  if (marks.numAffectedRows === 0n) return;
  await sql`delete from ${nameOf(session, rollUpTable)} where date in (${dates})`.execute(session.queries);
}

const COLUMNS = ['subject', 'part', 'date', 'name', ...PART_COLUMNS, ...DAILY_SUMS, 'row_count'];

const dayOf = (moment: Date): string => moment.toISOString().slice(0, 10);
