import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { type Page, TableReader } from './repository.ts';
import { type SpendLogRow, spendLogTable } from './schema/spend.ts';
import { nameOf, type Session } from './session.ts';
import type { DailyGroup, DailySubject, SpendReports } from './spend-reports.ts';
import { type Condition, conditions, type Where } from './where.ts';

/** Which rows of the log: a stretch of time, and what holds for each. */
export interface LogFilter {
  /** Included. */
  readonly from: Date;
  /** Not included. */
  readonly before: Date;
  readonly where: Omit<Where<SpendLogRow>, 'startTime'>;
}

/** By what rows of the log may be sorted. */
export type LogSort = 'startTime' | 'spend_nano' | 'total_tokens' | 'duration_ms';

export interface LogOrder {
  readonly sort: LogSort;
  readonly order: 'ascending' | 'descending';
}

/** How many rows fit. `at-least`: that many were found, and counting stopped. */
export interface LogCount {
  readonly kind: 'exact' | 'at-least';
  readonly rows: number;
}

/** A page by its number, with how many rows there are in all; `too-far` when nothing tells where the page lies. */
export type NumberedPage =
  | { readonly kind: 'page'; readonly count: LogCount; readonly page: Page<SpendLogRow> }
  | { readonly kind: 'too-far'; readonly count: LogCount };

/** Which requests are counted: those for one model. */
export interface LimitedFilter {
  /** Included. */
  readonly from: Date;
  /** Not included. */
  readonly before: Date;
  readonly requestedModel: string;
}

/** Requests of a day (`YYYY-MM-DD`, UTC) that ended with a 429 of one place. */
export interface DayOfLimits {
  readonly date: string;
  readonly apiBase: string;
  readonly requests: number;
}

/** Rows that are counted, or left out for a numbered page, one by one. */
export const MOST_COUNTED = 10_000;

const DAY = 86_400_000;

/**
 * The log of requests, read in pages.
 *
 * Following `next` costs the same however far in, and gives every row once however many arrive meanwhile. Numbered pages
 * and totals need to know how many rows come before: the daily tables tell that for whole days, where they have what is
 * asked for (`IN_DAYS`); else it is counted, up to `MOST_COUNTED`.
 */
export class SpendLogs {
  readonly #session: Session;
  readonly #reports: SpendReports;
  readonly #reader: TableReader<typeof spendLogTable>;

  constructor(session: Session, reports: SpendReports) {
    this.#session = session;
    this.#reports = reports;
    this.#reader = new TableReader(spendLogTable, session);
  }

  /** Rows after a cursor; null: from the beginning. */
  list(filter: LogFilter, order: LogOrder, limit: number, after: string | null): Promise<Page<SpendLogRow>> {
    return this.#reader.listByKeys({ where: whereOf(filter), ...order, limit, after });
  }

  /**
   * The page after `skip` rows.
   *
   * @param order by time, the daily tables find the place; by anything else `skip` is bounded
   */
  async numbered(filter: LogFilter, order: LogOrder, limit: number, skip: number): Promise<NumberedPage> {
    const days = await this.#days(filter);
    const count = await this.#countOf(filter, days);
    const place = days === null || order.sort !== 'startTime' ? { filter, skip } : placeOf(filter, order, days, skip);
    if (place === null) return { kind: 'page', count, page: { rows: [], next: null } };
    if (place.skip > MOST_COUNTED && (days === null || order.sort !== 'startTime')) return { kind: 'too-far', count };
    const page = await this.#reader.listByKeys({ where: whereOf(place.filter), ...order, limit, skip: place.skip });
    return { kind: 'page', count, page };
  }

  /** How many rows fit: exact where the daily tables tell, else up to `MOST_COUNTED`. */
  async count(filter: LogFilter): Promise<LogCount> {
    return this.#countOf(filter, await this.#days(filter));
  }

  /** Requests that ended with a provider's 429, by day and by where it was called; an index of these alone has them. */
  async limited({ from, before, requestedModel }: LimitedFilter): Promise<readonly DayOfLimits[]> {
    const { kind, queries } = this.#session;
    const date =
      kind === 'postgres'
        ? sql`to_char("startTime" at time zone 'UTC', 'YYYY-MM-DD')`
        : sql`substr("startTime", 1, 10)`;
    const where = {
      ...{ status: { literal: 'failure' }, error_code: { literal: '429' } },
      ...{ requested_model: requestedModel, startTime: { from, before }, api_base: { not: null } },
    };
    const { rows } = await sql<{ date: string; api_base: string; requests: number }>`
      select ${date} as date, api_base, count(*) as requests from ${nameOf(this.#session, spendLogTable)}
      where ${conditions(this.#session, where)} group by 1, 2 order by 1, 2`.execute(queries);
    return rows.map((row) => ({ date: row.date, apiBase: row.api_base, requests: Number(row.requests) }));
  }

  /** The row of a request, by our id, by the client's label or, where the client gave none, by the id of its answer. */
  async find(id: string): Promise<readonly SpendLogRow[]> {
    const own = await this.#reader.list({ where: { request_id: id }, limit: 1 });
    if (own.rows.length > 0) return own.rows;
    return (await this.#reader.list({ where: { call_id: id }, limit: 100 })).rows;
  }

  /** Rows of a filter by stretches of time, newest first; null when the daily tables do not have what it asks for. */
  async #days(filter: LogFilter): Promise<readonly Stretch[] | null> {
    const asked = inDays(filter.where);
    if (asked === null) return null;
    const oldest = await this.#oldest();
    if (oldest === null) return [];
    // Days outlive the rows that they were summed from.
    const from = Math.max(filter.from.getTime(), oldest.getTime());
    const before = filter.before.getTime();
    if (before <= from) return [];
    const firstDay = Math.ceil(from / DAY) * DAY;
    const lastDay = Math.floor(before / DAY) * DAY;
    if (firstDay >= lastDay) return [await this.#counted(filter, from, before)];
    const query = { subject: asked.subject, only: asked.only, from: dateOf(firstDay), until: dateOf(lastDay - DAY) };
    const [newest, sums, rest] = await Promise.all([
      this.#counted(filter, lastDay, before),
      this.#reports.daily({ ...query, groupBy: ['date'] }),
      this.#counted(filter, from, firstDay),
    ]);
    const whole = sums.toReversed().map((sum) => {
      const start = Date.parse(sum.group.date ?? '');
      return { from: start, before: start + DAY, rows: asked.rows === 'all' ? sum.requests : sum[asked.rows] };
    });
    return [newest, ...whole, rest];
  }

  async #oldest(): Promise<Date | null> {
    const { rows } = await sql<{ startTime: Date }>`select "startTime" from ${nameOf(this.#session, spendLogTable)}
      order by "startTime" limit 1`.execute(this.#session.queries);
    return rows[0]?.startTime ?? null;
  }

  async #counted(filter: LogFilter, from: number, before: number): Promise<Stretch> {
    if (before <= from) return { from, before, rows: 0 };
    const where = whereOf({ ...filter, from: new Date(from), before: new Date(before) });
    return { from, before, rows: await this.#reader.count(where) };
  }

  async #countOf(filter: LogFilter, days: readonly Stretch[] | null): Promise<LogCount> {
    return days === null ? this.#countRows(filter) : { kind: 'exact', rows: rowsIn(days) };
  }

  async #countRows(filter: LogFilter): Promise<LogCount> {
    const where: RawBuilder<SqlBool> = sql`${conditions(this.#session, whereOf(filter))}`;
    const { rows } = await sql<{ row_count: number }>`select count(*) as row_count from
      (select 1 from ${nameOf(this.#session, spendLogTable)} where ${where} limit ${sql.lit(MOST_COUNTED + 1)}) as counted`.execute(
      this.#session.queries,
    );
    const found = Number(rows[0]?.row_count ?? 0);
    return found > MOST_COUNTED ? { kind: 'at-least', rows: MOST_COUNTED } : { kind: 'exact', rows: found };
  }
}

/** A stretch of time with the number of its rows. */
interface Stretch {
  readonly from: number;
  readonly before: number;
  readonly rows: number;
}

const rowsIn = (stretches: readonly Stretch[]): number => stretches.reduce((sum, { rows }) => sum + rows, 0);

/** Where a numbered page begins: the stretch is cut off at its day, so that only rows of that day are left out. */
function placeOf(
  filter: LogFilter,
  { order }: LogOrder,
  newestFirst: readonly Stretch[],
  skip: number,
): { readonly filter: LogFilter; readonly skip: number } | null {
  let left = skip;
  for (const { from, before, rows } of order === 'descending' ? newestFirst : newestFirst.toReversed()) {
    if (left < rows) {
      const cut = order === 'descending' ? { before: new Date(before) } : { from: new Date(from) };
      return { filter: { ...filter, ...cut }, skip: left };
    }
    left -= rows;
  }
  return null;
}

/** The part of the daily tables that has a column of the log: the same part, or the table of an entity. */
const IN_DAYS: Readonly<
  Record<string, { readonly part: Exclude<DailyGroup, 'date'>; readonly subject: DailySubject | null }>
> = {
  api_key: { part: 'api_key', subject: null },
  model: { part: 'model', subject: null },
  model_group: { part: 'model_group', subject: null },
  custom_llm_provider: { part: 'custom_llm_provider', subject: null },
  call_type: { part: 'endpoint', subject: null },
  user: { part: 'entity', subject: 'user' },
  team_id: { part: 'entity', subject: 'team' },
  organization_id: { part: 'entity', subject: 'organization' },
  end_user: { part: 'entity', subject: 'customer' },
};

interface InDays {
  readonly subject: DailySubject;
  readonly only: Readonly<Record<string, readonly string[]>>;
  /** Which of a day's counters counts the rows. */
  readonly rows: 'all' | 'successful' | 'failed';
}

/** The same question to the daily tables; null when they do not know the answer. */
function inDays({ status, ...where }: LogFilter['where']): InDays | null {
  const only: Record<string, readonly string[]> = {};
  let entity: DailySubject | null = null;
  for (const [column, condition] of Object.entries(where)) {
    if (condition === undefined) continue;
    const place = IN_DAYS[column];
    const names = namesIn(condition);
    // Only one entity: no table has two.
    if (place === undefined || names === null || (place.subject !== null && entity !== null)) return null;
    only[place.part] = names;
    entity ??= place.subject;
  }
  const rows = ({ success: 'successful', failure: 'failed' } as const)[String(status)];
  if (status !== undefined && rows === undefined) return null;
  return { subject: entity ?? (only.api_key === undefined ? 'everything' : 'user'), only, rows: rows ?? 'all' };
}

function namesIn(condition: Condition<unknown>): readonly string[] | null {
  if (typeof condition === 'string') return [condition];
  if (typeof condition !== 'object' || condition === null || !('in' in condition)) return null;
  return (condition.in as readonly unknown[]).map(String); // as `Condition` says
}

const dateOf = (day: number): string => new Date(day).toISOString().slice(0, 10);

/** A status is written out, because an index of the failures alone is found only for a condition that names them. */
function whereOf({ from, before, where: { status, ...where } }: LogFilter): Where<SpendLogRow> {
  const written = status === undefined ? {} : { status: typeof status === 'string' ? { literal: status } : status };
  return { ...where, ...written, startTime: { from, before } };
}
