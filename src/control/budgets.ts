import { z } from 'zod';
import type { Writers } from '../store/resources/resources.ts';
import type { BudgetRow } from '../store/schema/identity.ts';
import { columnsOf, type Fields, schemaOf } from './fields/field.ts';
import { checkSoftBudget, limitFields, resetMoment, softBudgetField } from './fields/limits.ts';
import { shown } from './fields/shown.ts';
import { id } from './fields/values.ts';
import { type AdminContext, adminRoute } from './http/admin-route.ts';
import { found } from './http/refused.ts';

/** Budgets as objects, which keys, customers, tags, members and organizations point at (litellm.md §3.7). */

/** What a budget has; the same fields make one in passing for a customer, a tag or an organization. */
export const budgetFields = { ...limitFields, ...softBudgetField } as const satisfies Fields;

type BudgetInput = z.output<ReturnType<typeof schemaOf<typeof budgetFields>>>;

/** The columns of a budget that a request sets. */
export function budgetColumns(input: BudgetInput, { now }: AdminContext) {
  checkSoftBudget(input.soft_budget, input.max_budget);
  return { ...columnsOf(budgetFields, input), ...resetMoment(input, now) };
}

/** Whether a request says anything that belongs in a budget. */
export const hasBudgetFields = (input: BudgetInput): boolean =>
  Object.keys(budgetFields).some((name) => input[name as keyof BudgetInput] != null); // names of its own schema

/** Makes a budget in passing and gives its id. */
export async function createBudget(writers: Writers, input: BudgetInput, context: AdminContext): Promise<string> {
  const row = { budget_id: crypto.randomUUID(), ...budgetColumns(input, context) };
  return (await writers.budgets.create(row)).budget_id;
}

const TAG = 'budgets';
const unknown = (budgetId: string): string => `Budget ${budgetId} not found. GET /budget/list lists the budgets.`;

export const budgetRoutes = [
  adminRoute({
    methods: ['POST'],
    paths: ['/budget/new'],
    summary: 'Make a budget that several keys, customers or members may point at.',
    tag: TAG,
    audience: 'admin',
    input: schemaOf(budgetFields).extend({ budget_id: id.nullish() }),
    async handle(input, context) {
      const row = { budget_id: input.budget_id ?? crypto.randomUUID(), ...budgetColumns(input, context) };
      return shown(await context.store.change(context.actor, ({ budgets }) => budgets.create(row)));
    },
  }),
  adminRoute({
    methods: ['POST'],
    paths: ['/budget/update'],
    summary: 'Change a budget, for all that point at it.',
    tag: TAG,
    audience: 'admin',
    input: schemaOf(budgetFields).extend({ budget_id: id }),
    async handle(input, context) {
      const patch = budgetColumns(input, context);
      const row = await context.store.change(context.actor, ({ budgets }) => budgets.update(input.budget_id, patch));
      return shown(found(row, unknown(input.budget_id), 'budget_id'));
    },
  }),
  adminRoute({
    methods: ['POST'],
    paths: ['/budget/info'],
    summary: 'Show budgets by their ids.',
    tag: TAG,
    audience: 'admin',
    input: z.object({ budgets: z.array(id).min(1).max(500) }),
    async handle({ budgets }, { store }) {
      const page = await store.read.budgets.list({ where: { budget_id: { in: budgets } }, limit: 500 });
      return page.rows.map(shown);
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/budget/list'],
    summary: 'List all budgets.',
    tag: TAG,
    audience: 'admin',
    input: z.object({}),
    async handle(_, { store }) {
      return (await store.read.budgets.list({ limit: LONGEST_LIST })).rows.map(shown);
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/budget/settings'],
    summary: 'Show what can be set on a budget, and what this one has.',
    tag: TAG,
    audience: 'admin',
    input: z.object({ budget_id: id }),
    async handle({ budget_id }, { store }) {
      const row = found(await store.read.budgets.get(budget_id), unknown(budget_id), 'budget_id');
      return settingsOf(row);
    },
  }),
  adminRoute({
    methods: ['POST', 'DELETE'],
    paths: ['/budget/delete'],
    summary: 'Delete a budget that nothing points at.',
    tag: TAG,
    audience: 'admin',
    input: z.object({ id }),
    async handle(input, { store, actor }) {
      const row = await store.change(actor, ({ budgets }) => budgets.delete(input.id));
      return shown(found(row, unknown(input.id), 'id'));
    },
  }),
];

/** Lists that LiteLLM gives whole end here. */
export const LONGEST_LIST = 5000;

function settingsOf(row: BudgetRow) {
  const values = shown(row);
  return Object.keys(budgetFields).map((name) => ({
    field_name: name,
    field_type: typeof values[name] === 'object' ? 'Dictionary' : 'Float',
    field_value: values[name] ?? null,
    field_default_value: null,
    premium_field: false,
    stored_in_db: true,
  }));
}
