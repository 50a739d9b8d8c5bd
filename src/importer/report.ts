import { usd } from '../core/units.ts';
import type { ImportReport, SpendLogReport, TableReport } from './import.ts';
import type { Remark } from './plan.ts';

/** Remarks of one kind that are printed; the rest is counted, and whole with `--json`. */
const SHOWN = 10;

/** The report as a table for people, with every reason below it. */
export function renderReport(report: ImportReport): string {
  const isDry = report.tables.every(({ created }) => created === null);
  const head = isDry
    ? `Dry run: what would come over from ${report.from}. The target was not opened, nothing was written.`
    : `Imported from ${report.from}. Rows that were there already were left as they are.`;
  const rows = report.tables.filter(({ read }) => read > 0).map((table) => cells(table, isDry ? 'dry' : 'done'));
  const lines = [
    head,
    '',
    ...aligned([isDry ? DRY_HEAD : HEAD, ...rows]),
    ...logLines(report.spendLogs, isDry ? 'dry' : 'done'),
  ];
  for (const { table, skipped, notes } of report.tables) {
    lines.push(...remarks(`${table}: skipped`, skipped), ...remarks(`${table}: note`, notes));
  }
  lines.push(...remarks('spend logs: not written', report.spendLogs?.rejected ?? []), ...homeless(report));
  return `${lines.join('\n')}\n`;
}

/** The same as one JSON object; amounts in dollars, as text. */
export function reportJson({ from, tables, spendLogs, others }: ImportReport): string {
  const shown = tables.map(({ spend, ...table }) => ({ ...table, spend: spend === null ? null : usd(spend) }));
  return `${JSON.stringify({ from, tables: shown, spend_logs: spendLogs, without_home: Object.fromEntries(others) }, null, 2)}\n`;
}

type Mode = 'dry' | 'done';

const HEAD = ['table', 'read', 'created', 'there already', 'skipped', 'spend'];
const DRY_HEAD = ['table', 'read', 'skipped', 'spend'];

function cells({ table, read, created, present, skipped, spend }: TableReport, mode: Mode): readonly string[] {
  const counts = mode === 'dry' ? [] : [String(created), String(present)];
  return [table, String(read), ...counts, String(skipped.length), spend === null ? '' : `$${usd(spend)}`];
}

function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

function logLines(report: SpendLogReport | null, mode: Mode): readonly string[] {
  if (report === null) return ['', 'The spend logs were left; --spend-logs brings them over.'];
  const { read, written, present } = report;
  return mode === 'dry'
    ? ['', `Spend logs: ${read} rows read.`]
    : ['', `Spend logs: ${read} rows read, ${written} written, ${present} there already.`];
}

function remarks(title: string, list: readonly Remark[]): readonly string[] {
  if (list.length === 0) return [];
  const shown = list.slice(0, SHOWN).map(({ row, text }) => `  ${title}: ${row}: ${text}`);
  return list.length > SHOWN ? ['', ...shown, `  … and ${list.length - SHOWN} more; --json has all`] : ['', ...shown];
}

function homeless({ others }: ImportReport): readonly string[] {
  if (others.size === 0) return [];
  const list = [...others].map(([table, rows]) => `  ${table}: ${rows}`);
  return ['', 'Rows without a home in Tollgate (see docs/guides/import-from-litellm.md):', ...list];
}
