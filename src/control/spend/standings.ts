import { z } from 'zod';
import { shown } from '../fields/shown.ts';
import { id } from '../fields/values.ts';
import { type AdminContext, adminRoute } from '../http/admin-route.ts';
import { daysOf } from './dates.ts';
import { dollarsOf } from './figures.ts';
import { keysOf, sightOf } from './sight.ts';

/** What keys, users and tags have spent in all (litellm.md §3.8). */

const TAG = 'spend';
const limit = z.coerce.number().int().min(1).max(5000).default(1000);
/** Before any ledger, and after any that we shall see. */
const EVER = { from: '2000-01-01', until: '2199-12-31' };

export const standingRoutes = [
  adminRoute({
    methods: ['GET'],
    paths: ['/spend/keys'],
    summary: 'List keys, those that spent most first.',
    tag: TAG,
    audience: 'role',
    input: z.object({ limit }),
    async handle(input, context) {
      const sight = sightOf(context);
      const where =
        sight.kind === 'user' ? { user_id: sight.userId } : sight.kind === 'key' ? { token: sight.hash } : {};
      return (await context.store.read.keys.list({ where, ...MOST_FIRST, limit: input.limit })).rows.map(shown);
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/spend/users'],
    summary: 'List users, those that spent most first, or show one.',
    tag: TAG,
    audience: 'role',
    input: z.object({ user_id: id.optional(), limit }),
    async handle(input, context) {
      const sight = sightOf(context);
      const userId = sight.kind === 'everything' ? input.user_id : sight.kind === 'user' ? sight.userId : '';
      const where = userId === undefined ? {} : { user_id: userId };
      return (await context.store.read.users.list({ where, ...MOST_FIRST, limit: input.limit })).rows.map(shown);
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/spend/tags'],
    summary: 'Show what was spent under each tag of requests.',
    tag: TAG,
    audience: 'role',
    input: z.object({ start_date: z.string().optional(), end_date: z.string().optional() }),
    handle: (input, context) => spendByTag(input, context),
  }),
];

const MOST_FIRST = { sort: 'spend_nano', order: 'descending' } as const;

async function spendByTag(
  input: { start_date?: string | undefined; end_date?: string | undefined },
  context: AdminContext,
) {
  const days = input.start_date === undefined && input.end_date === undefined ? EVER : daysOf(input);
  const only = await ownKeys(context);
  const sums = await context.store.reports.daily({ subject: 'tag', ...days, only, groupBy: ['entity'] });
  return sums.map(({ group, requests, spendNano, unpriced }) => ({
    individual_request_tag: group.entity,
    log_count: requests,
    total_spend: dollarsOf(spendNano),
    unpriced_requests: unpriced,
  }));
}

/** For daily tables that know no users: the keys of the caller, or no condition for who sees everything. */
export async function ownKeys(context: AdminContext): Promise<{ readonly api_key?: readonly string[] }> {
  const sight = sightOf(context);
  return sight.kind === 'everything' ? {} : { api_key: await keysOf(context.store, sight) };
}
