import type { KeyRow, TeamRow } from '../../store/schema/identity.ts';
import type { AdminContext } from '../http/admin-route.ts';
import type { Caller } from '../http/caller.ts';
import { refused } from '../http/refused.ts';
import { roleIn } from '../membership.ts';
import { administersOrganization } from '../organization-admins.ts';
import { checkBounds } from './bounds.ts';
import { type KeyChanges, keyUpdateFields } from './fields.ts';

/** What somebody wants to do with a key, in the words of `team_member_permissions`. */
export type KeyDeed = '/key/generate' | '/key/info' | '/key/update' | '/key/delete' | '/key/regenerate';

type Owned = Pick<KeyRow, 'user_id' | 'team_id'> & Partial<Pick<KeyRow, 'key_id' | 'organization_id'>>;

/**
 * Whether the caller may do this to a key: an admin to all; a user to his own personal ones; an admin of an organization
 * to those of its teams and its own; in a team its admins, and members as far as `team_member_permissions` has the deed
 * (litellm.md §5.8). Everybody may look at his own, and members at the team's.
 *
 * @throws Refused
 */
export async function checkRight(deed: KeyDeed, key: Owned, { caller, store }: AdminContext): Promise<void> {
  if (caller.kind === 'admin' || (deed === '/key/info' && isOwn(key, caller))) return;
  if (caller.kind !== 'user') throw notYours(deed);
  if (key.team_id === null) {
    // A key of a team spends what is the team's, so there the team alone says who may.
    if (key.user_id === caller.userId || administersOrganization(caller, key.organization_id ?? null)) return;
    throw notYours(deed);
  }
  const team = await store.read.teams.get(key.team_id);
  const role = team === null ? null : roleIn(team, caller.userId);
  if (team !== null && isTeamAdmin(caller, team)) return;
  if (team === null || role === null) throw notYours(deed);
  // LiteLLM's default for members; what is shown of a key cannot be used.
  if (deed === '/key/info' || team.team_member_permissions.includes(deed)) return;
  const message = `Team member does not have permissions for endpoint: ${deed}. An admin of the team can add it to team_member_permissions.`;
  throw refused('team-permission', message);
}

/** Whether the caller administers this team, or its organization. */
export function isTeamAdmin(caller: Caller, team: Pick<TeamRow, 'members_with_roles' | 'organization_id'>): boolean {
  if (administersOrganization(caller, team.organization_id)) return true;
  return caller.kind === 'user' && roleIn(team, caller.userId) === 'admin';
}

function isOwn(key: Owned, caller: Caller): boolean {
  if (caller.kind === 'key' || caller.kind === 'user') {
    if (key.key_id === caller.key.id) return true;
  }
  return caller.kind === 'user' && key.user_id === caller.userId;
}

function notYours(deed: string) {
  return refused('not-yours', `You are not allowed to do this (${deed}) with this key: it is not yours.`, 'key');
}

/** Fields that only an admin of the gateway sets: each would take away what he decided, or undo his block. */
const OPERATORS = [
  ...(['spend', 'permissions', 'organization_id', 'budget_id', 'blocked', 'temp_budget_increase'] as const),
  ...([
    'temp_budget_expiry',
    'policies',
    'guardrails',
    'disable_global_guardrails',
    'router_settings',
    'logging',
  ] as const),
  ...(['allowed_passthrough_routes', 'access_group_ids', 'object_permission', 'config'] as const),
] as const;

/** Fields that say how much a key may do. */
const LIMITS = [
  ...(['max_budget', 'soft_budget', 'budget_duration', 'budget_reset_at', 'max_parallel_requests'] as const),
  ...(['tpm_limit', 'rpm_limit', 'model_max_budget', 'model_rpm_limit', 'model_tpm_limit', 'rpm_limit_type'] as const),
  ...([
    'tpm_limit_type',
    'models',
    'aliases',
    'duration',
    'allowed_routes',
    'key_type',
    'enforced_params',
    'tags',
    'prompts',
  ] as const),
] as const;

const METADATA_FIELDS = Object.entries(keyUpdateFields).flatMap(([name, { place }]) =>
  place.kind === 'metadata' ? [name] : [],
);

/**
 * Whether the caller may set these fields.
 *
 * Limits of a key that somebody else made for him are not his to lift; those of a key that he made himself are, since
 * he could as well make another (his own budget and models hold for all of them).
 *
 * @param before the key as it is; null for a new one
 * @throws Refused
 */
export async function checkFields(input: KeyChanges, before: KeyRow | null, context: AdminContext): Promise<void> {
  const { caller, store, ports } = context;
  if (caller.kind === 'admin') return;
  const sent = withMetadata(input, before);
  // Null in a change takes away what is there; in the making of something it says nothing.
  const isSaid = (field: keyof KeyChanges) => (before === null ? sent[field] != null : sent[field] !== undefined);
  const isOwnOrganization =
    administersOrganization(caller, sent.organization_id ?? null) &&
    (before === null || administersOrganization(caller, before.organization_id));
  const forbidden = OPERATORS.find((field) => isSaid(field) && !(field === 'organization_id' && isOwnOrganization));
  if (forbidden !== undefined) throw onlyAdmin(forbidden);
  if (caller.kind !== 'user') throw notYours('/key/update');
  if (sent.user_id !== undefined && sent.user_id !== caller.userId && sent.user_id !== before?.user_id)
    await checkOtherOwner(sent.user_id, sent.team_id ?? before?.team_id ?? null, context);
  if (before === null) return;
  checkBounds(sent, ports.settings());
  if (sent.team_id !== undefined && sent.team_id !== before.team_id) {
    if (sent.team_id === null) throw onlyAdmin('team_id');
    await checkRight('/key/generate', { user_id: caller.userId, team_id: sent.team_id }, context);
  }
  const limit = LIMITS.find(isSaid);
  if (limit === undefined || before.created_by === caller.userId) return;
  if (administersOrganization(caller, before.organization_id)) return;
  const team = before.team_id === null ? null : await store.read.teams.get(before.team_id);
  if (team === null || !isTeamAdmin(caller, team)) throw onlyAdmin(limit);
}

/** What is said inside `metadata` is said all the same, and so is what is left out of it: these fields are kept there. */
function withMetadata(sent: KeyChanges, before: KeyRow | null): KeyChanges {
  const { metadata } = sent;
  if (metadata === undefined) return sent;
  const known = before?.metadata ?? {};
  const changed = METADATA_FIELDS.filter(
    (name) => JSON.stringify(metadata?.[name] ?? null) !== JSON.stringify(known[name] ?? null),
  );
  return { ...Object.fromEntries(changed.map((name) => [name, metadata?.[name] ?? null])), ...sent };
}

/** A key for somebody else: only by an admin of a team, for its members or for nobody. */
async function checkOtherOwner(userId: string | null, teamId: string | null, { caller, store }: AdminContext) {
  const team = teamId === null ? null : await store.read.teams.get(teamId);
  const mayChoose = team !== null && isTeamAdmin(caller, team);
  if (mayChoose && (userId === null || roleIn(team, userId) !== null)) return;
  const message = 'User can only create keys for themselves. An admin of a team may make keys for its members.';
  throw refused('not-yours', message, 'user_id');
}

function onlyAdmin(field: string) {
  return refused('not-yours', `Only an admin may set ${field} of this key. Leave it out, or ask an admin.`, field);
}
