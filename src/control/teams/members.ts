import type { Writers } from '../../store/resources/resources.ts';
import type { TeamRow } from '../../store/schema/identity.ts';
import { createBudget } from '../budgets.ts';
import type { AdminContext } from '../http/admin-route.ts';
import { found, refused } from '../http/refused.ts';
import { type Member, memberRows, membersOf } from '../membership.ts';

/** Places in teams: a line in the team's `members_with_roles`, a membership row with the budget, the user's `teams`. */

/** Where a team's `metadata` names the budget that every member gets. */
export const MEMBER_BUDGET = 'team_member_budget_id';

/** Limits of a member inside a team. */
export interface PlaceLimits {
  readonly max_budget?: number | null | undefined;
  readonly budget_duration?: string | null | undefined;
  readonly tpm_limit?: number | null | undefined;
  readonly rpm_limit?: number | null | undefined;
}

/**
 * Adds a member to a team.
 *
 * @param limits his own; without any he gets the budget that the team has for its members
 * @returns the team as it is now @throws Refused when he is a member
 */
export async function addMember(
  writers: Writers,
  team: TeamRow,
  member: Member,
  limits: PlaceLimits,
  context: AdminContext,
): Promise<TeamRow> {
  const members = membersOf(team);
  if (members.some(({ user_id }) => user_id === member.user_id)) throw alreadyThere(team.team_id, member.user_id);
  const ownBudget = hasLimits(limits) ? await createBudget(writers, limits, context) : null;
  const teamBudget = team.metadata[MEMBER_BUDGET];
  const budgetId = ownBudget ?? (typeof teamBudget === 'string' ? teamBudget : null);
  const place = { user_id: member.user_id, team_id: team.team_id };
  if ((await writers.teamMemberships.update([place.user_id, place.team_id], { budget_id: budgetId })) === null)
    await writers.teamMemberships.create({ ...place, budget_id: budgetId });
  await noteTeam(writers, member.user_id, (teams) => [...new Set([...teams, team.team_id])]);
  const patch = { members_with_roles: memberRows([...members, member]) };
  return found(await writers.teams.update(team.team_id, patch), `Team ${team.team_id} not found.`, 'team_id');
}

function alreadyThere(teamId: string, userId: string) {
  const message = `User=${userId} already exists in team=${teamId}. Change his place with /team/member_update.`;
  return refused('already-in-team', message, 'user_id');
}

const hasLimits = (limits: PlaceLimits): boolean => Object.values(limits).some((value) => value != null);

/** Removes a member from a team. @returns the team as it is now */
export async function removeMember(writers: Writers, team: TeamRow, userId: string): Promise<TeamRow> {
  await writers.teamMemberships.delete([userId, team.team_id]);
  await noteTeam(writers, userId, (teams) => teams.filter((id) => id !== team.team_id));
  const rest = membersOf(team).filter((member) => member.user_id !== userId);
  const row = await writers.teams.update(team.team_id, { members_with_roles: memberRows(rest) });
  return found(row, `Team ${team.team_id} not found.`, 'team_id');
}

async function noteTeam(
  { users }: Writers,
  userId: string,
  change: (teams: readonly string[]) => readonly string[],
): Promise<void> {
  const user = await users.get(userId);
  if (user !== null) await users.update(userId, { teams: change(user.teams) });
}

/** Changes the role or the limits of a member. @throws Refused when he is none */
export async function changeMember(
  writers: Writers,
  team: TeamRow,
  {
    userId,
    role,
    limits,
  }: { readonly userId: string; readonly role: Member['role'] | null; readonly limits: PlaceLimits },
  context: AdminContext,
): Promise<void> {
  const members = membersOf(team);
  if (!members.some((member) => member.user_id === userId)) throw noMember(team.team_id, userId);
  if (role !== null) {
    const changed = members.map((member) => (member.user_id === userId ? { ...member, role } : member));
    await writers.teams.update(team.team_id, { members_with_roles: memberRows(changed) });
  }
  if (hasLimits(limits)) await changePlaceBudget(writers, team, userId, limits, context);
}

/** The team's budget for all members is not one member's to change: he gets one of his own. */
async function changePlaceBudget(
  writers: Writers,
  team: TeamRow,
  userId: string,
  limits: PlaceLimits,
  context: AdminContext,
): Promise<void> {
  const key = [userId, team.team_id];
  const place = await writers.teamMemberships.get(key);
  const shared = team.metadata[MEMBER_BUDGET] ?? null;
  const current = place === null || place.budget_id === shared ? null : place.budget_id;
  const before = current === null ? null : await writers.budgets.get(current);
  const budgetId = await createBudget(
    writers,
    {
      max_budget: before?.max_budget ?? undefined,
      budget_duration: before?.budget_duration ?? undefined,
      tpm_limit: before?.tpm_limit ?? undefined,
      rpm_limit: before?.rpm_limit ?? undefined,
      ...Object.fromEntries(Object.entries(limits).filter(([, value]) => value != null)),
    },
    context,
  );
  if (place === null)
    await writers.teamMemberships.create({ user_id: userId, team_id: team.team_id, budget_id: budgetId });
  else await writers.teamMemberships.update(key, { budget_id: budgetId });
}

export function noMember(teamId: string, userId: string) {
  return refused('nothing-there', `User=${userId} is not in team=${teamId}.`, 'user_id');
}
