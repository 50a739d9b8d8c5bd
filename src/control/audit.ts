import { z } from 'zod';
import { isObject, type Json, type JsonObject } from '../core/json.ts';
import type { AuditRow } from '../store/schema/identity.ts';
import { shown } from './fields/shown.ts';
import { id, moment, order, pageNumber, pageSize, text } from './fields/values.ts';
import { adminRoute } from './http/admin-route.ts';
import { found } from './http/refused.ts';
import { numberedPage } from './paging.ts';

/** Who changed what, when, and how it was before: every change of every row that is kept. Secrets are masked when they are written. */

const TAG = 'audit';

/** Columns as the change had them, money in dollars as everywhere. */
function inDollars(values: Json): Json {
  if (!isObject(values)) return values;
  const money = Object.entries(values).filter(([name]) => name.endsWith('_nano'));
  const dollars = money.map(([name, nano]) => [name.slice(0, -5), nano === null ? null : Number(nano) / 1e9]);
  return { ...Object.fromEntries(dollars), ...shown(values) };
}

const shownChange = (row: AuditRow): JsonObject => ({
  ...shown(row),
  before_value: inDollars(row.before_value),
  updated_values: inDollars(row.updated_values),
});

const auditInput = z.object({
  page: pageNumber,
  page_size: pageSize(10, 100),
  changed_by: text.optional(),
  changed_by_api_key: text.optional(),
  action: z.enum(['created', 'updated', 'deleted', 'blocked', 'unblocked', 'rotated']).optional(),
  table_name: text.optional(),
  object_id: text.optional(),
  start_date: moment.optional(),
  end_date: moment.optional(),
  sort_by: z.enum(['updated_at', 'changed_by', 'action', 'table_name', 'object_id']).default('updated_at'),
  sort_order: order.default('desc'),
});

/** `from` is included, `before` is not. */
function period({ start_date, end_date }: z.output<typeof auditInput>) {
  if (start_date === undefined && end_date === undefined) return {};
  return {
    updated_at: {
      ...(start_date !== undefined && { from: new Date(start_date) }),
      ...(end_date !== undefined && { before: new Date(end_date) }),
    },
  };
}

export const auditRoutes = [
  adminRoute({
    methods: ['GET'],
    paths: ['/audit'],
    summary: 'List changes, newest first.',
    tag: TAG,
    audience: 'admin',
    input: auditInput,
    async handle(input, { store }) {
      const { changed_by, changed_by_api_key, action, table_name, object_id, page, page_size } = input;
      const where = {
        ...(changed_by !== undefined && { changed_by }),
        ...(changed_by_api_key !== undefined && { changed_by_api_key }),
        ...(action !== undefined && { action }),
        // LiteLLM's tables have capitals, ours do not.
        ...(table_name !== undefined && { table_name: table_name.toLowerCase() }),
        ...(object_id !== undefined && { object_id }),
        ...period(input),
      };
      const direction = input.sort_order === 'asc' ? 'ascending' : 'descending';
      const asked = { where, sort: input.sort_by, order: direction, page, size: page_size } as const;
      const { rows, total, pages } = await numberedPage(store.read.audit, asked);
      return { audit_logs: rows.map(shownChange), total, page, page_size, total_pages: pages };
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/audit/{id}'],
    summary: 'Show one change.',
    tag: TAG,
    audience: 'admin',
    input: z.object({ id }),
    async handle(input, { store }) {
      const row = await store.read.audit.get(input.id);
      return shownChange(found(row, `Audit log with ID ${input.id.slice(0, 200)} not found`, 'id'));
    },
  }),
];
