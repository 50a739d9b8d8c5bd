import { z } from 'zod';
import type { tagTable } from '../store/schema/identity.ts';
import type { RowOf } from '../store/schema/table.ts';
import { budgetFields, LONGEST_LIST } from './budgets.ts';
import { column, columnsOf, type Fields, schemaOf } from './fields/field.ts';
import { shown } from './fields/shown.ts';
import { id, map, text, texts } from './fields/values.ts';
import { type AdminContext, adminRoute } from './http/admin-route.ts';
import { found, refused } from './http/refused.ts';
import { ownBudgetColumn } from './organizations.ts';

/** Labels of requests that have a budget (litellm.md §3.7). */

const TAG = 'tags';

const tagFields = {
  description: column(text),
  models: column(texts, []),
  model_info: column(map, {}),
  budget_id: column(id),
} as const satisfies Fields;

const tagInput = schemaOf(tagFields).extend(schemaOf(budgetFields).shape).extend({ name: id });
type TagRow = RowOf<typeof tagTable>;

const unknown = (name: string): string => `Tag ${name.slice(0, 200)} not found. GET /tag/list lists the tags.`;

async function whole(row: TagRow, { store }: AdminContext) {
  const { tag_name, ...rest } = shown(row);
  const budget = row.budget_id === null ? null : await store.read.budgets.get(row.budget_id);
  return { name: tag_name, ...rest, litellm_budget_table: budget && shown(budget) };
}

async function save(input: z.output<typeof tagInput>, mode: 'new' | 'change', context: AdminContext): Promise<TagRow> {
  const { name } = input;
  return context.store.change(context.actor, async (writers) => {
    const before = await writers.tags.get(name);
    if (mode === 'new' && before !== null)
      throw refused('already-there', `Tag ${name.slice(0, 200)} already exists. Change it with /tag/update.`, 'name');
    if (mode === 'change') found(before, unknown(name), 'name');
    const budget = await ownBudgetColumn(writers, input, before?.budget_id ?? null, context);
    const columns = { ...columnsOf(tagFields, input), ...budget };
    if (mode === 'new') return writers.tags.create({ ...columns, tag_name: name });
    return found(await writers.tags.update(name, columns), unknown(name), 'name');
  });
}

export const tagRoutes = [
  adminRoute({
    methods: ['POST'],
    paths: ['/tag/new'],
    summary: 'Make a tag, with a budget for all requests that carry it.',
    tag: TAG,
    audience: 'admin',
    input: tagInput,
    async handle(input, context) {
      const tag = await whole(await save(input, 'new', context), context);
      return { message: `Tag ${input.name} created successfully`, tag };
    },
  }),
  adminRoute({
    methods: ['POST'],
    paths: ['/tag/update'],
    summary: 'Change what is sent of a tag.',
    tag: TAG,
    audience: 'admin',
    input: tagInput,
    async handle(input, context) {
      const tag = await whole(await save(input, 'change', context), context);
      return { message: `Tag ${input.name} updated successfully`, tag };
    },
  }),
  adminRoute({
    methods: ['POST'],
    paths: ['/tag/info'],
    summary: 'Show tags by their names.',
    tag: TAG,
    audience: 'admin',
    input: z.object({ names: z.array(id).min(1).max(500) }),
    async handle({ names }, context) {
      const { rows } = await context.store.read.tags.list({ where: { tag_name: { in: names } }, limit: 500 });
      if (rows.length === 0) throw refused('nothing-there', `No tags found for ${names.length} names.`, 'names');
      const tags = await Promise.all(rows.map((row) => whole(row, context)));
      return Object.fromEntries(tags.map((tag) => [String(tag.name), tag]));
    },
  }),
  adminRoute({
    methods: ['POST', 'DELETE'],
    paths: ['/tag/delete'],
    summary: 'Delete a tag.',
    tag: TAG,
    audience: 'admin',
    input: z.object({ name: id }),
    async handle({ name }, { store, actor }) {
      found(await store.change(actor, ({ tags }) => tags.delete(name)), unknown(name), 'name');
      return { message: `Tag ${name} deleted successfully` };
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/tag/list'],
    summary: 'List all tags that have a row.',
    tag: TAG,
    audience: 'admin',
    input: z.object({}),
    async handle(_, context) {
      const { rows } = await context.store.read.tags.list({ limit: LONGEST_LIST });
      return Promise.all(rows.map((row) => whole(row, context)));
    },
  }),
];
