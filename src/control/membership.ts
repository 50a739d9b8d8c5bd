import type { JsonObject } from '../core/json.ts';
import { stringMember } from '../core/json.ts';
import type { TeamRow } from '../store/schema/identity.ts';

/** A place in a team, as `members_with_roles` has it. */
export interface Member {
  readonly user_id: string;
  readonly user_email: string | null;
  readonly role: 'admin' | 'user';
}

/** Everybody in a team. */
export const membersOf = ({ members_with_roles }: Pick<TeamRow, 'members_with_roles'>): readonly Member[] =>
  members_with_roles.flatMap((member) => readMember(member));

function readMember(member: JsonObject): readonly Member[] {
  const userId = stringMember(member, 'user_id');
  if (userId === null) return [];
  const role = member.role === 'admin' ? 'admin' : 'user';
  return [{ user_id: userId, user_email: stringMember(member, 'user_email'), role }];
}

/** The user's role in a team, or null when he has none. */
export function roleIn(team: Pick<TeamRow, 'members_with_roles'>, userId: string): Member['role'] | null {
  return membersOf(team).find((member) => member.user_id === userId)?.role ?? null;
}

/** The same list as columns hold it. */
export const memberRows = (members: readonly Member[]): readonly JsonObject[] =>
  members.map((member) => ({ ...member }));
