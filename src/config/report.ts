import { basename } from 'node:path';
import type { Finding } from './findings.ts';
import type { ReportRow } from './report-row.ts';
import type { Fate } from './table.ts';

/**
 * Findings for a terminal: place and path, what is wrong, what would be right, and the line with a mark under it.
 *
 * @returns text that ends with a line end, empty for no findings
 */
export function renderFindings(findings: readonly Finding[]): string {
  return findings.map(renderFinding).join('\n');
}

function renderFinding(finding: Finding): string {
  const lines = [
    `${placeText(finding)}${finding.severity}: ${finding.path === '' ? '' : `${finding.path}: `}${finding.message}`,
  ];
  if (finding.source !== null && finding.source.trim() !== '') {
    const indent = finding.source.slice(0, finding.column - 1).replace(/[^\t]/g, ' ');
    const number = String(finding.line);
    lines.push(`  ${number} | ${finding.source.trimEnd()}`, `  ${' '.repeat(number.length)} | ${indent}^`);
  }
  if (finding.found !== null) lines.push(`  found:    ${finding.found}`);
  if (finding.expected !== null) lines.push(`  expected: ${finding.expected}`);
  if (finding.hint !== null) lines.push(`  hint:     ${finding.hint.replaceAll('\n', '\n            ')}`);
  return `${lines.join('\n')}\n`;
}

function placeText({ file, line, column }: Finding): string {
  if (file === '') return '';
  return line === 0 ? `${file}: ` : `${file}:${line}:${column}: `;
}

/**
 * Where the first error of several is, for pages that anybody may read.
 *
 * Nothing of what the file says is in it: a value under a mistyped key may be anything.
 */
export function placesOfErrors(findings: readonly Finding[]): string {
  const errors = findings.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  if (first === undefined) return 'no errors';
  const place = first.file === '' ? '' : `${basename(first.file)}:${first.line}:${first.column}: `;
  const more = errors.length === 1 ? '' : ` (and ${errors.length - 1} more)`;
  // Text that is no YAML, or a file that is not there, has no key to name.
  const what = first.path === '' ? 'the file cannot be read as a configuration' : first.path;
  return `${place}${what}${more}; the log says what is wrong`;
}

const FATES: readonly Fate[] = ['honoured', 'approximated', 'ignored'];

/**
 * The compatibility report: every key of the file under honoured, approximated or ignored, with the reason.
 *
 * Keys that several list entries have stand once, as `model_list[].litellm_params.model (5)`.
 */
export function renderReport(report: readonly ReportRow[]): string {
  if (report.length === 0) return 'Compatibility report: the file has no keys.\n';
  const counts = FATES.map((fate) => `${report.filter((row) => row.fate === fate).length} ${fate}`).join(', ');
  const sections = FATES.flatMap((fate) => {
    const rows = merged(report.filter((row) => row.fate === fate));
    if (rows.length === 0) return [];
    const width = Math.min(60, Math.max(...rows.map(({ path }) => path.length)));
    return [`\n${fate}\n${rows.map(({ path, reason }) => `  ${path.padEnd(width)}  ${reason}`).join('\n')}\n`];
  });
  return `Compatibility report: ${counts}\n${sections.join('')}`;
}

/** Rows that differ only in the index of a list, as one with their number. */
function merged(rows: readonly ReportRow[]): readonly { readonly path: string; readonly reason: string }[] {
  const groups = new Map<string, { path: string; reason: string; count: number }>();
  for (const { path, reason } of rows) {
    const generic = path.replace(/\[\d+\]/g, '[]');
    const key = `${generic} ${reason}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { path, reason, count: 1 });
    else groups.set(key, { path: generic, reason, count: group.count + 1 });
  }
  return [...groups.values()].map(({ path, reason, count }) => ({
    path: count === 1 ? path : `${path} (${count})`,
    reason,
  }));
}
