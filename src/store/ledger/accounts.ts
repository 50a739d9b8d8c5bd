import type { LedgerEntry } from '../../core/ledger-entry.ts';
import {
  customerTable,
  keyTable,
  organizationMembershipTable,
  organizationTable,
  tagTable,
  teamMembershipTable,
  teamTable,
  userTable,
} from '../schema/identity.ts';
import type { Table } from '../schema/table.ts';

/**
 * Everything that spend is added to. An account exists whether or not its entity has a row; `table` is where the sum
 * is shown as `spend`, found by `columns`.
 */
export const ACCOUNTS = {
  all: null,
  key: { table: keyTable, columns: ['key_id'] },
  'model-of-key': null,
  user: { table: userTable, columns: ['user_id'] },
  /** What a user's own keys spend: a team's keys are charged to the team, and the sum of `user` has both. */
  'user-alone': null,
  team: { table: teamTable, columns: ['team_id'] },
  'model-of-team': null,
  'team-member': { table: teamMembershipTable, columns: ['user_id', 'team_id'] },
  organization: { table: organizationTable, columns: ['organization_id'] },
  'organization-member': { table: organizationMembershipTable, columns: ['user_id', 'organization_id'] },
  customer: { table: customerTable, columns: ['user_id'] },
  tag: { table: tagTable, columns: ['tag_name'] },
} as const satisfies Readonly<Record<string, { readonly table: Table; readonly columns: readonly string[] } | null>>;

export type AccountType = keyof typeof ACCOUNTS;

/** One account; `id` has as many words as its type needs (a member: user, team), none for `all`. */
export interface Account {
  readonly type: AccountType;
  readonly id: readonly string[];
}

/** The id as one text, the way it is stored: a single word as it is, several as a JSON array. */
export const accountId = ({ id }: Account): string => (id.length === 1 ? (id[0] ?? '') : JSON.stringify(id));

/** The accounts that pay for a request, each once. */
export function accountsOf({ payer, tags, group, requestedModel }: LedgerEntry): readonly Account[] {
  const { keyId, keyModel, userId, teamId, organizationId, customerId } = payer;
  const model = group ?? requestedModel;
  return [
    { type: 'all', id: [] },
    ...account('key', keyId),
    ...account('model-of-key', keyId, keyModel ?? model),
    ...account('user', userId),
    ...(teamId === null ? account('user-alone', userId) : []),
    ...account('team', teamId),
    ...account('model-of-team', teamId, model),
    ...account('team-member', userId, teamId),
    ...account('organization', organizationId),
    ...account('organization-member', userId, organizationId),
    ...account('customer', customerId),
    ...[...new Set(tags)].flatMap((tag) => account('tag', tag)),
  ];
}

/** The account, or nothing when a part of its name is not there. */
function account(type: AccountType, ...id: readonly (string | null)[]): readonly Account[] {
  return id.every((word) => word !== null) ? [{ type, id }] : [];
}

/** The account whose sum a row of this table shows; null when it shows none. */
export function accountOfRow(table: Table, row: Readonly<Record<string, unknown>>): Account | null {
  for (const [type, shown] of Object.entries(ACCOUNTS)) {
    if (shown?.table.name === table.name)
      return { type: type as AccountType, id: shown.columns.map((column) => String(row[column])) }; // a key of ACCOUNTS
  }
  return null;
}
