import type { Findings } from './findings.ts';
import type { ReportRow } from './report-row.ts';
import { type Entry, list, type MapTree, mapping, type Path, pathText, scalar, type Tree, written } from './tree.ts';

/**
 * Spellings that people copy from blog posts although LiteLLM refuses or ignores them (BRIEF B6).
 *
 * Each is rewritten to the canonical form before the file is checked, with one warning that shows that form.
 */
export interface Rewritten {
  readonly tree: MapTree;
  /** `context_window_fallbacks: true` was written. */
  readonly contextUsesOrdinaryChain: boolean;
  /** What became of the keys that were rewritten, by the names that the file has. */
  readonly rows: readonly ReportRow[];
  /** Values that stand in the tree although the file has them in another place or form. */
  readonly rewritten: ReadonlySet<Tree>;
}

/** Rewrites every odd spelling that it knows. Pure; `tree` stays as it is. */
export function canonicalSpelling(tree: MapTree, findings: Findings): Rewritten {
  const rewriter = new Rewriter(tree, findings);
  rewriter.run();
  return rewriter.result();
}

const CHAINS = ['fallbacks', 'context_window_fallbacks', 'content_policy_fallbacks'] as const;
const SECTIONS = ['router_settings', 'litellm_settings', 'general_settings'] as const;
const BACKOFF = [
  ['base', 2],
  ['factor', 2],
  ['max', 8],
  ['jitter', 0],
] as const;

class Rewriter {
  readonly #findings: Findings;
  readonly #tree: MapTree;
  readonly #sections = new Map<string, Map<string, Entry>>();
  readonly #root: Map<string, Entry>;
  readonly #rows: ReportRow[] = [];
  readonly #rewritten = new Set<Tree>();
  #contextUsesOrdinaryChain = false;

  constructor(tree: MapTree, findings: Findings) {
    this.#tree = tree;
    this.#findings = findings;
    this.#root = new Map(tree.entries);
    for (const name of SECTIONS) {
      const section = tree.entries.get(name)?.value;
      if (section?.kind === 'map') this.#sections.set(name, new Map(section.entries));
    }
  }

  run(): void {
    for (const section of ['router_settings', 'litellm_settings']) {
      this.#contextFlag(section);
      for (const key of CHAINS) this.#chains(section, key);
      this.#retryPolicy(section);
    }
    this.#move('litellm_settings', 'timeout', 'request_timeout');
    for (const section of ['router_settings', 'general_settings', '']) {
      this.#move(section, 'drop_params', 'drop_params');
      // `router_settings.set_verbose` is a key of LiteLLM's router.
      if (section !== 'router_settings') this.#move(section, 'set_verbose', 'set_verbose');
    }
  }

  result(): Rewritten {
    for (const [name, entries] of this.#sections) {
      const entry = this.#root.get(name);
      const at = entry?.value.at ?? this.#tree.at;
      this.#root.set(name, { at: entry?.at ?? at, value: mapping(at, entries) });
    }
    return {
      tree: { ...this.#tree, entries: this.#root },
      contextUsesOrdinaryChain: this.#contextUsesOrdinaryChain,
      rows: this.#rows,
      rewritten: this.#rewritten,
    };
  }

  #contextFlag(section: string): void {
    const key = 'context_window_fallbacks';
    const entry = this.#sections.get(section)?.get(key);
    if (entry?.value.kind !== 'scalar' || typeof entry.value.value !== 'boolean') return;
    this.#sections.get(section)?.delete(key);
    if (!entry.value.value) return;
    this.#contextUsesOrdinaryChain = true;
    this.#report(entry, [section, key], 'read as: context errors use the ordinary fallbacks', {
      message: `${key}: true is no list of groups; it is read as: context errors use the ordinary fallbacks.`,
      hint: `${section}:\n  ${key}: ${this.#ordinaryChains()}`,
    });
  }

  /** The file's own fallbacks in canonical form, as an example of a list. */
  #ordinaryChains(): string {
    for (const section of ['router_settings', 'litellm_settings']) {
      const value = this.#sections.get(section)?.get('fallbacks')?.value;
      const chains = value === undefined ? null : canonicalChains(value);
      if (chains !== null && chains.tree.items.length > 0) return flow(chains.tree);
    }
    return '[{"gpt-4": ["a-group-with-a-longer-window"]}]';
  }

  #chains(section: string, key: string): void {
    const entry = this.#sections.get(section)?.get(key);
    const chains = entry === undefined ? null : canonicalChains(entry.value);
    if (entry === undefined || chains === null || !chains.isOdd) return;
    this.#set(section, key, { at: entry.at, value: chains.tree });
    this.#report(entry, [section, key], `read as ${flow(chains.tree)}`, {
      message: `${key} is not written as LiteLLM wants it, a list of maps with one group each; it is read as ${flow(chains.tree)}.`,
      hint: `${section}:\n  ${key}: ${flow(chains.tree)}`,
    });
  }

  #retryPolicy(section: string): void {
    const entry = this.#sections.get(section)?.get('retry_policy');
    if (entry?.value.kind !== 'scalar' || entry.value.value !== 'exponential_backoff_retry') return;
    this.#sections.get(section)?.delete('retry_policy');
    const { at } = entry.value;
    const backoff = mapping(
      at,
      BACKOFF.map(([name, value]) => [name, { at: entry.at, value: scalar(at, value) }] as const),
    );
    if (!this.#sections.get('router_settings')?.has('retry_backoff')) {
      this.#set('router_settings', 'retry_backoff', { at: entry.at, value: backoff });
    }
    this.#report(entry, [section, 'retry_policy'], 'read as delays of 2, 4 and 8 seconds', {
      message:
        'retry_policy is a map of error classes to counts; this word is read as delays of 2, 4 and 8 seconds (LiteLLM ignores it).',
      hint: 'router_settings:\n  retry_backoff: {base: 2, factor: 2, max: 8, jitter: 0}',
    });
  }

  /** Moves a key to `litellm_settings`, where it has an effect; an empty section is the top of the file. */
  #move(section: string, key: string, name: string): void {
    const from = section === '' ? this.#root : this.#sections.get(section);
    const entry = from?.get(key);
    if (from === undefined || entry === undefined) return;
    from.delete(key);
    if (!this.#sections.get('litellm_settings')?.has(name)) this.#set('litellm_settings', name, entry);
    const where = section === '' ? 'at the top of the file' : `in ${section}`;
    const path = section === '' ? [key] : [section, key];
    this.#report(entry, path, `read as litellm_settings.${name}`, {
      message: `${key} ${where} has no effect in LiteLLM; it is read as litellm_settings.${name}.`,
      hint: `litellm_settings:\n  ${name}: ${flow(entry.value)}`,
    });
  }

  #set(section: string, key: string, entry: Entry): void {
    const entries = this.#sections.get(section) ?? new Map<string, Entry>();
    entries.set(key, entry);
    this.#sections.set(section, entries);
    this.#rewritten.add(entry.value);
  }

  #report(entry: Entry, path: Path, reason: string, words: { message: string; hint: string }): void {
    this.#findings.addLax(entry.at, path, words.message, { hint: words.hint });
    this.#rows.push({ file: entry.at.file, line: entry.at.line, path: pathText(path), fate: 'approximated', reason });
  }
}

interface Chains {
  readonly tree: Extract<Tree, { kind: 'list' }>;
  readonly isOdd: boolean;
}

/** The chains as a list of one-key maps; null when they are neither that nor anything like it. */
function canonicalChains(value: Tree): Chains | null {
  if (value.kind === 'map') return { tree: list(value.at, oneKeyMaps(value)), isOdd: true };
  if (value.kind !== 'list') return null;
  let isOdd = false;
  const items = value.items.flatMap((item): readonly Tree[] => {
    const chain = item.kind === 'list' ? chainOfList(item) : item.kind === 'map' ? oneKeyMaps(item) : [item];
    isOdd ||= chain.length !== 1 || chain[0] !== item;
    return chain;
  });
  return { tree: list(value.at, items), isOdd };
}

/** `[a, b, c]` as `{a: [b, c]}`; anything else as it is. */
function chainOfList(item: Extract<Tree, { kind: 'list' }>): readonly Tree[] {
  const [first, ...targets] = item.items;
  const areNames = item.items.every((part) => part.kind === 'scalar' && typeof part.value === 'string');
  if (first?.kind !== 'scalar' || typeof first.value !== 'string' || targets.length === 0 || !areNames) return [item];
  return [mapping(item.at, [[first.value, { at: first.at, value: list(item.at, targets) }]])];
}

/** One map for each key, and each value a list; the map itself when it is so already. */
function oneKeyMaps(item: MapTree): readonly Tree[] {
  const entries = [...item.entries];
  if (entries.length === 1 && entries[0]?.[1].value.kind !== 'scalar') return [item];
  return entries.map(([group, entry]) => {
    const { value } = entry;
    const isName = value.kind === 'scalar' && typeof value.value === 'string';
    return mapping(entry.at, [[group, { at: entry.at, value: isName ? list(value.at, [value]) : value }]]);
  });
}

/** A value as flow YAML on one line, which JSON is. */
function flow(tree: Tree): string {
  const value = written(tree);
  return typeof value === 'string' ? value : JSON.stringify(value).replace(/([:,])(?=["[{\d])/g, '$1 ');
}
