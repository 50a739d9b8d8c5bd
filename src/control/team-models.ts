import type { JsonObject } from '../core/json.ts';
import { teamGroupName, teamModelOf } from '../core/team-model.ts';
import type { Writers } from '../store/resources/resources.ts';
import { found, refused } from './http/refused.ts';
import type { Wanted } from './models.ts';
import type { ModelRow } from './stored/rows.ts';

/** Deployments of the database that belong to a team, and the list of models of that team (litellm.md §3.3). */

/** In a list of models: whatever the gateway has. An empty list means the same, and one name in it would take away. */
const EVERYTHING = 'all-proxy-models';

/** The name that was asked for is the team's own; the row gets one that no other team's has (LiteLLM). */
export function ofItsTeam(wanted: Wanted): Wanted {
  const owned = teamModelOf(wanted.info);
  if (owned === null) return wanted;
  const publicName = owned.publicName ?? wanted.name;
  return {
    ...wanted,
    name: teamGroupName(owned.team, publicName),
    info: { ...wanted.info, team_public_model_name: publicName },
  };
}

/** The team of a new deployment may ask for it. @throws Refused when there is no such team */
export async function giveToTeam({ teams }: Writers, info: JsonObject): Promise<void> {
  const owned = teamModelOf(info);
  if (owned === null || owned.publicName === null) return;
  const message = `Team not found, passed team_id=${owned.team.slice(0, 200)}. Create it with /team/new.`;
  const { models } = found(await teams.get(owned.team), message, 'model_info.team_id');
  const known = models.length === 0 ? [EVERYTHING] : models;
  await teams.update(owned.team, { models: [...new Set([...known, owned.publicName])] });
}

/** The name of a deployment that is gone leaves the team's list, unless another deployment has it. */
export async function takeFromTeam({ teams, models }: Writers, { model_info: info }: ModelRow): Promise<void> {
  const owned = teamModelOf(info);
  const team = owned === null ? null : await teams.get(owned.team);
  if (owned === null || team === null) return;
  const others = await models.list({ where: { model_name: { contains: owned.team } }, limit: 1000 });
  const isSame = ({ model_info }: ModelRow) => {
    const other = teamModelOf(model_info);
    return other?.team === owned.team && other.publicName === owned.publicName;
  };
  const rest = team.models.filter((name) => name !== owned.publicName);
  // An empty list would allow everything: a name that nothing answers to is better.
  if (others.rows.some(isSame) || rest.length === 0) return;
  await teams.update(owned.team, { models: rest.length === 1 && rest[0] === EVERYTHING ? [] : rest });
}

/** @throws Refused when a change would give the deployment to somebody else */
export function checkSameTeam(before: JsonObject, after: JsonObject): void {
  const [one, other] = [teamModelOf(before), teamModelOf(after)];
  if (one?.team === other?.team && one?.publicName === other?.publicName) return;
  const message = 'A deployment stays with its team, and keeps the name it has there: delete it, and add another.';
  throw refused('bad-fields', message, 'model_info.team_id');
}
