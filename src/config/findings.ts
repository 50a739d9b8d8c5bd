import { isSensitive, lineWithoutSecrets, withoutSecrets } from './secret-names.ts';
import { type Path, type Place, pathText, type Tree } from './tree.ts';

/** One thing that is wrong or odd in the configuration, with everything that a person needs to put it right. */
export interface Finding {
  readonly severity: 'error' | 'warning' | 'note';
  readonly file: string;
  /** Both from 1; 0 when the finding has no place in a file. */
  readonly line: number;
  readonly column: number;
  /** `router_settings.num_retrys`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  readonly found: string | null;
  readonly expected: string | null;
  /** The nearest known name, or the canonical form as YAML. */
  readonly hint: string | null;
  /** The line as written, secrets replaced. */
  readonly source: string | null;
}

export type Severity = Finding['severity'];

/** Collects findings in the order in which they are met. */
export class Findings {
  readonly all: Finding[] = [];
  readonly #isStrict: boolean;

  constructor(isStrict: boolean) {
    this.#isStrict = isStrict;
  }

  add(
    severity: Severity,
    at: Place,
    path: Path,
    message: string,
    more: { readonly found?: string; readonly expected?: string; readonly hint?: string } = {},
  ): void {
    this.all.push({
      severity,
      file: at.file,
      line: at.line,
      column: at.column,
      path: pathText(path),
      message: withoutSecrets(message),
      found: more.found ?? null,
      expected: more.expected ?? null,
      hint: more.hint === undefined ? null : withoutSecrets(more.hint),
      source: at.line === 0 ? null : lineWithoutSecrets(at.source, isBelowSecret(path)),
    });
  }

  /** What `--strict` refuses: unknown keys and odd spellings. */
  addLax(
    at: Place,
    path: Path,
    message: string,
    more: { found?: string; expected?: string; hint?: string } = {},
  ): void {
    this.add(this.#isStrict ? 'error' : 'warning', at, path, message, more);
  }

  get hasErrors(): boolean {
    return this.all.some((finding) => finding.severity === 'error');
  }
}

/** A value as a complaint may repeat it: short, and never one of a sensitive key. */
export function foundText(tree: Tree, path: Path): string {
  if (tree.kind === 'map')
    return tree.entries.size === 0 ? 'an empty map' : `a map of ${[...tree.entries.keys()].slice(0, 3).join(', ')}`;
  if (tree.kind === 'list') return tree.items.length === 0 ? 'an empty list' : `a list of ${tree.items.length}`;
  if (tree.reference !== null) return `the value of ${tree.reference}`;
  if (typeof tree.value !== 'string') return String(tree.value);
  if (isBelowSecret(path)) return `text of ${tree.value.length} characters`;
  return withoutSecrets(JSON.stringify(tree.value.length > 60 ? `${tree.value.slice(0, 60)}…` : tree.value));
}

const isBelowSecret = (path: Path): boolean => path.some((part) => typeof part === 'string' && isSensitive(part));
