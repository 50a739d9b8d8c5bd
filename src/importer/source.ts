/** One row as PostgreSQL writes it: each column's value in its text form, null for NULL. */
export type SourceRow = Readonly<Record<string, string | null>>;

/** LiteLLM's tables whose rows have a home here; everything is read by name, so that columns we do not know do no harm. */
export const TABLES = [
  'LiteLLM_BudgetTable',
  'LiteLLM_ObjectPermissionTable',
  'LiteLLM_OrganizationTable',
  'LiteLLM_ModelTable',
  'LiteLLM_TeamTable',
  'LiteLLM_UserTable',
  'LiteLLM_VerificationToken',
  'LiteLLM_TeamMembership',
  'LiteLLM_OrganizationMembership',
  'LiteLLM_EndUserTable',
  'LiteLLM_TagTable',
  'LiteLLM_ProxyModelTable',
  'LiteLLM_CredentialsTable',
] as const;

export type TableName = (typeof TABLES)[number];

/** The ledger of requests: large, and imported only when it is asked for. */
export const SPEND_LOGS = 'LiteLLM_SpendLogs';

/** A LiteLLM database, live or dumped. Nothing here writes to it. */
export interface Source {
  /** How the report calls it: never with a password. */
  readonly place: string;
  /**
   * The rows of every table above; a table that is not there has none.
   *
   * @throws SourceRefused with what to do
   */
  rows(): Promise<ReadonlyMap<TableName, readonly SourceRow[]>>;
  /** How many rows LiteLLM's other tables hold, by name: what the report says has no home. */
  others(): Promise<ReadonlyMap<string, number>>;
  /** The spend logs, some hundreds at a time. */
  spendLogs(): AsyncIterable<readonly SourceRow[]>;
  close(): Promise<void>;
}

/** The source cannot be read; the message is for the operator. */
export class SourceRefused extends Error {
  override readonly name = 'SourceRefused';
}

/** Whether rows of this table come over. */
export const isImported = (name: string): name is TableName => (TABLES as readonly string[]).includes(name);
