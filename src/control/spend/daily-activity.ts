import { z } from 'zod';
import type { DailyFilter, DailyGroup, DailySubject, DailySum } from '../../store/spend-reports.ts';
import type { Store } from '../../store/store.ts';
import { id, pageNumber, pageSize } from '../fields/values.ts';
import { type AdminContext, adminRoute } from '../http/admin-route.ts';
import { refused } from '../http/refused.ts';
import { askedKeys } from './asked-key.ts';
import { DayBreakdown, type Names } from './breakdown.ts';
import { daysOf } from './dates.ts';
import { type Metrics, Tally } from './figures.ts';
import { keyNames, teamNames } from './global.ts';
import { administers, keysOf, type Sight, sightOf } from './sight.ts';

/**
 * `/user/daily/activity` and its like: days with every figure broken down (litellm.md §3.8).
 *
 * A page is so many rows of the daily table, as in LiteLLM: a day may go on on the next page, and the figures of all
 * pages add up. `aggregated` gives whole days in one answer; there only the keys and entities that spent most are named.
 */

const commonFields = {
  start_date: z.string().optional(),
  end_date: z.string().optional(),
  model: id.optional(),
  api_key: id.optional(),
};
const pageFields = { page: pageNumber, page_size: pageSize(10, 1000), cursor: z.string().optional() };

/** Keys and entities that an aggregated answer names. */
const MOST_NAMED = 10;

const IGNORED = { timezone: 'the daily tables have days of UTC' };

/** Who has days: where they are asked for, by which field, and who may. */
const SUBJECTS = [
  { subject: 'user', path: '/user/daily/activity', field: 'user_id', audience: 'role' },
  { subject: 'team', path: '/team/daily/activity', field: 'team_ids', audience: 'role' },
  { subject: 'tag', path: '/tag/daily/activity', field: 'tags', audience: 'admin' },
  { subject: 'organization', path: '/organization/daily/activity', field: 'organization_ids', audience: 'admin' },
  { subject: 'customer', path: '/customer/daily/activity', field: 'end_user_ids', audience: 'admin' },
] as const satisfies readonly { readonly subject: DailySubject; readonly [word: string]: string }[];

type Subject = (typeof SUBJECTS)[number];

interface CommonInput {
  readonly start_date?: string | undefined;
  readonly end_date?: string | undefined;
  readonly model?: string | undefined;
  readonly api_key?: string | undefined;
}

export const dailyActivityRoutes = SUBJECTS.flatMap((subject) => {
  const named = z.object({ ...commonFields, [subject.field]: z.string().optional(), timezone: z.string().optional() });
  return [
    adminRoute({
      methods: ['GET'],
      paths: subject.subject === 'customer' ? [subject.path, '/end_user/daily/activity'] : [subject.path],
      summary: `Show each day's figures by ${subject.subject}, model, key and so on, in pages.`,
      tag: 'activity',
      audience: subject.audience,
      ignored: IGNORED,
      input: named.extend(pageFields),
      handle: (input, context) => pageOfDays(subject, input, context),
    }),
    adminRoute({
      methods: ['GET'],
      paths: [`${subject.path}/aggregated`],
      summary: `Show each day's figures by ${subject.subject}, model, key and so on, all days at once.`,
      tag: 'activity',
      audience: subject.audience,
      ignored: IGNORED,
      input: named,
      handle: (input, context) => wholeDays(subject, input, context),
    }),
  ];
});

interface PageInput extends CommonInput {
  readonly page: number;
  readonly page_size: number;
  readonly cursor?: string | undefined;
}

async function pageOfDays(subject: Subject, input: PageInput, context: AdminContext) {
  const { store } = context;
  const filter = await filterOf(subject, input, context);
  const days = await store.reports.days(filter);
  const { page, page_size, cursor } = input;
  const place = cursor === undefined ? placeOf(filter, days, (page - 1) * page_size) : { filter, after: cursor };
  const found = place === null ? NO_ROWS : await store.reports.rows(place.filter, page_size, place);
  const byDay = new Map<string, DayBreakdown>();
  for (const row of found.rows) dayIn(byDay, row).add(row);
  const totalPages = Math.ceil(days.reduce((sum, { rows }) => sum + rows, 0) / page_size);
  return {
    results: results(byDay, await namesIn(store, subject, found.rows)),
    metadata: {
      ...totals(byDay),
      page,
      total_pages: totalPages,
      has_more: cursor === undefined ? page < totalPages : found.next !== null,
      next_cursor: found.next,
    },
  };
}

const NO_ROWS = { rows: [], next: null };

/** The day on which a numbered page begins, found without reading the days before it. */
function placeOf(
  filter: DailyFilter,
  newestFirst: readonly { readonly date: string; readonly rows: number }[],
  skip: number,
): { readonly filter: DailyFilter; readonly skip: number } | null {
  let left = skip;
  for (const { date, rows } of newestFirst) {
    if (left < rows) return { filter: { ...filter, until: date }, skip: left };
    left -= rows;
  }
  return null;
}

async function wholeDays(subject: Subject, input: CommonInput, context: AdminContext) {
  const { store } = context;
  const filter = await filterOf(subject, input, context);
  const [parts, keys, entities] = await Promise.all([
    store.reports.daily({ ...smallest(filter), groupBy: PARTS }),
    store.reports.daily({
      ...filter,
      groupBy: [...PARTS, 'api_key'],
      largest: { group: 'api_key', count: MOST_NAMED },
    }),
    store.reports.daily({ ...filter, groupBy: ['date', 'entity'], largest: { group: 'entity', count: MOST_NAMED } }),
  ]);
  const entityKeys = await store.reports.daily({
    ...filter,
    only: { ...filter.only, entity: namesOf(entities, 'entity'), api_key: namesOf(keys, 'api_key') },
    groupBy: ['date', 'entity', 'api_key'],
  });
  const byDay = new Map<string, DayBreakdown>();
  for (const sum of parts) dayIn(byDay, sum).addParts(sum);
  for (const sum of entities) dayIn(byDay, sum).addPart('entities', sum);
  for (const sum of keys) dayIn(byDay, sum).addKey(sum);
  for (const sum of entityKeys) dayIn(byDay, sum).addPartKey('entities', sum);
  return {
    results: results(byDay, await namesIn(store, subject, [...keys, ...entityKeys])),
    metadata: { ...totals(byDay), page: 1, total_pages: 1, has_more: false },
  };
}

const PARTS = ['date', 'model', 'model_group', 'custom_llm_provider', 'endpoint'] as const satisfies DailyGroup[];

/** The same days from the table that has no keys, where nobody in particular is asked for. */
function smallest(filter: DailyFilter): DailyFilter {
  const { subject, only = {} } = filter;
  const isOfAll = subject === 'user' && only.entity === undefined && only.api_key === undefined;
  return isOfAll ? { ...filter, subject: 'everything' } : filter;
}

const namesOf = (sums: readonly DailySum[], group: 'api_key' | 'entity'): readonly string[] => [
  ...new Set(sums.map((sum) => sum.group[group] ?? '')),
];

function dayIn(byDay: Map<string, DayBreakdown>, { group }: DailySum): DayBreakdown {
  const date = group.date ?? '';
  const day = byDay.get(date) ?? new DayBreakdown();
  byDay.set(date, day);
  return day;
}

function results(byDay: ReadonlyMap<string, DayBreakdown>, names: Names) {
  return [...byDay].toSorted(([a], [b]) => (a < b ? 1 : -1)).map(([date, day]) => ({ date, ...day.shown(names) }));
}

function totals(byDay: ReadonlyMap<string, DayBreakdown>) {
  const total = new Tally();
  for (const day of byDay.values()) total.add(day.total.figures);
  const metrics: Metrics = total.metrics;
  return Object.fromEntries(
    Object.entries(metrics).map(([name, value]) => [name.startsWith('total_') ? name : `total_${name}`, value]),
  );
}

/** What keys and entities of these sums are called. */
async function namesIn(store: Store, { subject }: Subject, sums: readonly DailySum[]): Promise<Names> {
  const hashes = new Set(sums.flatMap(({ group }) => (group.api_key ? [group.api_key] : [])));
  const ids = new Set(sums.flatMap(({ group }) => (group.entity ? [group.entity] : [])));
  const [keys, teams] = await Promise.all([
    keyNames(store, [...hashes]),
    subject === 'team' ? teamNames(store, [...ids]) : new Map<string, string | null>(),
  ]);
  return { keys, entities: new Map([...teams].map(([team, team_alias]) => [team, { team_alias }])) };
}

/** The days that are asked for, less what the caller does not see. */
async function filterOf(subject: Subject, input: CommonInput, context: AdminContext): Promise<DailyFilter> {
  const named = (input as Readonly<Record<string, string | undefined>>)[subject.field]; // a field of its schema
  const asked = named === undefined || named === '' ? null : subject.subject === 'user' ? [named] : named.split(',');
  const days = daysOf(input);
  const sight = sightOf(context);
  const seen = sight.kind === 'everything' ? NO_LIMIT : await seenBy(context.store, sight, subject, asked);
  const entities = seen.entities ?? asked;
  const askedFor = input.api_key === undefined ? null : await askedKeys(context.store, input.api_key);
  const keys = askedFor === null ? seen.keys : askedFor.filter((key) => seen.keys === null || seen.keys.includes(key));
  return {
    subject: subject.subject,
    ...days,
    only: {
      ...(entities !== null && { entity: entities }),
      ...(keys !== null && { api_key: keys }),
      ...(input.model !== undefined && { model: [input.model] }),
    },
  };
}

/** Of which entities and keys somebody sees the days; null: of all that are asked for. */
interface Seen {
  readonly entities: readonly string[] | null;
  readonly keys: readonly string[] | null;
}

const NO_LIMIT: Seen = { entities: null, keys: null };

/** @throws Refused when somebody asks for another's days by name */
async function seenBy(
  store: Store,
  sight: Exclude<Sight, { kind: 'everything' }>,
  { subject, field }: Subject,
  asked: readonly string[] | null,
): Promise<Seen> {
  if (subject === 'team' && sight.kind === 'user') return seenTeams(store, sight.userId, asked);
  if (sight.kind === 'key') return { entities: null, keys: [sight.hash] };
  if (asked?.some((each) => each !== sight.userId) === true) {
    const message = `You may see only your own days: leave ${field} away, or ask with an admin's key.`;
    throw refused('not-yours', message, field);
  }
  return { entities: [sight.userId], keys: null };
}

/** A team's admin sees all of it, a member what his own keys spent there. */
async function seenTeams(store: Store, userId: string, asked: readonly string[] | null): Promise<Seen> {
  const { rows } = await store.read.teamMemberships.list({ where: { user_id: userId }, limit: MOST_TEAMS });
  const memberships = rows.map(({ team_id }) => team_id);
  const wanted = asked ?? memberships;
  const { rows: teams } = await store.read.teams.list({ where: { team_id: { in: wanted } }, limit: MOST_TEAMS });
  const own = teams.filter((team) => administers(team, userId)).map(({ team_id }) => team_id);
  const foreign = wanted.find((team) => !own.includes(team) && !memberships.includes(team));
  if (foreign !== undefined)
    throw refused('nothing-there', `User=${userId} does not belong to Team=${foreign}.`, 'team_ids');
  if (own.length === wanted.length) return { entities: wanted, keys: null };
  // In several teams at once, some of which he only belongs to: there each answer can show one or the other.
  if (asked === null && own.length > 0) return { entities: own, keys: null };
  return { entities: wanted, keys: await keysOf(store, { kind: 'user', userId }) };
}

const MOST_TEAMS = 1000;
