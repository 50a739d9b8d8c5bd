import { z } from 'zod';
import type { Writers } from '../store/resources/resources.ts';
import type { OrganizationRow } from '../store/schema/identity.ts';
import { budgetColumns, budgetFields, createBudget, hasBudgetFields, LONGEST_LIST } from './budgets.ts';
import { column, columnsOf, type Fields, handled, inMetadata, metadataOf, schemaOf } from './fields/field.ts';
import { objectPermission, objectPermissionColumn } from './fields/object-permission.ts';
import { shown } from './fields/shown.ts';
import { amount, countMap, id, map, text, texts } from './fields/values.ts';
import { type AdminContext, adminRoute } from './http/admin-route.ts';
import { found, refused } from './http/refused.ts';
import { checkOrganization } from './organization-admins.ts';
import { ensureUser } from './users/write.ts';

/** Organizations and their members (litellm.md §3.6). */

const TAG = 'organizations';

const organizationFields = {
  organization_alias: column(text),
  models: column(texts, []),
  metadata: handled(map),
  budget_id: column(id),
  object_permission: handled(objectPermission),
  model_rpm_limit: inMetadata(countMap),
  model_tpm_limit: inMetadata(countMap),
} as const satisfies Fields;

const budgetInput = schemaOf(budgetFields);
const organizationInput = schemaOf(organizationFields).extend(budgetInput.shape);
type OrganizationInput = z.output<typeof organizationInput>;

const unknown = (organizationId: string): string =>
  `Organization not found for organization_id=${organizationId.slice(0, 200)}. GET /organization/list lists them.`;

/** The columns that a request sets, with the budget that its limits make or change. */
async function organizationColumns(
  writers: Writers,
  sent: OrganizationInput,
  before: OrganizationRow | null,
  context: AdminContext,
) {
  const metadata = metadataOf(organizationFields, sent, before?.metadata ?? {});
  return {
    ...columnsOf(organizationFields, sent),
    ...(metadata !== undefined && { metadata }),
    ...(await objectPermissionColumn(writers, sent.object_permission, before?.object_permission_id ?? null)),
    ...(await ownBudgetColumn(writers, sent, before?.budget_id ?? null, context)),
  };
}

type BudgetInput = z.output<typeof budgetInput> & { readonly budget_id?: string | null | undefined };

/**
 * The budget of something that has its limits in a budget: those of the request in a new one, or in the one it has.
 *
 * @throws Refused when the request names a budget and limits
 */
export async function ownBudgetColumn(
  writers: Writers,
  sent: BudgetInput,
  current: string | null,
  context: AdminContext,
): Promise<{ readonly budget_id?: string }> {
  if (!hasBudgetFields(sent)) return {};
  if (sent.budget_id != null) {
    const message = 'Send budget_id or limits, not both: limits of a budget are set with /budget/update.';
    throw refused('bad-fields', message, 'budget_id');
  }
  if (current !== null && (await writers.budgets.update(current, budgetColumns(sent, context))) !== null) return {};
  return { budget_id: await createBudget(writers, sent, context) };
}

/** An organization with its budget and members. */
async function whole(row: OrganizationRow, { store }: AdminContext) {
  const budget = row.budget_id === null ? null : await store.read.budgets.get(row.budget_id);
  const where = { organization_id: row.organization_id };
  const members = await store.read.organizationMemberships.list({ where, limit: 1000 });
  const teams = await store.read.teams.list({ where, limit: 1000 });
  return {
    ...shown(row),
    litellm_budget_table: budget && shown(budget),
    members: members.rows.map(shown),
    teams: teams.rows.map(shown),
  };
}

const newRoute = adminRoute({
  methods: ['POST'],
  paths: ['/organization/new'],
  summary: 'Make an organization, whose budget and models hold for all its teams and keys.',
  tag: TAG,
  audience: 'admin',
  input: organizationInput.extend({ organization_alias: text.min(1), organization_id: id.nullish() }),
  async handle({ organization_id, ...input }, context) {
    const row = await context.store.change(context.actor, async (writers) => {
      const columns = await organizationColumns(writers, input, null, context);
      const key = {
        organization_id: organization_id ?? crypto.randomUUID(),
        organization_alias: input.organization_alias,
      };
      return writers.organizations.create({ ...columns, ...key });
    });
    return whole(row, context);
  },
});

const updateRoute = adminRoute({
  methods: ['PATCH', 'POST'],
  paths: ['/organization/update'],
  summary: 'Change what is sent of an organization.',
  tag: TAG,
  audience: 'admin',
  input: organizationInput.extend({ organization_id: id, organization_alias: text.min(1).optional() }),
  async handle({ organization_id, ...input }, context) {
    const row = await context.store.change(context.actor, async (writers) => {
      const before = found(
        await writers.organizations.get(organization_id),
        unknown(organization_id),
        'organization_id',
      );
      return writers.organizations.update(organization_id, await organizationColumns(writers, input, before, context));
    });
    return whole(found(row, unknown(organization_id), 'organization_id'), context);
  },
});

const deleteRoute = adminRoute({
  methods: ['DELETE', 'POST'],
  paths: ['/organization/delete'],
  summary: 'Delete organizations that have no teams and no keys.',
  tag: TAG,
  audience: 'admin',
  input: z.object({ organization_ids: z.array(id).min(1).max(500) }),
  async handle({ organization_ids }, { store, actor }) {
    return store.change(actor, async (writers) => {
      const gone: unknown[] = [];
      for (const organizationId of new Set(organization_ids))
        gone.push(await deleteOrganization(writers, organizationId));
      return gone;
    });
  },
});

async function deleteOrganization(writers: Writers, organizationId: string) {
  const where = { organization_id: organizationId };
  const places = await writers.organizationMemberships.list({ where, limit: 10_000 });
  for (const { user_id } of places.rows) await writers.organizationMemberships.delete([user_id, organizationId]);
  const row = await writers.organizations.delete(organizationId);
  return shown(found(row, unknown(organizationId), 'organization_ids'));
}

const listRoute = adminRoute({
  methods: ['GET'],
  paths: ['/organization/list'],
  summary: 'List organizations; a user sees those he is in.',
  tag: TAG,
  audience: 'role',
  input: z.object({ org_id: id.optional(), org_alias: text.optional() }),
  async handle({ org_id, org_alias }, context) {
    const where = {
      ...(org_id !== undefined && { organization_id: org_id }),
      ...(org_alias !== undefined && { organization_alias: { contains: org_alias } }),
    };
    const { rows } = await context.store.read.organizations.list({ where, limit: LONGEST_LIST });
    const own = await ownOrganizations(context);
    const visible = own === null ? rows : rows.filter(({ organization_id }) => own.has(organization_id));
    return Promise.all(visible.map((row) => whole(row, context)));
  },
});

/** Organizations that the caller is in; null for an admin, who is in all. */
async function ownOrganizations({ caller, store }: AdminContext): Promise<ReadonlySet<string> | null> {
  if (caller.kind === 'admin') return null;
  const where = { user_id: caller.kind === 'user' ? caller.userId : '' };
  const { rows } = await store.read.organizationMemberships.list({ where, limit: LONGEST_LIST });
  return new Set(rows.map(({ organization_id }) => organization_id));
}

async function infoOf(organizationId: string, context: AdminContext) {
  const row = found(
    await context.store.read.organizations.get(organizationId),
    unknown(organizationId),
    'organization_id',
  );
  return whole(row, context);
}

const infoRoute = adminRoute({
  methods: ['GET'],
  paths: ['/organization/info'],
  summary: 'Show an organization, its budget, members and teams.',
  tag: TAG,
  audience: 'organization',
  input: z.object({ organization_id: id }),
  handle({ organization_id }, context) {
    checkOrganization(context.caller, organization_id);
    return infoOf(organization_id, context);
  },
});

const infosRoute = adminRoute({
  methods: ['POST'],
  paths: ['/organization/info'],
  summary: 'Show several organizations.',
  tag: TAG,
  audience: 'admin',
  input: z.object({ organizations: z.array(id).min(1).max(500) }),
  handle: ({ organizations }, context) => Promise.all(organizations.map((each) => infoOf(each, context))),
});

const member = z.object({ role: text.default('internal_user'), user_id: id.nullish(), user_email: id.nullish() });

const memberAddRoute = adminRoute({
  methods: ['POST'],
  paths: ['/organization/member_add'],
  summary: 'Add members to an organization.',
  tag: TAG,
  audience: 'organization',
  input: z.object({
    organization_id: id,
    member: z.union([member, z.array(member).min(1).max(500)]),
    max_budget_in_organization: amount.nullish(),
  }),
  async handle({ organization_id, member, max_budget_in_organization: most }, context) {
    checkOrganization(context.caller, organization_id);
    return context.store.change(context.actor, async (writers) => {
      found(await writers.organizations.get(organization_id), unknown(organization_id), 'organization_id');
      const users: unknown[] = [];
      const places: unknown[] = [];
      for (const { role, ...named } of [member].flat()) {
        const user = await ensureUser(writers, named, context);
        const budgetId = most == null ? null : await createBudget(writers, { max_budget: most }, context);
        const place = { user_id: user.user_id, organization_id, user_role: role, budget_id: budgetId };
        users.push(shown(user));
        places.push(shown(await writers.organizationMemberships.create(place)));
      }
      return { organization_id, updated_users: users, updated_organization_memberships: places };
    });
  },
});

const who = { organization_id: id, user_id: id.nullish(), user_email: id.nullish() };

async function placeOf(
  writers: Writers,
  { organization_id, user_id, user_email }: z.output<z.ZodObject<typeof who>>,
): Promise<readonly [string, string]> {
  if (user_id == null && user_email == null)
    throw refused('bad-fields', 'Whom? Send user_id or user_email.', 'user_id');
  const userId = user_id ?? (await writers.users.find({ user_email: user_email ?? '' }))?.user_id ?? '';
  const place = await writers.organizationMemberships.get([userId, organization_id]);
  found(place, `User=${user_id ?? user_email} is not in organization=${organization_id}.`, 'user_id');
  return [userId, organization_id];
}

const memberUpdateRoute = adminRoute({
  methods: ['PATCH', 'POST'],
  paths: ['/organization/member_update'],
  summary: 'Change the role or the budget of a member.',
  tag: TAG,
  audience: 'organization',
  input: z.object({ ...who, role: text.nullish(), max_budget_in_organization: amount.nullish() }),
  async handle({ role, max_budget_in_organization: most, ...named }, context) {
    checkOrganization(context.caller, named.organization_id);
    const row = await context.store.change(context.actor, async (writers) => {
      const key = await placeOf(writers, named);
      const budget = most == null ? {} : { budget_id: await createBudget(writers, { max_budget: most }, context) };
      return writers.organizationMemberships.update(key, { ...budget, ...(role != null && { user_role: role }) });
    });
    return shown(found(row, 'The member was removed just now.', 'user_id'));
  },
});

const memberDeleteRoute = adminRoute({
  methods: ['DELETE', 'POST'],
  paths: ['/organization/member_delete'],
  summary: 'Remove a member from an organization.',
  tag: TAG,
  audience: 'organization',
  input: z.object(who),
  async handle(named, { store, actor, caller }) {
    checkOrganization(caller, named.organization_id);
    const row = await store.change(actor, async (writers) =>
      writers.organizationMemberships.delete(await placeOf(writers, named)),
    );
    return shown(found(row, 'The member was removed just now.', 'user_id'));
  },
});

export const organizationRoutes = [
  newRoute,
  updateRoute,
  deleteRoute,
  listRoute,
  infoRoute,
  infosRoute,
  memberAddRoute,
  memberUpdateRoute,
  memberDeleteRoute,
];
