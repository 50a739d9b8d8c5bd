import { createHash } from 'node:crypto';
import type { JsonObject } from '../core/json.ts';
import type { Writers } from '../store/resources/resources.ts';
import {
  budgetTable,
  credentialTable,
  customerTable,
  keyTable,
  modelTable,
  objectPermissionTable,
  organizationMembershipTable,
  organizationTable,
  tagTable,
  teamMembershipTable,
  teamTable,
  userTable,
} from '../store/schema/identity.ts';
import type { Table } from '../store/schema/table.ts';
import { Columns } from './columns.ts';
import { credentialRow, modelRow, type Resealed, type Secrets } from './credentials.ts';
import {
  budgetRow,
  customerRow,
  isHash,
  keyRow,
  objectPermissionRow,
  organizationMembershipRow,
  organizationRow,
  tagRow,
  teamMembershipRow,
  teamRow,
  userRow,
} from './entities.ts';
import type { SourceRow, TableName } from './source.ts';
import { BadValue } from './text-form.ts';

/** Values of a row of ours, whichever table it is for. */
export type Values = Readonly<Record<string, unknown>>;

/** Something that a person should know of one row. */
export interface Remark {
  /** What people call the row; never a key. */
  readonly row: string;
  readonly text: string;
}

/** A row to write. */
export interface PlannedRow {
  readonly label: string;
  readonly values: Values;
}

/** What becomes of one table. */
export interface TablePlan {
  readonly source: TableName;
  readonly resource: Resource;
  readonly table: Table;
  /** Rows that the source has. */
  readonly read: number;
  readonly rows: readonly PlannedRow[];
  readonly skipped: readonly Remark[];
  readonly notes: readonly Remark[];
}

export type Resource = Exclude<keyof Writers, 'config' | 'accessGroups' | 'balances'>;

type SourceRows = ReadonlyMap<TableName, readonly SourceRow[]>;

/** How one table is read. */
interface Kind {
  readonly source: TableName;
  readonly resource: Resource;
  readonly table: Table;
  readonly label: (row: Columns) => string;
  readonly map: (row: Columns) => Values | Resealed<Values>;
}

const named =
  (...columns: readonly string[]) =>
  (row: Columns): string =>
    columns.map((column) => row.text(column) ?? '').find((text) => text !== '') ?? '(no name)';

/** The tables in the order in which they are written: what others point at comes first. */
function kinds(source: SourceRows, secrets: Secrets): readonly Kind[] {
  const aliases = teamAliases(source.get('LiteLLM_ModelTable') ?? []);
  return [
    { ...of('LiteLLM_BudgetTable', 'budgets', budgetTable), label: named('budget_id'), map: budgetRow },
    {
      ...of('LiteLLM_ObjectPermissionTable', 'objectPermissions', objectPermissionTable),
      label: named('object_permission_id'),
      map: objectPermissionRow,
    },
    {
      ...of('LiteLLM_OrganizationTable', 'organizations', organizationTable),
      label: named('organization_alias', 'organization_id'),
      map: organizationRow,
    },
    {
      ...of('LiteLLM_TeamTable', 'teams', teamTable),
      label: named('team_alias', 'team_id'),
      map: (row) => teamRow(row, aliases.get(row.text('model_id') ?? '') ?? {}),
    },
    { ...of('LiteLLM_UserTable', 'users', userTable), label: named('user_id'), map: userRow },
    { ...of('LiteLLM_VerificationToken', 'keys', keyTable), label: keyLabel, map: keyRow },
    {
      ...of('LiteLLM_TeamMembership', 'teamMemberships', teamMembershipTable),
      label: (row) => `${row.text('user_id')} in ${row.text('team_id')}`,
      map: teamMembershipRow,
    },
    {
      ...of('LiteLLM_OrganizationMembership', 'organizationMemberships', organizationMembershipTable),
      label: (row) => `${row.text('user_id')} in ${row.text('organization_id')}`,
      map: organizationMembershipRow,
    },
    { ...of('LiteLLM_EndUserTable', 'customers', customerTable), label: named('user_id'), map: customerRow },
    { ...of('LiteLLM_TagTable', 'tags', tagTable), label: named('tag_name'), map: tagRow },
    {
      ...of('LiteLLM_CredentialsTable', 'credentials', credentialTable),
      label: named('credential_name'),
      map: (row) => credentialRow(row, secrets),
    },
    {
      ...of('LiteLLM_ProxyModelTable', 'models', modelTable),
      label: (row) => `${row.text('model_name')} (${row.text('model_id')})`,
      map: (row) => modelRow(row, secrets),
    },
  ];
}

const of = (source: TableName, resource: Resource, table: Table) => ({ source, resource, table });

/** `sk-...abcd`, the alias, or the start of the hash: a token in clear never gets into a report. */
function keyLabel(row: Columns): string {
  const hash = row.text('token') ?? '';
  return row.filled('key_alias') ?? row.filled('key_name') ?? (isHash(hash) ? `${hash.slice(0, 8)}…` : '(no name)');
}

function teamAliases(rows: readonly SourceRow[]): ReadonlyMap<string, JsonObject> {
  return new Map(
    rows.map((row) => {
      const columns = new Columns(row);
      return [columns.text('id') ?? '', columns.object('aliases')] as const;
    }),
  );
}

/**
 * What an import will write, from the source alone: pure, so that a dry run says what a real one does.
 *
 * A row that cannot be read is skipped with its reason, and takes no other with it.
 */
export function planImport(source: SourceRows, secrets: Secrets): readonly TablePlan[] {
  const written = new Map<string, ReadonlySet<string>>();
  return kinds(source, secrets).map((kind) => {
    const plan = planTable(kind, source.get(kind.source) ?? [], secrets, written);
    written.set(
      kind.table.name,
      new Set(plan.rows.map(({ values }) => String(values[kind.table.primaryKey[0] ?? '']))),
    );
    return plan;
  });
}

function planTable(
  kind: Kind,
  source: readonly SourceRow[],
  secrets: Secrets,
  written: ReadonlyMap<string, ReadonlySet<string>>,
): TablePlan {
  const rows: PlannedRow[] = [];
  const skipped: Remark[] = [];
  const notes: Remark[] = [];
  const taken = new Taken(kind.table);
  for (const each of source) {
    const columns = new Columns(each);
    const label = kind.label(columns);
    const reason = unwanted(kind, columns, secrets);
    const result = reason === null ? mapped(kind, columns) : reason;
    if (typeof result === 'string') {
      skipped.push({ row: label, text: result });
      continue;
    }
    const pointed = withoutLostReferences(kind.table, result.row, written);
    const values = taken.claim(pointed.values);
    rows.push({ label, values: values.values });
    for (const text of [...result.notes, ...pointed.notes, ...values.notes]) notes.push({ row: label, text });
  }
  const { source: name, resource, table } = kind;
  return { source: name, resource, table, read: source.length, rows, skipped, notes };
}

/** The row, or why it cannot be read. */
function mapped(kind: Kind, columns: Columns): Resealed<Values> | string {
  try {
    const result = kind.map(columns);
    return 'notes' in result && 'row' in result ? (result as Resealed<Values>) : { row: result, notes: [] }; // by its members
  } catch (error) {
    if (error instanceof BadValue) return error.message;
    throw error;
  }
}

/** Why a row that could be read is not wanted, or null. */
function unwanted(kind: Kind, row: Columns, { litellmKeys }: Secrets): string | null {
  if (kind.resource !== 'keys') return null;
  const token = row.text('token') ?? '';
  if (!isHash(token)) return 'it is not kept as a hash (an old LiteLLM wrote it): make a new key';
  if (row.text('team_id') === 'litellm-dashboard') return "a session of LiteLLM's dashboard";
  const isMaster = litellmKeys.some((key) => createHash('sha256').update(key).digest('hex') === token);
  return isMaster ? "the master key's own row: the master key stays in the environment" : null;
}

/** Columns that point at rows which are not there are emptied: the database would refuse the row. */
function withoutLostReferences(
  table: Table,
  values: Values,
  written: ReadonlyMap<string, ReadonlySet<string>>,
): { readonly values: Values; readonly notes: readonly string[] } {
  const lost = Object.entries(table.columns).filter(([name, { references, isNullable }]) => {
    const value = values[name];
    return references !== null && isNullable && value != null && written.get(references)?.has(String(value)) !== true;
  });
  const emptied = Object.fromEntries(lost.map(([name]) => [name, null]));
  return {
    values: { ...values, ...emptied },
    notes: lost.map(([name]) => `${name} ${String(values[name])} is no row of the source and was left out`),
  };
}

/** Values that only one row may have; LiteLLM does not hold its aliases and e-mail addresses to that. */
export class Taken {
  readonly #table: Table;
  readonly #seen = new Set<string>();

  constructor(table: Table) {
    this.#table = table;
  }

  /** The row, with every value that an earlier row has left out. */
  claim(values: Values): { readonly values: Values; readonly notes: readonly string[] } {
    const doubled = this.#table.unique.flat().filter((column) => {
      const value = values[column];
      if (value == null) return false;
      const entry = JSON.stringify([column, value]);
      if (this.#seen.has(entry)) return true;
      this.#seen.add(entry);
      return false;
    });
    return {
      values: { ...values, ...Object.fromEntries(doubled.map((column) => [column, null])) },
      notes: doubled.map((column) => leftOut(column, values[column])),
    };
  }
}

/** What is said of a value that another row has. */
export const leftOut = (column: string, value: unknown): string =>
  `${column} '${String(value)}' belongs to another row as well and was left out here`;
