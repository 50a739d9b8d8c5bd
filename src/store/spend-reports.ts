import { sql } from 'kysely';
import type { NanoUsd } from '../core/units.ts';
import { columnOf, type DailyFilter, type DailyGroup, type DailySubject, dayRows, whereOf } from './day-rows.ts';
import { DAILY_SUMS } from './ledger/rows.ts';
import { type Page, TableReader } from './repository.ts';
import { dailyTables } from './schema/spend.ts';
import { nameOf, type Session, sumOf } from './session.ts';

export type { DailyFilter, DailyGroup, DailySubject } from './day-rows.ts';

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
    let select = (await dayRows(this.#session, query, groupBy)).select(
      DAILY_SUMS.map((column) => sumOf(column).as(column)),
    );
    if (columns.length > 0) select = select.select(columns).groupBy(columns);
    if (top !== undefined) select = select.orderBy(sql.ref('spend_nano'), 'desc').limit(top);
    for (const column of columns) select = select.orderBy(column);
    const rows = await select.execute();
    return rows.map((row) => sumsOf(row, groupBy, subject));
  }

  /** First the names, from the one column and the one sum that decide; their rows an index finds. */
  async #ofLargest({ largest: _, ...query }: DailyQuery, group: 'api_key' | 'entity', count: number) {
    const column = columnOf(query.subject, group);
    const rows = await (await dayRows(this.#session, query, [group]))
      .select(column)
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
    const rows = await (await dayRows(this.#session, filter, ['date']))
      .select(['date', sumOf('row_count').as('row_count')])
      .groupBy('date')
      .orderBy('date', 'desc')
      .execute();
    return rows.map((row) => ({ date: String(row.date), rows: Number(row.row_count) }));
  }

  /**
   * The entities that ever had days, the first `MOST_NAMES` of them.
   *
   * Each is looked up behind the one before in the primary key: as many probes as there are names, however many rows.
   */
  async entities(subject: Exclude<DailySubject, 'everything'>): Promise<readonly string[]> {
    const { queries } = this.#session;
    const table = nameOf(this.#session, dailyTables[subject]);
    const column = sql.ref(columnOf(subject, 'entity'));
    const { rows } = await sql<{ name: string }>`with recursive names (name) as (
        select min(${column}) from ${table}
        union all
        select (select min(${column}) from ${table} where ${column} > names.name) from names where names.name is not null)
      select name from names where name is not null limit ${sql.lit(MOST_NAMES)}`.execute(queries);
    return rows.map(({ name }) => name);
  }
}

/** All parts that the rows of a table name. */
const groupsOf = (subject: DailySubject): readonly DailyGroup[] =>
  subject === 'everything' ? GROUPS.filter((group) => group !== 'entity' && group !== 'api_key') : GROUPS;

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
