import type { Writers } from '../../store/resources/resources.ts';
import type { TeamRow, teamTable } from '../../store/schema/identity.ts';
import type { NewRowOf, PatchOf } from '../../store/schema/table.ts';
import { budgetColumns, createBudget } from '../budgets.ts';
import { columnsOf, metadataOf } from '../fields/field.ts';
import { checkSoftBudget, resetMoment } from '../fields/limits.ts';
import { objectPermissionColumn } from '../fields/object-permission.ts';
import type { AdminContext } from '../http/admin-route.ts';
import { refused } from '../http/refused.ts';
import { type Member, memberRows, membersOf } from '../membership.ts';
import { deleteKeysOf } from '../users/write.ts';
import { type TeamInput, teamFields } from './fields.ts';
import { MEMBER_BUDGET, removeMember } from './members.ts';

/** The columns that a request sets, with the budget for members that it makes. @throws Refused */
export async function teamColumns(
  writers: Writers,
  sent: TeamInput,
  before: TeamRow | null,
  context: AdminContext,
): Promise<PatchOf<typeof teamTable>> {
  checkSoftBudget(sent.soft_budget, sent.max_budget ?? before?.max_budget);
  const memberBudget = await memberBudgetId(writers, sent, before, context);
  const said = metadataOf(teamFields, sent, before?.metadata ?? {});
  const metadata = memberBudget === null ? said : { ...(said ?? before?.metadata), [MEMBER_BUDGET]: memberBudget };
  return {
    ...columnsOf(teamFields, sent),
    ...resetMoment(sent, context.now),
    ...(metadata !== undefined && { metadata }),
    ...(await objectPermissionColumn(writers, sent.object_permission, before?.object_permission_id ?? null)),
  };
}

/** The budget of every member, made or changed as the request says; null when it says nothing and there is none. */
async function memberBudgetId(
  writers: Writers,
  sent: TeamInput,
  before: TeamRow | null,
  context: AdminContext,
): Promise<string | null> {
  const limits = {
    ...(sent.team_member_budget !== undefined && { max_budget: sent.team_member_budget }),
    ...(sent.team_member_budget_duration !== undefined && { budget_duration: sent.team_member_budget_duration }),
    ...(sent.team_member_rpm_limit !== undefined && { rpm_limit: sent.team_member_rpm_limit }),
    ...(sent.team_member_tpm_limit !== undefined && { tpm_limit: sent.team_member_tpm_limit }),
  };
  const current = before?.metadata[MEMBER_BUDGET];
  const known = typeof current === 'string' ? current : null;
  if (Object.keys(limits).length === 0) return known;
  if (known !== null && (await writers.budgets.update(known, budgetColumns(limits, context))) !== null) return known;
  return createBudget(writers, limits, context);
}

/** Makes a team. @param members who have no rows of their own @throws Refused when there is one with this id */
export async function createTeam(
  writers: Writers,
  teamId: string,
  sent: TeamInput,
  context: AdminContext,
  members: readonly Member[] = [],
): Promise<TeamRow> {
  if ((await writers.teams.get(teamId)) !== null) {
    const message = `Team id = ${teamId.slice(0, 200)} already exists. Please use a different team id, or /team/update.`;
    throw refused('already-there', message, 'team_id');
  }
  const columns = await teamColumns(writers, sent, null, context);
  const row = { ...columns, team_id: teamId, members_with_roles: memberRows(members) };
  return writers.teams.create(row as NewRowOf<typeof teamTable>); // columns are the table's
}

/** Removes a team with its keys and its members' places. @returns the team as it was, or null */
export async function deleteTeam(writers: Writers, teamId: string): Promise<TeamRow | null> {
  const team = await writers.teams.get(teamId);
  if (team === null) return null;
  await deleteKeysOf(writers, { team_id: teamId });
  let rest = team;
  for (const { user_id } of membersOf(team)) rest = await removeMember(writers, rest, user_id);
  await writers.teams.delete(teamId);
  return team;
}
