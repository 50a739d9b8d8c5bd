import type { LedgerEntry } from '../core/ledger-entry.ts';
import { type EpochMillis, type NanoUsd, nanoUsd } from '../core/units.ts';
import type { Store } from '../store/store.ts';
import type { Secrets } from './credentials.ts';
import { planImport, type Remark, type TablePlan } from './plan.ts';
import type { Source, SourceRow } from './source.ts';
import { ledgerEntry } from './spend-logs.ts';
import { BadValue } from './text-form.ts';
import { BudgetTerms, restore, standings, writeTable } from './write.ts';

/** What an import does. */
export interface ImportOptions {
  readonly source: Source;
  /** Null for a dry run: nothing is opened, nothing is written. */
  readonly target: Store | null;
  readonly secrets: Secrets;
  readonly spendLogs: 'import' | 'leave';
  readonly now: EpochMillis;
}

/** What became of one of LiteLLM's tables. */
export interface TableReport {
  readonly table: string;
  readonly read: number;
  /** Null in a dry run, which does not look at the target. */
  readonly created: number | null;
  readonly present: number | null;
  readonly skipped: readonly Remark[];
  readonly notes: readonly Remark[];
  /** Spend of the rows that come over; null where the table has none. */
  readonly spend: NanoUsd | null;
}

export interface SpendLogReport {
  readonly read: number;
  readonly written: number;
  readonly present: number;
  readonly rejected: readonly Remark[];
}

export interface ImportReport {
  readonly from: string;
  readonly tables: readonly TableReport[];
  /** Null when they were left. */
  readonly spendLogs: SpendLogReport | null;
  /** Rows of LiteLLM's other tables, which have no home here. */
  readonly others: ReadonlyMap<string, number>;
}

/**
 * Brings a LiteLLM database over. Rows that are there already stay as they are, so that a second run changes nothing.
 *
 * Spend logs come first: they are summed up like every request's entry, and the rows written after them get what
 * LiteLLM says they spent, whatever the logs add up to.
 *
 * @throws SourceRefused, StoreUnavailable
 */
export async function importLitellm(options: ImportOptions): Promise<ImportReport> {
  const { source, target, now } = options;
  const plans = planImport(await source.rows(), options.secrets);
  const budgets = new BudgetTerms(
    plans.flatMap(({ resource, rows }) => (resource === 'budgets' ? rows : [])).map(({ values }) => values),
  );
  const spendLogs = options.spendLogs === 'leave' ? null : await importLogs(options, plans, budgets);
  const tables: TableReport[] = [];
  for (const plan of plans)
    tables.push(target === null ? planned(plan) : { ...planned(plan), ...(await wrote(target, plan, budgets, now)) });
  return { from: source.place, tables, spendLogs, others: await source.others() };
}

function planned({ source, read, skipped, notes, rows, table }: TablePlan): TableReport {
  const hasSpend = table.columns.spend_nano !== undefined;
  const spend = rows.reduce((sum, { values }) => sum + ((values.spend_nano ?? 0n) as bigint), 0n); // a column of money
  return { table: source, read, created: null, present: null, skipped, notes, spend: hasSpend ? nanoUsd(spend) : null };
}

async function wrote(target: Store, plan: TablePlan, budgets: BudgetTerms, now: EpochMillis) {
  const { created, present, notes } = await writeTable(target, plan, budgets, now);
  return { created, present, notes: [...plan.notes, ...notes] };
}

async function importLogs(
  { source, target, now }: ImportOptions,
  plans: readonly TablePlan[],
  budgets: BudgetTerms,
): Promise<SpendLogReport> {
  const keys = plans.find(({ resource }) => resource === 'keys')?.rows ?? [];
  const keyIds = new Map(keys.map(({ values }) => [String(values.token), String(values.key_id)]));
  const before = target === null ? [] : await standings(target, plans, budgets, now);
  let report: SpendLogReport = { read: 0, written: 0, present: 0, rejected: [] };
  for await (const rows of source.spendLogs()) {
    const { entries, rejected } = entriesOf(rows, keyIds);
    const result = (await target?.ledger.write(entries)) ?? { written: 0, duplicates: 0, rejected: [] };
    report = {
      read: report.read + rows.length,
      written: report.written + result.written,
      present: report.present + result.duplicates,
      rejected: [
        ...report.rejected,
        ...rejected,
        ...result.rejected.map(({ entry, reason }) => ({ row: entry.requestId, text: reason })),
      ],
    };
  }
  if (target !== null && report.written > 0) await restore(target, before);
  return report;
}

function entriesOf(rows: readonly SourceRow[], keyIds: ReadonlyMap<string, string>) {
  const entries: LedgerEntry[] = [];
  const rejected: Remark[] = [];
  for (const row of rows) {
    try {
      entries.push(ledgerEntry(row, keyIds));
    } catch (error) {
      if (!(error instanceof BadValue)) throw error;
      rejected.push({ row: row.request_id ?? '', text: error.message });
    }
  }
  return { entries, rejected };
}
