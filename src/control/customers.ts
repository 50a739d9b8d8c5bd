import { z } from 'zod';
import type { CustomerRow, customerTable } from '../store/schema/identity.ts';
import type { NewRowOf } from '../store/schema/table.ts';
import { budgetFields, LONGEST_LIST } from './budgets.ts';
import { column, columnsOf, type Fields, handled, schemaOf } from './fields/field.ts';
import { objectPermission, objectPermissionColumn } from './fields/object-permission.ts';
import { shown } from './fields/shown.ts';
import { amount, flag, id, nanoOf, text } from './fields/values.ts';
import { type AdminContext, adminRoute } from './http/admin-route.ts';
import { found, refused } from './http/refused.ts';
import { ownBudgetColumn } from './organizations.ts';

/** End customers: the `user` of request bodies (litellm.md §3.7). Each path is there as `/end_user` too. */

const TAG = 'customers';

const customerFields = {
  alias: column(text),
  blocked: column(flag, false),
  allowed_model_region: column(z.enum(['eu', 'us'])),
  default_model: column(text),
  budget_id: column(id),
  spend: handled(amount),
  object_permission: handled(objectPermission),
} as const satisfies Fields;

const customerInput = schemaOf(customerFields).extend(schemaOf(budgetFields).shape).extend({ user_id: id });
type CustomerInput = z.output<typeof customerInput>;

const unknown = (userId: string): string => `End User Id=${userId.slice(0, 200)} does not exist in db`;

/** The first path is the one that documents name. */
const paths = (operation: string) => [`/customer/${operation}`, `/end_user/${operation}`] as const;

async function withBudget(row: CustomerRow, { store }: AdminContext) {
  const budget = row.budget_id === null ? null : await store.read.budgets.get(row.budget_id);
  return { ...shown(row), litellm_budget_table: budget && shown(budget) };
}

async function save(input: CustomerInput, mode: 'new' | 'change', context: AdminContext): Promise<CustomerRow> {
  const { user_id } = input;
  return context.store.change(context.actor, async (writers) => {
    const before = await writers.customers.get(user_id);
    if (mode === 'new' && before !== null)
      throw refused(
        'already-there',
        `Customer already exists, passed user_id=${user_id.slice(0, 200)}. Please pass a new user_id.`,
        'user_id',
      );
    if (mode === 'change') found(before, unknown(user_id), 'user_id');
    const columns = {
      ...columnsOf(customerFields, input),
      ...(input.spend != null && { spend_nano: nanoOf(input.spend) }),
      ...(await ownBudgetColumn(writers, input, before?.budget_id ?? null, context)),
      ...(await objectPermissionColumn(writers, input.object_permission, before?.object_permission_id ?? null)),
    };
    if (mode === 'new') return writers.customers.create({ ...columns, user_id } as NewRowOf<typeof customerTable>); // columns are the table's
    return found(await writers.customers.update(user_id, columns), unknown(user_id), 'user_id');
  });
}

const someone = z.object({ user_ids: z.array(id).min(1).max(500) });

/** Blocks or unblocks; customers without a row get one, since clients choose these ids. */
const blockRoute = (operation: 'block' | 'unblock', summary: string) => {
  const blocked = operation === 'block';
  return adminRoute({
    methods: ['POST'],
    paths: paths(operation),
    summary,
    tag: TAG,
    audience: 'admin',
    input: someone,
    async handle({ user_ids }, { store, actor }) {
      const rows = await store.change(actor, async ({ customers }) => {
        const changed: CustomerRow[] = [];
        for (const userId of new Set(user_ids)) {
          const row = await customers.update(userId, { blocked }, blocked ? 'blocked' : 'unblocked');
          changed.push(row ?? (await customers.create({ user_id: userId, blocked })));
        }
        return changed;
      });
      return { [blocked ? 'blocked_users' : 'unblocked_users']: rows.map(shown) };
    },
  });
};

export const customerRoutes = [
  adminRoute({
    methods: ['POST'],
    paths: paths('new'),
    summary: 'Make an end customer, with a budget of his own or one that is there.',
    tag: TAG,
    audience: 'admin',
    input: customerInput,
    handle: async (input, context) => withBudget(await save(input, 'new', context), context),
  }),
  adminRoute({
    methods: ['POST'],
    paths: paths('update'),
    summary: 'Change what is sent of an end customer.',
    tag: TAG,
    audience: 'admin',
    input: customerInput,
    handle: async (input, context) => withBudget(await save(input, 'change', context), context),
  }),
  adminRoute({
    methods: ['GET'],
    paths: paths('info'),
    summary: 'Show an end customer.',
    tag: TAG,
    audience: 'admin',
    input: z.object({ end_user_id: id }),
    async handle({ end_user_id }, context) {
      const row = await context.store.read.customers.get(end_user_id);
      return withBudget(found(row, unknown(end_user_id), 'end_user_id'), context);
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: paths('list'),
    summary: 'List end customers that have a row.',
    tag: TAG,
    audience: 'admin',
    input: z.object({}),
    async handle(_, context) {
      const { rows } = await context.store.read.customers.list({ limit: LONGEST_LIST });
      return Promise.all(rows.map((row) => withBudget(row, context)));
    },
  }),
  adminRoute({
    methods: ['POST', 'DELETE'],
    paths: paths('delete'),
    summary: 'Delete end customers.',
    tag: TAG,
    audience: 'admin',
    input: someone,
    async handle({ user_ids }, { store, actor }) {
      const named = [...new Set(user_ids)];
      await store.change(actor, async ({ customers }) => {
        for (const userId of named) found(await customers.delete(userId), unknown(userId), 'user_ids');
      });
      return {
        deleted_customers: named.length,
        message: `Successfully deleted customers with ids: ${named.join(', ')}`,
      };
    },
  }),
  blockRoute('block', 'Refuse requests for end customers until they are unblocked.'),
  blockRoute('unblock', 'Admit requests for blocked end customers again.'),
];
