import type { JsonObject } from './json.ts';
import { stringMember } from './json.ts';

/** Models that belong to a team: nobody else may ask for them, and the team asks by a name of its own. */
export interface TeamModel {
  /** `model_info.team_id`. */
  readonly team: string;
  /** `model_info.team_public_model_name`: what the team calls it; null: by the group's name. */
  readonly publicName: string | null;
}

/** Whose model this `model_info` describes; null: everybody's. */
export function teamModelOf(info: JsonObject): TeamModel | null {
  const team = stringMember(info, 'team_id');
  return team === null ? null : { team, publicName: stringMember(info, 'team_public_model_name') };
}

/** The group of all deployments that a team calls by one name, whatever `model_name` their rows have. */
export const teamGroupName = (team: string, publicName: string): string => `model_name_${team}_${publicName}`;
