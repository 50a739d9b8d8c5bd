import type { Finding } from '../config/findings.ts';
import { type Invalid, type Loaded, loadConfig } from '../config/load.ts';
import { renderFindings, renderReport } from '../config/report.ts';

/** What the command needs of the outside. */
export interface CheckIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => string;
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
}

const USAGE = `Usage: tollgate check FILE [--strict] [--json]

Checks a configuration file as the gateway does at start, and says what becomes of each key.
  --strict  unknown keys and odd spellings are errors
  --json    findings and report as one JSON object
Exit code: 0 valid, 1 invalid, 2 wrong use.
`;

/**
 * `tollgate check FILE [--strict] [--json]`.
 *
 * Findings and report go to `write`; only wrong use goes to `writeError`.
 *
 * @returns the exit code: 0 valid (warnings included), 1 invalid, 2 wrong use
 */
export function check(argv: readonly string[], io: CheckIo): number {
  const options = argv.filter((argument) => argument.startsWith('-'));
  const [path, ...rest] = argv.filter((argument) => !argument.startsWith('-'));
  if (options.includes('--help') || options.includes('-h')) {
    io.write(USAGE);
    return 0;
  }
  const unknown = options.find((option) => option !== '--strict' && option !== '--json');
  if (path === undefined || rest.length > 0 || unknown !== undefined) {
    io.writeError(unknown === undefined ? USAGE : `Unknown option ${unknown}\n\n${USAGE}`);
    return 2;
  }
  const strict = options.includes('--strict');
  const result = loadConfig({ path, readFile: io.readFile, env: io.env, strict, demo: null });
  io.write(options.includes('--json') ? renderJson(path, result) : renderText(path, result));
  return result.kind === 'loaded' ? 0 : 1;
}

function renderText(path: string, result: Loaded | Invalid): string {
  const findings = renderFindings(result.findings);
  const verdict = `${path}: ${result.kind === 'loaded' ? 'valid' : 'INVALID'}${countText(result.findings)}\n`;
  const parts = [findings, result.kind === 'loaded' ? renderReport(result.report) : '', verdict];
  return parts.filter((part) => part !== '').join('\n');
}

function countText(findings: readonly Finding[]): string {
  const counts = (['error', 'warning', 'note'] as const).flatMap((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length;
    return count === 0 ? [] : [`${count} ${severity}${count === 1 ? '' : 's'}`];
  });
  return counts.length === 0 ? '' : ` (${counts.join(', ')})`;
}

function renderJson(path: string, result: Loaded | Invalid): string {
  const report = result.kind === 'loaded' ? result.report : [];
  return `${JSON.stringify({ file: path, valid: result.kind === 'loaded', findings: result.findings, report }, null, 2)}\n`;
}
