import type { TeamRow } from '../../store/schema/identity.ts';
import type { Store } from '../../store/store.ts';
import type { AdminContext } from '../http/admin-route.ts';
import { refused } from '../http/refused.ts';

/**
 * Whose spend a caller sees: an admin everybody's, a user his own, a key of nobody's its own.
 *
 * What somebody may not see is left out, as in LiteLLM, and not refused: whoever's rows he asks for, he finds his own.
 */
export type Sight =
  | { readonly kind: 'everything' }
  | { readonly kind: 'user'; readonly userId: string }
  | { readonly kind: 'key'; readonly hash: string };

export function sightOf({ caller }: AdminContext): Sight {
  switch (caller.kind) {
    case 'admin':
      return { kind: 'everything' };
    case 'user':
      return { kind: 'user', userId: caller.userId };
    case 'key':
      return { kind: 'key', hash: caller.key.hash };
    case 'anybody':
      throw refused('no-key', 'Authentication Error, No api key passed in.');
  }
}

/** Only the operator, with the master key. @throws Refused */
export function requireMasterKey({ caller }: AdminContext): void {
  if (caller.kind === 'admin' && caller.key === null) return;
  throw refused('role-denied', 'Authentication Error, Only the master key can be used for this. Send it instead.');
}

/** Keys beyond this many of one user are not looked for. */
const MOST_KEYS = 5000;

/** Hashes of all keys that somebody has or had, as the spend of the past names them. */
export async function keysOf(store: Store, sight: Exclude<Sight, { kind: 'everything' }>): Promise<readonly string[]> {
  if (sight.kind === 'key') return [sight.hash];
  const query = { where: { user_id: sight.userId }, limit: MOST_KEYS };
  const [present, deleted] = await Promise.all([store.read.keys.list(query), store.read.deletedKeys.list(query)]);
  return [...new Set([...present.rows, ...deleted.rows].map(({ token }) => token))];
}

/** Whether a user is an admin of a team. */
export function administers(team: TeamRow | null, userId: string): boolean {
  if (team === null) return false;
  const isNamed = team.members_with_roles.some(({ user_id, role }) => user_id === userId && role === 'admin');
  return isNamed || team.admins.includes(userId);
}

/** Whether a caller sees all of a team's spend. */
export async function seesTeam(store: Store, sight: Sight, teamId: string): Promise<boolean> {
  if (sight.kind !== 'user') return sight.kind === 'everything';
  return administers(await store.read.teams.get(teamId), sight.userId);
}
