import { hash } from 'node:crypto';
import { z } from 'zod';
import type { Json } from '../core/json.ts';
import { Conflict } from '../store/errors.ts';
import type { KeyRow, TeamRow } from '../store/schema/identity.ts';
import { ignoredIn } from './fields/field.ts';
import { id } from './fields/values.ts';
import { type AdminContext, adminRoute } from './http/admin-route.ts';
import { found, Refused } from './http/refused.ts';
import { withinBounds } from './keys/bounds.ts';
import { generateInput, keyFields } from './keys/fields.ts';
import { makeKey } from './keys/make.ts';
import { teamFields, teamInput } from './teams/fields.ts';
import { createTeam } from './teams/write.ts';

/**
 * A tenant of the platform in one call: a team, which has the budget, and its first key.
 *
 * The caller names the tenant. Asked again with the same name, whether because the answer was lost or at once from two
 * places, the call makes nothing and gives the same ids; only the text of the key is not there a second time.
 */

/** A tenant's first key has the name that follows from the tenant's: two calls at once cannot make two. */
function firstKeyId(tenantId: string): string {
  const digits = hash('sha256', `tollgate tenant ${tenantId}`);
  const groups = [digits.slice(0, 8), digits.slice(8, 12), `8${digits.slice(13, 16)}`, `8${digits.slice(17, 20)}`];
  return [...groups, digits.slice(20, 32)].join('-');
}

const provisionInput = teamInput.extend({
  tenant_id: id,
  key: generateInput.omit({ team_id: true, organization_id: true }).nullish(),
});

interface Tenant {
  readonly team: TeamRow;
  readonly key: KeyRow;
  /** The key itself, when this call made it. */
  readonly text: string | null;
}

async function make(
  { tenant_id, key, ...team }: z.output<typeof provisionInput>,
  context: AdminContext,
): Promise<Tenant> {
  const wanted = withinBounds({ key_alias: tenant_id, ...key, team_id: tenant_id }, context.ports.settings());
  return context.store.change(context.actor, async (writers) => {
    const known = await writers.teams.get(tenant_id);
    const keyId = firstKeyId(tenant_id);
    const knownKey = await writers.keys.find({ key_id: keyId });
    if (known !== null && knownKey !== null) return { team: known, key: knownKey, text: null };
    const named = { team_alias: tenant_id, ...team };
    const row = known ?? (await createTeam(writers, tenant_id, named, context));
    const made = await makeKey(writers, wanted, context, keyId);
    return { team: row, key: made.row, text: made.text };
  });
}

/** The same call may have been made elsewhere while this one ran: then what that one made is the answer. */
async function makeOrFind(input: z.output<typeof provisionInput>, context: AdminContext): Promise<Tenant> {
  try {
    return await make(input, context);
  } catch (error) {
    if (!isTaken(error)) throw error;
    const { teams, keys } = context.store.read;
    const key = await keys.find({ key_id: firstKeyId(input.tenant_id) });
    const team = await teams.get(input.tenant_id);
    if (key === null || team === null) throw error;
    return { team, key, text: null };
  }
}

const isTaken = (error: unknown): boolean =>
  (error instanceof Conflict && error.reason === 'duplicate') ||
  (error instanceof Refused && error.error.kind === 'already-there');

const answer = ({ team, key, text }: Tenant): Readonly<Record<string, Json>> => ({
  tenant_id: team.team_id,
  team_id: team.team_id,
  team_alias: team.team_alias,
  max_budget: team.max_budget,
  budget_duration: team.budget_duration,
  budget_reset_at: team.budget_reset_at?.toISOString() ?? null,
  budget_id: key.budget_id,
  key_id: key.key_id,
  key: text,
  key_name: key.key_name,
  key_alias: key.key_alias,
  token: key.token,
  expires: key.expires?.toISOString() ?? null,
  created: text !== null,
});

export const tenantRoutes = [
  adminRoute({
    methods: ['POST', 'PUT'],
    paths: ['/tenant/provision'],
    summary: 'Make a tenant: a team with a budget, and its first key. Asked again it gives the same ids.',
    tag: 'tenants',
    audience: 'admin',
    input: provisionInput,
    ignored: { ...ignoredIn(keyFields), ...ignoredIn(teamFields) },
    async handle(input, context) {
      return answer(await makeOrFind(input, context));
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/tenant/info'],
    summary: 'Show the ids of a tenant that was provisioned.',
    tag: 'tenants',
    audience: 'admin',
    input: z.object({ tenant_id: id }),
    async handle({ tenant_id }, { store }) {
      const message = `Tenant ${tenant_id.slice(0, 200)} not found. POST /tenant/provision makes it.`;
      const team = found(await store.read.teams.get(tenant_id), message, 'tenant_id');
      const key = await store.read.keys.find({ key_id: firstKeyId(tenant_id) });
      return answer({ team, key: found(key, message, 'tenant_id'), text: null });
    },
  }),
];
