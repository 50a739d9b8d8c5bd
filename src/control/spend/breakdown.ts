import type { DailyGroup, DailySum } from '../../store/spend-reports.ts';
import { type Metrics, Tally } from './figures.ts';

/** LiteLLM's `breakdown` of a day: every figure by each part, and by key inside it (litellm.md §3.8). */

/** What is known of a key or an entity, beside its figures. */
export interface Names {
  readonly keys: ReadonlyMap<string, { readonly key_alias: string | null; readonly team_id: string | null }>;
  /** Members of `metadata` of an entity; a team has its alias. */
  readonly entities: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

/** LiteLLM's word for a part, and the group of the daily tables that it is. */
const PARTS = [
  { word: 'models', group: 'model', absent: null },
  { word: 'model_groups', group: 'model_group', absent: null },
  { word: 'providers', group: 'custom_llm_provider', absent: 'unknown' },
  { word: 'endpoints', group: 'endpoint', absent: null },
  { word: 'entities', group: 'entity', absent: 'Unassigned' },
] as const satisfies readonly { word: string; group: DailyGroup; absent: string | null }[];

/** One name of a part: its figures, and those of each key. */
class Branch {
  readonly total = new Tally();
  readonly keys = new Map<string, Tally>();
}

/** The figures of one day. */
export class DayBreakdown {
  readonly #total = new Tally();
  readonly #keys = new Map<string, Tally>();
  readonly #parts = new Map<string, Map<string, Branch>>(PARTS.map(({ word }) => [word, new Map()]));

  /** Adds a row to everything that it names. */
  add(sum: DailySum): void {
    this.addParts(sum);
    this.addKey(sum);
  }

  /** Adds a sum to the day, and to every part that it names; to no key. */
  addParts(sum: DailySum): void {
    this.#total.add(sum);
    for (const { word } of PARTS) this.addPart(word, sum);
  }

  /** Adds a sum to its key, and to the key in every part that it names. */
  addKey(sum: DailySum): void {
    const key = sum.group.api_key;
    if (key !== undefined) add(this.#keys, key, sum);
    for (const { word } of PARTS) this.addPartKey(word, sum);
  }

  addPart(word: PartWord, sum: DailySum): void {
    this.#branch(word, sum)?.total.add(sum);
  }

  addPartKey(word: PartWord, sum: DailySum): void {
    const key = sum.group.api_key;
    const branch = key === undefined ? null : this.#branch(word, sum);
    if (branch !== null && key !== undefined) add(branch.keys, key, sum);
  }

  get total(): Tally {
    return this.#total;
  }

  shown(names: Names): { readonly metrics: Metrics; readonly breakdown: Readonly<Record<string, unknown>> } {
    const parts = [...this.#parts].map(([word, branches]) => [word, shownBranches(word, branches, names)]);
    return {
      metrics: this.#total.metrics,
      breakdown: { mcp_servers: {}, ...Object.fromEntries(parts), api_keys: shownKeys(this.#keys, names) },
    };
  }

  #branch(word: PartWord, { group }: DailySum): Branch | null {
    const part = PARTS.find((each) => each.word === word);
    const named = part === undefined ? undefined : group[part.group];
    const name = named === '' ? part?.absent : named;
    const branches = this.#parts.get(word);
    if (name === undefined || name === null || branches === undefined) return null;
    const branch = branches.get(name) ?? new Branch();
    branches.set(name, branch);
    return branch;
  }
}

export type PartWord = (typeof PARTS)[number]['word'];

function add(tallies: Map<string, Tally>, name: string, sum: DailySum): void {
  const tally = tallies.get(name) ?? new Tally();
  tallies.set(name, tally.add(sum));
}

function shownBranches(word: string, branches: ReadonlyMap<string, Branch>, names: Names) {
  const metadataOf = (name: string) => (word === 'entities' ? (names.entities.get(name) ?? {}) : {});
  return Object.fromEntries(
    [...branches].map(([name, { total, keys }]) => [
      name,
      { metrics: total.metrics, metadata: metadataOf(name), api_key_breakdown: shownKeys(keys, names) },
    ]),
  );
}

function shownKeys(tallies: ReadonlyMap<string, Tally>, { keys }: Names) {
  return Object.fromEntries(
    [...tallies].map(([key, tally]) => {
      const { key_alias = null, team_id = null } = keys.get(key) ?? {};
      return [key, { metrics: tally.metrics, metadata: { key_alias, team_id } }];
    }),
  );
}
