import { z } from 'zod';
import type { JsonObject } from '../../core/json.ts';
import { nanoUsd } from '../../core/units.ts';
import type { SpendLogRow } from '../../store/schema/spend.ts';
import { type LogFilter, type LogOrder, type LogSort, MOST_COUNTED } from '../../store/spend-logs.ts';
import type { Store } from '../../store/store.ts';
import { shown } from '../fields/shown.ts';
import { id, order, pageNumber, pageSize, queryFlag } from '../fields/values.ts';
import { type AdminContext, adminRoute } from '../http/admin-route.ts';
import { found, refused } from '../http/refused.ts';
import { askedKeys } from './asked-key.ts';
import { stretchOf } from './dates.ts';
import { type Sight, seesTeam, sightOf } from './sight.ts';
import { summary } from './summary.ts';

/** The log of requests: one row each, without bodies, which are not kept (litellm.md §3.8). */

const TAG = 'spend';

/** `/spend/logs` of old has no pages: of more rows than this the newest. */
const MOST_ROWS = 1000;

const dates = { start_date: z.string().optional(), end_date: z.string().optional() };

const oldFields = z.object({
  api_key: id.optional(),
  user_id: id.optional(),
  request_id: id.optional(),
  ...dates,
  summarize: queryFlag.default(true),
});

const SORTS: Readonly<Record<string, LogSort>> = {
  startTime: 'startTime',
  spend: 'spend_nano',
  total_tokens: 'total_tokens',
  request_duration_ms: 'duration_ms',
};

const dollars = z.coerce.number().nonnegative().max(9_000_000_000);

const pageFields = z.object({
  api_key: id.optional(),
  user_id: id.optional(),
  request_id: id.optional(),
  team_id: id.optional(),
  min_spend: dollars.optional(),
  max_spend: dollars.optional(),
  ...dates,
  page: pageNumber,
  page_size: pageSize(50, 100),
  status_filter: z.enum(['success', 'failure']).optional(),
  model: id.optional(),
  model_id: id.optional(),
  key_alias: id.optional(),
  end_user: id.optional(),
  error_code: id.optional(),
  error_message: id.optional(),
  sort_by: z.enum(['startTime', 'spend', 'total_tokens', 'request_duration_ms']).default('startTime'),
  sort_order: order.default('desc'),
  /** `next_cursor` of the page before; goes before `page`. */
  cursor: z.string().optional(),
});

type PageInput = z.output<typeof pageFields>;

export const logRoutes = [
  adminRoute({
    methods: ['GET'],
    paths: ['/spend/logs'],
    summary: 'Show the newest rows of the log, or, between two dates, what each day cost.',
    tag: TAG,
    audience: 'role',
    input: oldFields,
    handle: (input, context) => oldLogs(input, context),
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/spend/logs/v2', '/spend/logs/ui'],
    summary: 'List rows of the log in pages, filtered and sorted.',
    tag: TAG,
    audience: 'role',
    input: pageFields,
    handle: (input, context) => logPage(input, context),
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/spend/logs/ui/{request_id}'],
    summary: 'Show the row of one request.',
    tag: TAG,
    audience: 'role',
    input: z.object({ request_id: id, ...dates }),
    async handle({ request_id }, context) {
      const rows = await visible(await context.store.logs.find(request_id), context);
      return logged(found(rows[0], `No request ${request_id} is in the log.`, 'request_id'));
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/spend/logs/session/ui'],
    summary: 'Show the requests of one session, oldest first.',
    tag: TAG,
    audience: 'role',
    input: z.object({ session_id: id }),
    handle: (input, context) => sessionRows(input.session_id, context),
  }),
];

async function oldLogs(input: z.output<typeof oldFields>, context: AdminContext) {
  const { store } = context;
  const { request_id, start_date, end_date } = input;
  const hasDates = start_date !== undefined && end_date !== undefined;
  if (request_id !== undefined && !hasDates)
    return (await visible(await store.logs.find(request_id), context)).map(logged);
  const asked = {
    ...(input.user_id !== undefined && { user: input.user_id }),
    ...(input.api_key !== undefined && { api_key: await askedKeys(store, input.api_key) }),
  };
  const { api_key, ...only } = { ...asked, ...ownRows(sightOf(context)) };
  const keys = api_key === undefined ? undefined : [api_key].flat();
  const stretch = hasDates ? stretchOf(input) : EVER;
  if (hasDates && input.summarize && request_id === undefined)
    return summary(input, { ...only, ...(keys !== undefined && { api_key: keys }) }, context);
  const where = {
    ...only,
    ...(keys !== undefined && { api_key: { in: keys } }),
    ...(request_id !== undefined && { request_id }),
  };
  const filter = { ...stretch, where };
  return (await store.logs.list(filter, NEWEST_FIRST, MOST_ROWS, null)).rows.map(logged);
}

const NEWEST_FIRST: LogOrder = { sort: 'startTime', order: 'descending' };
/** As far as the ledger takes entries. */
const EVER = { from: new Date(Date.UTC(2000, 0)), before: new Date(Date.UTC(2200, 0)) };

async function logPage(input: PageInput, context: AdminContext) {
  const filter = await filterOf(input, context);
  const order = {
    sort: SORTS[input.sort_by] ?? 'startTime',
    order: input.sort_order === 'asc' ? 'ascending' : 'descending',
  } as const;
  const { count, page } = await pageOf(context.store, filter, order, input);
  return {
    data: page.rows.map(logged),
    total: count.rows,
    page: input.page,
    page_size: input.page_size,
    total_pages: Math.ceil(count.rows / input.page_size),
    // Ours: counting stops where it would take long, and following the cursor misses and repeats no row.
    total_is_exact: count.kind === 'exact',
    next_cursor: page.next,
  };
}

async function pageOf({ logs }: Store, filter: LogFilter, order: LogOrder, { page, page_size, cursor }: PageInput) {
  if (cursor !== undefined) {
    const [count, rows] = await Promise.all([logs.count(filter), logs.list(filter, order, page_size, cursor)]);
    return { count, page: rows };
  }
  const numbered = await logs.numbered(filter, order, page_size, (page - 1) * page_size);
  if (numbered.kind === 'too-far') throw tooFar(page);
  return numbered;
}

function tooFar(page: number) {
  const message =
    `Page ${page} is too far in for these filters: beyond ${MOST_COUNTED} rows follow next_cursor, ` +
    'or take a shorter range of dates.';
  return refused('bad-fields', message, 'page');
}

/** The rows that are asked for, less those that the caller does not see. */
async function filterOf(input: PageInput, context: AdminContext): Promise<LogFilter> {
  const { store } = context;
  const sight = sightOf(context);
  const isOwnTeam = input.team_id !== undefined && (await seesTeam(store, sight, input.team_id));
  const isFailure = input.error_code !== undefined || input.error_message !== undefined;
  const status = isFailure ? 'failure' : input.status_filter;
  const spend = spendRange(input);
  return {
    ...stretchOf(input),
    where: {
      ...(input.api_key !== undefined && { api_key: { in: await askedKeys(store, input.api_key) } }),
      ...(input.user_id !== undefined && { user: input.user_id }),
      ...(input.request_id !== undefined && { request_id: input.request_id }),
      ...(input.team_id !== undefined && { team_id: input.team_id }),
      ...(spend !== null && { spend_nano: spend }),
      ...(status !== undefined && { status }),
      ...(input.model !== undefined && { model: input.model }),
      ...(input.model_id !== undefined && { model_id: input.model_id }),
      ...(input.key_alias !== undefined && { api_key: { in: await keysCalled(store, input.key_alias) } }),
      ...(input.end_user !== undefined && { end_user: input.end_user }),
      ...(input.error_code !== undefined && { error_code: input.error_code }),
      ...(input.error_message !== undefined && { error_message: { contains: input.error_message } }),
      ...(isOwnTeam ? {} : ownRows(sight)),
    },
  };
}

const NANOS = 1e9;

/** Both ends are included; rows of unknown cost are in no range. */
function spendRange({ min_spend, max_spend }: PageInput) {
  if (min_spend === undefined && max_spend === undefined) return null;
  if (min_spend !== undefined && max_spend !== undefined && min_spend > max_spend)
    throw refused('bad-fields', `min_spend (${min_spend}) is above max_spend (${max_spend}).`, 'min_spend');
  return {
    ...(min_spend !== undefined && { from: nanoUsd(BigInt(Math.round(min_spend * NANOS))) }),
    ...(max_spend !== undefined && { before: nanoUsd(BigInt(Math.round(max_spend * NANOS)) + 1n) }),
  };
}

/** What a caller sees of the log, as conditions: they go before those of the request. */
function ownRows(sight: Sight): { readonly user?: string; readonly api_key?: string } {
  if (sight.kind === 'user') return { user: sight.userId };
  return sight.kind === 'key' ? { api_key: sight.hash } : {};
}

/** The row's members for those rows that the caller may see. */
async function visible(rows: readonly SpendLogRow[], context: AdminContext): Promise<readonly SpendLogRow[]> {
  const sight = sightOf(context);
  const isSeen = await Promise.all(rows.map((row) => seesRow(context.store, sight, row)));
  return rows.filter((_, index) => isSeen[index]);
}

function seesRow(store: Store, sight: Sight, row: SpendLogRow): boolean | Promise<boolean> {
  if (sight.kind === 'everything') return true;
  if (sight.kind === 'key') return row.api_key === sight.hash;
  return row.user === sight.userId || (row.team_id !== null && seesTeam(store, sight, row.team_id));
}

async function sessionRows(session: string, context: AdminContext) {
  const filter = { ...EVER, where: { session_id: session, ...ownRows(sightOf(context)) } };
  const { rows } = await context.store.logs.list(filter, { sort: 'startTime', order: 'ascending' }, MOST_ROWS, null);
  return rows.map(logged);
}

/** Keys whose alias contains these words; those that were deleted too, since their rows are still there. */
async function keysCalled({ read }: Store, words: string): Promise<readonly string[]> {
  const query = { where: { key_alias: { contains: words } }, limit: MOST_ROWS };
  const [present, deleted] = await Promise.all([read.keys.list(query), read.deletedKeys.list(query)]);
  return [...new Set([...present.rows, ...deleted.rows].map(({ token }) => token))];
}

/** A row as answers show it; `spend` is null while the cost is unknown. */
const logged = (row: SpendLogRow): JsonObject => shown(row);
