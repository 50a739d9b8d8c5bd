import { type Alias, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import type { Findings } from './findings.ts';
import { type Entry, type MapTree, type Path, type Place, scalar, type Tree } from './tree.ts';

/** Far beyond any real file; together with these, no text can make the gateway slow or run out of stack. */
const MAX_CHARACTERS = 8_000_000;
/** Values that aliases may add; without aliases the text's length is the bound. */
const MAX_ALIASED_VALUES = 50_000;
const MAX_DEPTH = 64;
/** Brackets opened one in another on few lines: the parser below recurses and has no limit of its own. */
const MAX_NESTING = 200;

/**
 * Reads YAML as LiteLLM does (YAML 1.1: `yes` is true, `<<` merges).
 *
 * @returns the file's map, or null when `findings` says why there is none; never throws
 */
export function parseYaml(text: string, file: string, findings: Findings): MapTree | null {
  const nowhere: Place = { file, line: 0, column: 0, source: '' };
  if (text.length > MAX_CHARACTERS) {
    findings.add('error', nowhere, [], `The file is longer than ${MAX_CHARACTERS} characters.`);
    return null;
  }
  if (nestsTooDeep(text)) {
    findings.add('error', nowhere, [], `Values are nested more than ${MAX_NESTING} deep.`);
    return null;
  }
  try {
    return new Reader(text, file, findings).read();
  } catch (error) {
    // The parser throws on a few inputs that it does not report (and on too deep nesting); a bad file is no bug of ours.
    findings.add(
      'error',
      nowhere,
      [],
      `The file cannot be read as YAML: ${error instanceof Error ? error.message : 'unknown reason'}`,
    );
    return null;
  }
}

function nestsTooDeep(text: string): boolean {
  if (/(?:^|\n)(?:[ \t]*[-?:][ \t]+){65}/.test(text)) return true;
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x5b || code === 0x7b) depth++;
    else if ((code === 0x5d || code === 0x7d) && depth > 0) depth--;
    if (depth > MAX_NESTING) return true;
  }
  return false;
}

class Reader {
  readonly #file: string;
  readonly #findings: Findings;
  readonly #lines = new LineCounter();
  readonly #text: string;
  readonly #document;
  #aliasedValues = 0;
  #openAliases = 0;
  #isBroken = false;

  constructor(text: string, file: string, findings: Findings) {
    this.#file = file;
    this.#findings = findings;
    this.#text = text;
    this.#document = parseDocument(text, {
      version: '1.1',
      lineCounter: this.#lines,
      prettyErrors: false,
      // Duplicates are a warning of ours with both places, since LiteLLM starts with such a file.
      uniqueKeys: false,
      // Not 'silent', which would also hide that there is a second document.
      logLevel: 'error',
    });
  }

  read(): MapTree | null {
    for (const warning of this.#document.warnings) {
      this.#findings.add('warning', this.#place(warning.pos[0]), [], `YAML: ${warning.message}`);
    }
    for (const error of this.#document.errors) {
      this.#findings.add(
        'error',
        this.#place(error.pos[0]),
        [],
        `YAML: ${error.message}`,
        yamlHint(error.code, error.message),
      );
    }
    if (this.#document.errors.length > 0) return null;
    const contents = this.#document.contents;
    if (contents === null || (isScalar(contents) && contents.value === null)) {
      this.#findings.add('error', this.#place(0), [], 'The file is empty.', { expected: 'a map with model_list' });
      return null;
    }
    const tree = this.#tree(contents, [], 0);
    if (this.#isBroken) return null;
    if (tree.kind === 'map') return tree;
    this.#findings.add('error', tree.at, [], 'The file is not a map.', {
      found: tree.kind === 'list' ? 'a list' : 'a single value',
      expected: 'a map with model_list',
      hint: 'model_list:\n  - model_name: gpt-4o\n    litellm_params:\n      model: openai/gpt-4o',
    });
    return null;
  }

  #tree(node: Node | null, path: Path, depth: number): Tree {
    const at = this.#place(node?.range?.[0] ?? 0);
    if (this.#openAliases > 0) this.#aliasedValues++;
    const isEndless = depth > MAX_DEPTH || this.#aliasedValues > MAX_ALIASED_VALUES;
    if (isEndless) throw new Error('too deep, or an alias that grows without bound');
    if (isAlias(node)) return this.#alias(node, at, path, depth);
    if (isMap(node)) return this.#map(node.items as Pair<Node | null, Node | null>[], at, path, depth);
    if (isSeq(node)) {
      const items = node.items as (Node | null)[];
      return { kind: 'list', at, items: items.map((item, index) => this.#tree(item, [...path, index], depth + 1)) };
    }
    return scalar(at, isScalar(node) ? scalarValue(node.value, node.source) : null);
  }

  #alias(alias: Alias, at: Place, path: Path, depth: number): Tree {
    const target = alias.resolve(this.#document);
    if (target === undefined) {
      this.#isBroken = true;
      this.#findings.add('error', at, path, `YAML: the alias *${alias.source} names no anchor above it.`);
      return scalar(at, null);
    }
    this.#openAliases++;
    const tree = this.#tree(target, path, depth + 1);
    this.#openAliases--;
    return tree;
  }

  #map(pairs: readonly Pair<Node | null, Node | null>[], at: Place, path: Path, depth: number): MapTree {
    const entries = new Map<string, Entry>();
    const merged: MapTree[] = [];
    for (const pair of pairs) {
      const keyAt = this.#place(pair.key?.range?.[0] ?? 0);
      const key = keyText(pair.key);
      const value = this.#tree(pair.value, [...path, key], depth + 1);
      if (key === '<<') {
        merged.push(...mapsOf(value));
        continue;
      }
      const before = entries.get(key);
      if (before !== undefined) {
        this.#findings.addLax(
          keyAt,
          [...path, key],
          `${key} stands twice in this map; the first, in line ${before.at.line}, has no effect.`,
        );
      }
      entries.set(key, { at: keyAt, value });
    }
    // Own members win over merged ones, and earlier merged maps over later ones.
    for (const map of merged) for (const [key, entry] of map.entries) if (!entries.has(key)) entries.set(key, entry);
    return { kind: 'map', at, entries };
  }

  #place(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    const start = this.#lines.lineStarts[line - 1] ?? 0;
    const end = this.#text.indexOf('\n', start);
    const source = this.#text.slice(start, Math.min(end < 0 ? this.#text.length : end, start + 400)).replace(/\r$/, '');
    return { file: this.#file, line: Math.max(1, line), column: Math.max(1, col), source };
  }
}

/** Dates stay text, as `api_version: 2024-07-01` means it, and so do integers that a number cannot hold. */
function scalarValue(value: unknown, source: string | undefined): string | number | boolean | null {
  if (typeof value === 'number')
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? (source ?? String(value)) : value;
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
  return source ?? '';
}

function keyText(key: Node | null): string {
  if (isScalar(key)) return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
  return key === null ? '' : String(key);
}

function mapsOf(tree: Tree): readonly MapTree[] {
  if (tree.kind === 'map') return [tree];
  return tree.kind === 'list' ? tree.items.flatMap(mapsOf) : [];
}

function yamlHint(code: string, message: string): { hint?: string } {
  if (code === 'TAB_AS_INDENT') return { hint: 'Indent with spaces; YAML forbids tabs.' };
  if (code === 'BAD_INDENT' || /indent/i.test(message)) return { hint: 'Members of one map start in the same column.' };
  if (code === 'MULTIPLE_DOCS') return { hint: 'One file holds one document: remove the line `---` in its middle.' };
  return {};
}
