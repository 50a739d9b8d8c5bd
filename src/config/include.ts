import type { Findings } from './findings.ts';
import { parseYaml } from './parse.ts';
import { type Entry, type MapTree, member, type Tree } from './tree.ts';

/** A file's merged tree, and every file that was read for it or should have been. */
export interface Included {
  /** Null when a file cannot be read or parsed; the findings say which and where it was named. */
  readonly tree: MapTree | null;
  readonly files: readonly string[];
  readonly texts: readonly string[];
}

const MAX_INCLUDES = 100;

/**
 * Merges the files that `include` names, as LiteLLM does: lists are appended, anything else is replaced by the included value.
 *
 * One level deep; an `include` in an included file is reported. Paths are relative to the including file.
 */
export function withIncludes(
  tree: MapTree,
  file: string,
  readFile: (path: string) => string,
  findings: Findings,
): Included {
  const include = member(tree, 'include');
  if (include === null) return { tree, files: [], texts: [] };
  const hint = 'include:\n  - models.yaml';
  if (include.kind !== 'list') {
    findings.add('error', include.at, ['include'], 'include is not a list.', { expected: 'a list of files', hint });
    return { tree: null, files: [], texts: [] };
  }
  const entries = new Map(tree.entries);
  entries.delete('include');
  const files: string[] = [];
  const texts: string[] = [];
  for (const [index, item] of include.items.entries()) {
    const name = item.kind === 'scalar' && typeof item.value === 'string' ? item.value : null;
    if (name === null || index >= MAX_INCLUDES) {
      findings.add('error', item.at, ['include', index], 'This is not the name of a file.', {
        expected: 'a path',
        hint,
      });
      return { tree: null, files, texts };
    }
    const path = name.startsWith('/') ? name : `${file.replace(/[^/\\]*$/, '')}${name}`;
    files.push(path);
    const text = readIncluded(item, path, readFile, findings);
    const included = text === null ? null : parseYaml(text, path, findings);
    if (text === null || included === null) return { tree: null, files, texts };
    texts.push(text);
    merge(entries, included, findings);
  }
  return { tree: { ...tree, entries }, files, texts };
}

function readIncluded(item: Tree, path: string, readFile: (path: string) => string, findings: Findings): string | null {
  try {
    return readFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown reason';
    findings.add('error', item.at, ['include'], `The included file ${path} cannot be read: ${reason}`);
    return null;
  }
}

function merge(entries: Map<string, Entry>, included: MapTree, findings: Findings): void {
  for (const [key, entry] of included.entries) {
    if (key === 'include') {
      findings.add('warning', entry.at, ['include'], 'Includes are read one level deep; this one has no effect.');
      continue;
    }
    const own = entries.get(key);
    if (own?.value.kind === 'list' && entry.value.kind === 'list') {
      entries.set(key, { at: own.at, value: { ...own.value, items: [...own.value.items, ...entry.value.items] } });
      continue;
    }
    if (own !== undefined)
      findings.add(
        'note',
        entry.at,
        [key],
        `This replaces ${key} of the including file (line ${own.at.line}) as a whole.`,
      );
    entries.set(key, entry);
  }
}
