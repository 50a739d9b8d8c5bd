import { nearest } from '../core/nearest.ts';
import type { Findings } from './findings.ts';
import { litellmParams, modelEntry, modelInfo, unknownParam } from './keys/deployment.ts';
import { generalSettings } from './keys/general.ts';
import { litellmSettings } from './keys/litellm.ts';
import { root } from './keys/root.ts';
import { routerSettings } from './keys/router.ts';
import type { ReportRow } from './report-row.ts';
import { own, type Row, type Section } from './table.ts';
import { type Entry, isUnset, type MapTree, type Path, pathText, type Tree, written } from './tree.ts';

/** Sections by name, in the order in which a misplaced key is looked for. */
const PLACES: readonly (readonly [name: string, section: Section])[] = [
  ['router_settings', routerSettings],
  ['litellm_settings', litellmSettings],
  ['general_settings', generalSettings],
  ['litellm_params', litellmParams],
  ['model_info', modelInfo],
  ['model_list', modelEntry],
];

/**
 * Compares every key of the file with the table: one report row for each, and a finding for each that is unknown.
 *
 * @param rewritten values that `canonicalSpelling` put where they are, which have their rows already
 */
export function checkKeys(tree: MapTree, rewritten: ReadonlySet<Tree>, findings: Findings): readonly ReportRow[] {
  const checker = new Checker(rewritten, findings);
  checker.map(tree, root, []);
  return checker.rows;
}

class Checker {
  readonly rows: ReportRow[] = [];
  readonly #rewritten: ReadonlySet<Tree>;
  readonly #findings: Findings;

  constructor(rewritten: ReadonlySet<Tree>, findings: Findings) {
    this.#rewritten = rewritten;
    this.#findings = findings;
  }

  map(tree: MapTree, section: Section, path: Path): void {
    for (const [key, entry] of tree.entries) {
      if (this.#rewritten.has(entry.value)) continue;
      const row = own(section, key);
      if (row === undefined) this.#unknown(section, key, entry, [...path, key]);
      else if (row.below === null || !this.#descend(row, row.below, entry.value, [...path, key])) {
        this.#row(entry, [...path, key], row.fate, row.note);
      }
    }
  }

  #descend(row: Row, below: NonNullable<Row['below']>, value: Tree, path: Path): boolean {
    if (below.kind === 'map' && value.kind === 'map') {
      this.map(value, below.section, path);
      return true;
    }
    if (below.kind === 'items' && value.kind === 'list') {
      for (const [index, item] of value.items.entries())
        if (item.kind === 'map') this.map(item, below.section, [...path, index]);
      return true;
    }
    if (below.kind === 'values' && value.kind === 'map') {
      for (const [name, entry] of value.entries)
        if (entry.value.kind === 'map') this.map(entry.value, below.section, [...path, name]);
      return true;
    }
    return row.below === null;
  }

  #unknown(section: Section, key: string, entry: Entry, path: Path): void {
    const param = section === litellmParams ? unknownParam(key) : null;
    if (param === 'sent') {
      this.#row(entry, path, 'honoured', 'Unknown to LiteLLM; sent upstream when the request does not set it.');
      return;
    }
    if (param === 'kept') {
      this.#row(entry, path, 'ignored', 'a credential or setting that Tollgate does not know; never sent upstream');
      return;
    }
    const near = typeof param === 'object' && param !== null ? param.near : nearest(key, Object.keys(section), 1)[0];
    if (section === modelInfo && (near === undefined || key.startsWith('supports_'))) {
      this.#row(entry, path, 'approximated', 'Kept and shown in /model/info.');
      return;
    }
    const place = PLACES.find(([, other]) => other !== section && Object.hasOwn(other, key));
    if (place !== undefined) this.#misplaced(key, entry, path, place[0]);
    else this.#unheardOf(key, entry, path, near);
  }

  #misplaced(key: string, entry: Entry, path: Path, place: string): void {
    const hint = place === 'model_list' ? `- ${key}: …` : `${place}:\n  ${key}: ${shown(entry.value)}`;
    this.#findings.addLax(entry.at, path, `${key} has no effect here: it belongs under ${place}.`, { hint });
    this.#row(entry, path, 'ignored', `belongs under ${place}`);
  }

  #unheardOf(key: string, entry: Entry, path: Path, near: string | undefined): void {
    const question = near === undefined ? 'is no key that LiteLLM or Tollgate knows here' : `did you mean ${near}?`;
    const message = near === undefined ? `${key} ${question}; it has no effect.` : `${key}: ${question}`;
    this.#findings.addLax(entry.at, path, message, {
      found: key,
      ...(near === undefined ? {} : { expected: near, hint: `${near}: ${shown(entry.value)}` }),
    });
    this.#row(entry, path, 'ignored', near === undefined ? 'unknown key' : `unknown key; did you mean ${near}?`);
  }

  #row(entry: Entry, path: Path, fate: ReportRow['fate'], reason: string): void {
    const note =
      isUnset(entry.value) && entry.value.kind === 'scalar' ? `${entry.value.reference} is unset. ${reason}` : reason;
    this.rows.push({ file: entry.at.file, line: entry.at.line, path: pathText(path), fate, reason: note });
  }
}

/** A small value as YAML; anything longer as an ellipsis. Text is left out, since it may be a secret under a mistyped key. */
function shown(tree: Tree): string {
  if (tree.kind !== 'scalar') return '…';
  if (typeof tree.value !== 'string' || tree.reference !== null) return String(written(tree));
  return '…';
}
