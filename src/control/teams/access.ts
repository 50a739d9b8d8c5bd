import type { TeamRow } from '../../store/schema/identity.ts';
import type { AdminContext } from '../http/admin-route.ts';
import { found, refused } from '../http/refused.ts';
import { isTeamAdmin } from '../keys/rights.ts';
import { roleIn } from '../membership.ts';

/** Teams as far as a caller may reach them. */

export const unknown = (teamId: string): string =>
  `Team not found, passed team_id=${teamId.slice(0, 200)}. GET /team/list lists the teams.`;

export async function teamOf(teamId: string, { store }: AdminContext): Promise<TeamRow> {
  return found(await store.read.teams.get(teamId), unknown(teamId), 'team_id');
}

/** The team, which the caller administers. @throws Refused */
export async function administered(teamId: string, context: AdminContext): Promise<TeamRow> {
  const team = await teamOf(teamId, context);
  if (isTeamAdmin(context.caller, team)) return team;
  throw refused('not-yours', `Only an admin of the team, or of the gateway, may do this. team_id=${teamId}`, 'team_id');
}

/** The team, which the caller is in. @throws Refused */
export async function visible(teamId: string, context: AdminContext): Promise<TeamRow> {
  const team = await teamOf(teamId, context);
  const { caller } = context;
  const isInside =
    isTeamAdmin(caller, team) ||
    (caller.kind === 'user' && roleIn(team, caller.userId) !== null) ||
    (caller.kind !== 'anybody' && caller.key?.owner.kind === 'team' && caller.key.owner.teamId === teamId);
  if (isInside) return team;
  throw refused('not-yours', `You are not in this team. team_id=${teamId}`, 'team_id');
}
