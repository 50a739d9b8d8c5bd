import type { ChangeLog } from '../change-log.ts';
import { BalanceWriter } from '../ledger/opening.ts';
import { TableReader, TableWriter } from '../repository.ts';
import { budgetAlertTable } from '../schema/alerts.ts';
import {
  accessGroupTable,
  auditTable,
  budgetTable,
  configTable,
  credentialTable,
  customerTable,
  deletedKeyTable,
  modelTable,
  objectPermissionTable,
  organizationMembershipTable,
  organizationTable,
  tagTable,
  teamMembershipTable,
  teamTable,
  userTable,
} from '../schema/identity.ts';
import { deadLetterTable, spendLogTable } from '../schema/spend.ts';
import type { Session } from '../session.ts';
import { KeyReader, KeyWriter } from './keys.ts';

/** Resources that are read and changed one row at a time; what more a key can do is in `keys.ts`. */
const PLAIN = {
  users: userTable,
  teams: teamTable,
  teamMemberships: teamMembershipTable,
  organizations: organizationTable,
  organizationMemberships: organizationMembershipTable,
  customers: customerTable,
  budgets: budgetTable,
  tags: tagTable,
  models: modelTable,
  credentials: credentialTable,
  accessGroups: accessGroupTable,
  objectPermissions: objectPermissionTable,
  config: configTable,
} as const;

/** Resources that nobody changes by hand. */
const READ_ONLY = {
  audit: auditTable,
  deletedKeys: deletedKeyTable,
  spendLogs: spendLogTable,
  deadLetters: deadLetterTable,
  budgetAlerts: budgetAlertTable,
} as const;

type Plain = typeof PLAIN;
type ReadOnly = typeof READ_ONLY;

/** Every resource, to be read. */
export type Readers = { readonly [K in keyof Plain]: TableReader<Plain[K]> } & {
  readonly [K in keyof ReadOnly]: TableReader<ReadOnly[K]>;
} & { readonly keys: KeyReader };

/** Every resource that can be changed, inside one transaction. */
export type Writers = { readonly [K in keyof Plain]: TableWriter<Plain[K]> } & {
  readonly keys: KeyWriter;
  /** What accounts spent elsewhere. */
  readonly balances: BalanceWriter;
};

export function readersOf(session: Session): Readers {
  const tables = Object.entries({ ...PLAIN, ...READ_ONLY });
  const readers = tables.map(([name, table]) => [name, new TableReader(table, session)] as const);
  return { ...Object.fromEntries(readers), keys: new KeyReader(session) } as Readers; // one for each name above
}

export function writersOf(session: Session, log: ChangeLog, author: string): Writers {
  const writers = Object.entries(PLAIN).map(([name, table]) => [name, new TableWriter(table, session, log, author)]);
  return {
    ...Object.fromEntries(writers),
    keys: new KeyWriter(session, log, author),
    balances: new BalanceWriter(session),
  } as Writers; // as above
}
