import type { BudgetRule } from '../../metering/budget.ts';
import type { KeyRow } from '../../store/schema/identity.ts';
import type { Store } from '../../store/store.ts';
import { NOBODY, type Subject } from './payload.ts';

/** Whom a budget belongs to, read in the background: what is not there any more is null. @throws StoreUnavailable */
export async function subjectOf({ scope, id }: BudgetRule, { read }: Pick<Store, 'read'>): Promise<Subject> {
  const [first = '', second = ''] = wordsOf(id);
  switch (scope) {
    case 'key':
      return ofKey(await read.keys.find({ key_id: id }), read);
    case 'model_per_key':
      return ofKey(await read.keys.find({ key_id: first }), read);
    case 'team_member':
      return { ...NOBODY, ...(await ofTeam(first, read)), ...(await ofUser(second, read)) };
    case 'user':
      return { ...NOBODY, ...(await ofUser(id, read)) };
    case 'team':
      return { ...NOBODY, ...(await ofTeam(id, read)) };
    case 'organization':
      return { ...NOBODY, organization_id: id };
    case 'end_user':
      return { ...NOBODY, customer_id: id };
    case 'tag':
    case 'global':
      return NOBODY;
  }
}

type Readers = Store['read'];

async function ofKey(row: KeyRow | null, read: Readers): Promise<Subject> {
  if (row === null) return NOBODY;
  const { token, key_alias, organization_id } = row;
  const owners = { ...(await ofUser(row.user_id, read)), ...(await ofTeam(row.team_id, read)) };
  return { ...NOBODY, ...owners, token, key_alias, ...(organization_id !== null && { organization_id }) };
}

async function ofUser(userId: string | null, { users }: Readers) {
  const row = userId === null ? null : await users.get(userId);
  return { user_id: userId, user_email: row?.user_email ?? null };
}

async function ofTeam(teamId: string | null, { teams }: Readers) {
  const row = teamId === null ? null : await teams.get(teamId);
  return { team_id: teamId, team_alias: row?.team_alias ?? null, organization_id: row?.organization_id ?? null };
}

/** The words that name a budget's account: a key and a model, a team and a user; else one. */
export const wordsOf = (id: string): readonly string[] => id.split('\u0000');
