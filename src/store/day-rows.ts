import { type RawBuilder, sql } from 'kysely';
import { ENTITY_COLUMNS, ROLLED_UP_COLUMNS } from './ledger/roll-up.ts';
import { DAILY_SUMS } from './ledger/rows.ts';
import { dailyTables, type RolledUpPart, rolledUpDayTable, rollUpTable } from './schema/spend.ts';
import { nameOf, type Session } from './session.ts';
import { type Condition, conditions } from './where.ts';

/** Whose days are summed. `user` has every request, also those of nobody (`''`); `everything` knows no keys. */
export type DailySubject = keyof typeof dailyTables;

/** By what the days may be told apart. `everything` has neither `entity` nor `api_key`. */
export type DailyGroup = 'date' | 'entity' | 'api_key' | 'model' | 'model_group' | 'custom_llm_provider' | 'endpoint';

/** Which days, and of them which parts. Dates are `YYYY-MM-DD`, UTC, both included. */
export interface DailyFilter {
  readonly subject: DailySubject;
  readonly from: string;
  readonly until: string;
  /** Values of which a part must have one. */
  readonly only?: Readonly<Partial<Record<Exclude<DailyGroup, 'date'>, readonly string[]>>>;
}

/** The column of a daily table that has a group. */
export function columnOf(subject: DailySubject, group: DailyGroup): string {
  if (group !== 'entity' && group !== 'api_key') return group;
  if (subject === 'everything') throw new Error(`the days of everything know no ${group}`);
  return group === 'entity' ? ENTITY_COLUMNS[subject] : group;
}

/** A filter as conditions on the columns of its daily table. */
export function whereOf({ from, until, ...filter }: DailyFilter): Record<string, Condition<string>> {
  return { date: datesIn(from, until), ...partsWhere(filter, (group) => columnOf(filter.subject, group)) };
}

/** '~' sorts after every digit. */
const datesIn = (from: string, until: string) => ({ from, before: `${until}~` });

function partsWhere(
  { only = {} }: Pick<DailyFilter, 'only'>,
  nameOfGroup: (group: DailyGroup) => string,
): Record<string, Condition<string>> {
  const parts = Object.entries(only).map(([group, names]) => [
    nameOfGroup(group as DailyGroup), // as `only` says
    names.length === 1 ? names[0] : { in: names },
  ]);
  return Object.fromEntries(parts);
}

/**
 * Rows of days that tell some groups apart, under the columns of the daily table and `row_count`: those of days that
 * are rolled up from there, where a roll-up knows what is asked; all others from the daily table.
 */
export async function dayRows(session: Session, filter: DailyFilter, groups: readonly DailyGroup[]) {
  const part = partFor(filter, groups);
  if (part === null) {
    const table = nameOf(session, dailyTables[filter.subject]);
    const rows = sql`select *, 1 as row_count from ${table} where ${conditions(session, whereOf(filter))}`;
    return session.queries.selectFrom(sql`(${rows})`.as('days'));
  }
  const dates = await datesOf(session, filter);
  const rows = sql`${rolledUpRows(session, filter, part)} union all ${openRows(session, filter, part, dates)}`;
  return session.queries.selectFrom(sql`(${rows})`.as('days'));
}

/** The roll-up that tells apart what is asked for and what is asked about; null when none does. */
function partFor({ subject, only = {} }: DailyFilter, groups: readonly DailyGroup[]): RolledUpPart | null {
  if (subject === 'everything') return null;
  const needed = [...groups, ...Object.keys(only)].filter((group) => group !== 'date');
  return PARTS.find((part) => needed.every((group) => groupsOf(part).includes(group as DailyGroup))) ?? null;
}

const PARTS = ['parts', 'entity', 'api_key'] as const satisfies RolledUpPart[];

const groupsOf = (part: RolledUpPart): readonly DailyGroup[] =>
  part === 'parts' ? ['model', 'model_group', 'custom_llm_provider', 'endpoint'] : [part];

function rolledUpRows(session: Session, filter: DailyFilter, part: RolledUpPart): RawBuilder<unknown> {
  const { subject, from, until } = filter;
  const columns = groupsOf(part).map(
    (group) => sql`${sql.ref(ROLLED_UP_COLUMNS[group])} as ${sql.ref(columnOf(subject, group))}`,
  );
  const where = {
    ...{ subject, part, date: datesIn(from, until) },
    ...partsWhere(filter, (group) => ROLLED_UP_COLUMNS[group]),
  };
  return sql`select date, ${sql.join([...columns, ...SUMS])}, row_count
    from ${nameOf(session, rollUpTable)} where ${conditions(session, where)}`;
}

function openRows(
  session: Session,
  filter: DailyFilter,
  part: RolledUpPart,
  dates: readonly string[],
): RawBuilder<unknown> {
  const { subject } = filter;
  const columns = groupsOf(part).map((group) => sql.ref(columnOf(subject, group)));
  const where = partsWhere(filter, (group) => columnOf(subject, group));
  return sql`select date, ${sql.join([...columns, ...SUMS])}, 1 as row_count
    from ${nameOf(session, dailyTables[subject])} where ${isOpen(session, dates)} and ${conditions(session, where)}`;
}

const SUMS = DAILY_SUMS.map((column) => sql.ref(column));

/** Whether the date of a row is one of these that are not rolled up: a list, so that an index of dates is used. */
function isOpen(session: Session, dates: readonly string[]): RawBuilder<unknown> {
  const list = JSON.stringify(dates);
  const rolledUp = sql`select date from ${nameOf(session, rolledUpDayTable)} where is_complete`;
  return session.kind === 'postgres'
    ? sql`date = any (array(select day from jsonb_array_elements_text(${list}::text::jsonb) as day where day not in (${rolledUp})))`
    : sql`date in (select value from json_each(${list}) where value not in (${rolledUp}))`;
}

/** More dates than this are not written out before it is known which of them have rows. */
const MOST_DATES = 400;
const DAY = 86_400_000;

/** The dates of a filter, one by one; of very many those between the first and the last that have rows. */
async function datesOf(session: Session, { from, until }: DailyFilter): Promise<readonly string[]> {
  const dates = (first: string, last: string): readonly string[] =>
    Array.from({ length: Math.max(0, lengthOf(first, last)) }, (_, index) =>
      new Date(Date.parse(first) + index * DAY).toISOString().slice(0, 10),
    );
  if (lengthOf(from, until) <= MOST_DATES) return dates(from, until);
  const ends = await session.queries
    .selectFrom(dailyTables.everything.name)
    .select(({ fn }) => [fn.min('date').as('first'), fn.max('date').as('last')])
    .executeTakeFirstOrThrow();
  const first = String(ends.first ?? until);
  const last = String(ends.last ?? from);
  return dates(from > first ? from : first, until < last ? until : last);
}

const lengthOf = (first: string, last: string): number => (Date.parse(last) - Date.parse(first)) / DAY + 1;
