import { sql } from 'kysely';
import type { NanoUsd } from '../core/units.ts';
import { type Page, TableReader } from './repository.ts';
import { dailyTables } from './schema/spend.ts';
import { type Session, sumOf } from './session.ts';
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

export interface DailyQuery extends DailyFilter {
  readonly groupBy: readonly DailyGroup[];
  /** Largest spend first, and no more than these; without it in the order of the groups. */
  readonly top?: number;
  /**
   * Only of those keys, or entities, that spent most in all; `group` is one of `groupBy`.
   *
   * With thousands of them an answer would be megabytes, and take the process's time from those who ask for models.
   */
  readonly largest?: { readonly group: 'api_key' | 'entity'; readonly count: number };
}

/** One group: its names, and its sums. */
export interface DailySum {
  readonly group: Readonly<Partial<Record<DailyGroup, string>>>;
  readonly spendNano: NanoUsd;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  readonly requests: number;
  readonly successful: number;
  readonly failed: number;
  /** Requests whose cost is unknown and therefore in no sum of spend. */
  readonly unpriced: number;
}

/** How many rows of a daily table a day has. */
export interface DayOfRows {
  readonly date: string;
  readonly rows: number;
}

/** Tags or customers that a list of names has: clients make them up. */
const MOST_NAMES = 10_000;

const GROUPS = ['date', 'entity', 'api_key', 'model', 'model_group', 'custom_llm_provider', 'endpoint'] as const;

/** The column that names whose row of a daily table it is; null where it is everybody's. */
const ENTITY: Readonly<Record<DailySubject, string | null>> = {
  everything: null,
  user: 'user_id',
  team: 'team_id',
  organization: 'organization_id',
  customer: 'end_user_id',
  tag: 'tag',
};

/** Sums for reports, read from the daily tables: they grow with keys, models and days, not with requests. */
export class SpendReports {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Sums of days, grouped. */
  async daily(query: DailyQuery): Promise<readonly DailySum[]> {
    const { subject, groupBy, top, largest } = query;
    const columns = groupBy.map((group) => columnOf(subject, group));
    if (largest !== undefined) return this.#ofLargest(query, largest.group, largest.count);
    let select = this.#session.queries
      .selectFrom(dailyTables[subject].name)
      .select(SUMS.map((column) => sumOf(column).as(column)))
      .where(this.#where(query));
    if (columns.length > 0) select = select.select(columns).groupBy(columns);
    if (top !== undefined) select = select.orderBy(sql.ref('spend_nano'), 'desc').limit(top);
    for (const column of columns) select = select.orderBy(column);
    const rows = await select.execute();
    return rows.map((row) => sumsOf(row, groupBy, subject));
  }

  /** First the names, from the one column and the one sum that decide; their rows an index finds. */
  async #ofLargest({ largest: _, ...query }: DailyQuery, group: 'api_key' | 'entity', count: number) {
    const column = columnOf(query.subject, group);
    const rows = await this.#session.queries
      .selectFrom(dailyTables[query.subject].name)
      .select(column)
      .where(this.#where(query))
      .groupBy(column)
      .orderBy(sql`sum(${sql.ref('spend_nano')})`, 'desc')
      .orderBy(column)
      .limit(count)
      .execute();
    return this.daily({ ...query, only: { ...query.only, [group]: rows.map((row) => String(row[column])) } });
  }

  /** Rows of a daily table as they are, dearest first. */
  async dearest(filter: DailyFilter, limit: number): Promise<readonly DailySum[]> {
    const reader = new TableReader(dailyTables[filter.subject], this.#session);
    const { rows } = await reader.list({ where: whereOf(filter), sort: 'spend_nano', order: 'descending', limit });
    return rows.map((row) => sumsOf(row, groupsOf(filter.subject), filter.subject));
  }

  /**
   * Rows of a daily table as they are, newest day first.
   *
   * @param place after a cursor, or leaving out some rows of the newest days
   */
  async rows(
    filter: DailyFilter,
    limit: number,
    place: { readonly after: string | null } | { readonly skip: number },
  ): Promise<Page<DailySum>> {
    const table = dailyTables[filter.subject];
    const reader = new TableReader(table, this.#session);
    const page = await reader.list({ where: whereOf(filter), sort: 'date', order: 'descending', limit, ...place });
    return { rows: page.rows.map((row) => sumsOf(row, groupsOf(filter.subject), filter.subject)), next: page.next };
  }

  /** The days that have rows, newest first, and how many: where numbered pages lie, without reading what is before. */
  async days(filter: DailyFilter): Promise<readonly DayOfRows[]> {
    const rows = await this.#session.queries
      .selectFrom(dailyTables[filter.subject].name)
      .select(['date', ({ fn }) => fn.countAll().as('row_count')])
      .where(this.#where(filter))
      .groupBy('date')
      .orderBy('date', 'desc')
      .execute();
    return rows.map((row) => ({ date: String(row.date), rows: Number(row.row_count) }));
  }

  /** The values that a part of the days ever had, the first `MOST_NAMES` of them. */
  async names(subject: DailySubject, group: Exclude<DailyGroup, 'date'>): Promise<readonly string[]> {
    const column = columnOf(subject, group);
    const rows = await this.#session.queries
      .selectFrom(dailyTables[subject].name)
      .select(column)
      .distinct()
      .orderBy(column)
      .limit(MOST_NAMES)
      .execute();
    return rows.map((row) => String(row[column]));
  }

  #where(filter: DailyFilter) {
    return conditions(this.#session, whereOf(filter));
  }
}

const SUMS = [
  'spend_nano',
  'prompt_tokens',
  'completion_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'api_requests',
  'successful_requests',
  'failed_requests',
  'unpriced_requests',
];

function whereOf({ subject, from, until, only = {} }: DailyFilter): Record<string, Condition<string>> {
  const parts = Object.entries(only).map(([group, names]) => [
    columnOf(subject, group as DailyGroup), // as `only` says
    names.length === 1 ? names[0] : { in: names },
  ]);
  // '~' sorts after every digit.
  return { date: { from, before: `${until}~` }, ...Object.fromEntries(parts) };
}

/** All parts that the rows of a table name. */
const groupsOf = (subject: DailySubject): readonly DailyGroup[] =>
  ENTITY[subject] === null ? GROUPS.filter((group) => group !== 'entity' && group !== 'api_key') : GROUPS;

function columnOf(subject: DailySubject, group: DailyGroup): string {
  if (group === 'api_key' && subject === 'everything') throw new Error('the days of everything know no keys');
  if (group !== 'entity') return group;
  const entity = ENTITY[subject];
  if (entity === null) throw new Error('the days of everything have no entities');
  return entity;
}

function sumsOf(
  row: Readonly<Record<string, unknown>>,
  groups: readonly DailyGroup[],
  subject: DailySubject,
): DailySum {
  const number = (column: string): number => Number(row[column]);
  return {
    group: Object.fromEntries(groups.map((group) => [group, String(row[columnOf(subject, group)])])),
    spendNano: row.spend_nano as NanoUsd, // a sum of money
    promptTokens: number('prompt_tokens'),
    completionTokens: number('completion_tokens'),
    cacheReadTokens: number('cache_read_input_tokens'),
    cacheWriteTokens: number('cache_creation_input_tokens'),
    requests: number('api_requests'),
    successful: number('successful_requests'),
    failed: number('failed_requests'),
    unpriced: number('unpriced_requests'),
  };
}
