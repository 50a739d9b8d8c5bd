import type { Writers } from '../../store/resources/resources.ts';
import type { UserRow, userTable } from '../../store/schema/identity.ts';
import type { NewRowOf, PatchOf } from '../../store/schema/table.ts';
import { columnsOf, metadataOf } from '../fields/field.ts';
import { resetMoment } from '../fields/limits.ts';
import { objectPermissionColumn } from '../fields/object-permission.ts';
import { nanoOf } from '../fields/values.ts';
import type { AdminContext } from '../http/admin-route.ts';
import { refused } from '../http/refused.ts';
import { configured } from '../keys/bounds.ts';
import { membersOf } from '../membership.ts';
import { removeMember } from '../teams/members.ts';
import { type UserInput, userFields, userInput } from './fields.ts';

/** The columns that a request sets. */
export async function userColumns(
  writers: Writers,
  sent: UserInput,
  before: UserRow | null,
  context: AdminContext,
): Promise<PatchOf<typeof userTable>> {
  const metadata = metadataOf(userFields, sent, before?.metadata ?? {});
  return {
    ...columnsOf(userFields, sent),
    ...resetMoment(sent, context.now),
    ...(metadata !== undefined && { metadata }),
    ...(sent.spend != null && { spend_nano: nanoOf(sent.spend) }),
    ...(await objectPermissionColumn(writers, sent.object_permission, before?.object_permission_id ?? null)),
  };
}

/** Makes a user. @throws Refused when there is one with this id or email */
export async function createUser(
  writers: Writers,
  userId: string,
  sent: UserInput,
  context: AdminContext,
): Promise<UserRow> {
  if ((await writers.users.get(userId)) !== null) throw taken('id', userId, 'user_id');
  if (sent.user_email != null && (await writers.users.find({ user_email: sent.user_email })) !== null)
    throw taken('email', sent.user_email, 'user_email');
  const columns = await userColumns(writers, sent, null, context);
  return writers.users.create({ ...columns, user_id: userId } as NewRowOf<typeof userTable>); // columns are the table's
}

function taken(what: string, value: string, param: string) {
  return refused('user-already-there', `User with ${what} ${value.slice(0, 200)} already exists.`, param);
}

/** The fields of a new user with `default_internal_user_params`, which are not for admins. */
export function withUserDefaults(sent: UserInput, { ports }: AdminContext): UserInput {
  if (sent.user_role === 'proxy_admin' || sent.user_role === 'proxy_admin_viewer') return sent;
  const defaults = configured(userInput, ports.settings().userDefaults, 'default_internal_user_params');
  const given = Object.fromEntries(Object.entries(sent).filter(([, value]) => value != null));
  return { ...defaults, ...given };
}

/** Who is meant by an id or an email; made when nobody is. */
export async function ensureUser(
  writers: Writers,
  named: { readonly user_id?: string | null | undefined; readonly user_email?: string | null | undefined },
  context: AdminContext,
): Promise<UserRow> {
  const { user_id, user_email } = named;
  const known =
    user_id != null
      ? await writers.users.get(user_id)
      : user_email != null
        ? await writers.users.find({ user_email })
        : null;
  if (known !== null) return known;
  if (user_id == null && user_email == null)
    throw refused('bad-fields', 'Who? A member needs user_id or user_email.', 'user_id');
  return createUser(writers, user_id ?? crypto.randomUUID(), withUserDefaults({ user_email }, context), context);
}

/** Removes a user with his keys and his places in teams and organizations. @returns the user, or null */
export async function deleteUser(writers: Writers, userId: string): Promise<UserRow | null> {
  const user = await writers.users.delete(userId);
  if (user === null) return null;
  await deleteKeysOf(writers, { user_id: userId });
  const memberships = await writers.teamMemberships.list({ where: { user_id: userId }, limit: 10_000 });
  for (const { team_id } of memberships.rows) {
    const team = await writers.teams.get(team_id);
    if (team !== null && membersOf(team).some((member) => member.user_id === userId))
      await removeMember(writers, team, userId);
    else await writers.teamMemberships.delete([userId, team_id]);
  }
  const places = await writers.organizationMemberships.list({ where: { user_id: userId }, limit: 10_000 });
  for (const { organization_id } of places.rows)
    await writers.organizationMemberships.delete([userId, organization_id]);
  return user;
}

/** Deletes every key of a user or a team; copies of the rows are kept. */
export async function deleteKeysOf(
  writers: Writers,
  where: { readonly user_id: string } | { readonly team_id: string },
): Promise<void> {
  const { rows } = await writers.keys.list({ where, limit: 10_000 });
  for (const { token } of rows) await writers.keys.delete(token);
  if (rows.length === 10_000) await deleteKeysOf(writers, where);
}
