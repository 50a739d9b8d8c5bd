import { budgetAlertTable } from './alerts.ts';
import { integer, stamp, text } from './column.ts';
import { budgetHoldTable } from './holds.ts';
import {
  accessGroupTable,
  auditTable,
  budgetTable,
  configTable,
  credentialTable,
  customerTable,
  deletedKeyTable,
  deprecatedKeyTable,
  keyTable,
  modelTable,
  objectPermissionTable,
  organizationMembershipTable,
  organizationTable,
  tagTable,
  teamMembershipTable,
  teamTable,
  userTable,
} from './identity.ts';
import { limitCountTable } from './limits.ts';
import {
  dailyTables,
  deadLetterTable,
  rolledUpDayTable,
  rollUpTable,
  spendBucketTable,
  spendLogTable,
} from './spend.ts';
import { type Table, table } from './table.ts';

/** The version of the schema in its only row. */
export const versionTable = table('litellm_schemaversion', { version: integer() }, { primaryKey: ['version'] });

/** Every change of a row that instances keep in memory, numbered in the order of the commits. */
export const changeFeedTable = table(
  'litellm_changefeed',
  { sequence: integer(), table_name: text(), object_id: text(), changed_at: stamp() },
  { primaryKey: ['sequence'], indexes: [['changed_at']] },
);

/** All tables, those that others refer to first. */
export const TABLES: readonly Table[] = [
  versionTable,
  changeFeedTable,
  budgetTable,
  objectPermissionTable,
  organizationTable,
  teamTable,
  userTable,
  keyTable,
  deletedKeyTable,
  deprecatedKeyTable,
  teamMembershipTable,
  organizationMembershipTable,
  customerTable,
  tagTable,
  modelTable,
  credentialTable,
  accessGroupTable,
  configTable,
  auditTable,
  spendLogTable,
  ...Object.values(dailyTables),
  rollUpTable,
  rolledUpDayTable,
  spendBucketTable,
  deadLetterTable,
  budgetAlertTable,
  budgetHoldTable,
  limitCountTable,
];

/** What a column of this name holds: the same in every table (a test asserts it), so that rows are decoded by name. */
export const COLUMN_KINDS = new Map(
  TABLES.flatMap(({ columns }) => Object.entries(columns).map(([name, { kind }]) => [name, kind] as const)),
);
