import type { Json, JsonObject } from '../core/json.ts';
import { type Labels, NONE, OTHER } from './series.ts';

/** Keys that are named; requests of the others are `other`, by team. */
const MOST_KEYS = 1_000;
/** Teams, and end customers, that are named where keys are not. */
const MOST_TEAMS = 200;

/** What labels say of callers beyond what a request tells. */
export interface CallerNames {
  teamAlias(id: string): string | null;
  /** Metadata of a key, by its hash. */
  keyMetadata(hash: string): JsonObject | null;
}

/** Which labels of callers there are beyond the usual. */
export interface CallerLabels {
  /** `custom_prometheus_metadata_labels`: paths in a key's metadata, `metadata.project.name`. */
  readonly metadata: readonly string[];
  /** Whether end customers have a label (`enable_end_user_cost_tracking_prometheus_only`). */
  readonly hasCustomers: boolean;
}

/** Who asked, as far as labels tell it. */
export interface CallerFacts {
  readonly keyHash: string | null;
  readonly keyAlias: string | null;
  readonly userId: string | null;
  readonly teamId: string | null;
}

interface Kept<T> extends CallerFacts {
  readonly teamAlias: string | null;
  readonly labels: Labels;
  readonly shelf: T;
  /** By the id that the client gave. */
  readonly customers: Map<string, T>;
}

/**
 * What is kept for each caller, found by the key's hash without putting labels together.
 *
 * Bounded: the first thousand keys have a place of their own until the process ends; later ones share one for each team.
 */
export class Callers<T> {
  readonly #labels: CallerLabels;
  readonly #names: CallerNames;
  readonly #create: (labels: Labels) => T;
  readonly #byKey = new Map<string | null, Kept<T>>();
  readonly #byTeam = new Map<string | null, Kept<T>>();
  #customers = 0;

  /** @param create makes what is kept for a caller with these labels */
  constructor(labels: CallerLabels, names: CallerNames, create: (labels: Labels) => T) {
    this.#labels = labels;
    this.#names = names;
    this.#create = create;
  }

  at(facts: CallerFacts, customer: string | null): T {
    const { keyHash, teamId } = facts;
    const teamAlias = teamId === null ? null : this.#names.teamAlias(teamId);
    let kept = this.#byKey.get(keyHash);
    if (kept === undefined || !isSame(kept, facts, teamAlias)) kept = this.#place(facts, teamAlias, kept !== undefined);
    return customer === null || !this.#labels.hasCustomers ? kept.shelf : this.#ofCustomer(kept, customer);
  }

  /** A new place, or a common one. A key whose alias or owner changed gets new labels in its old place. */
  #place(facts: CallerFacts, teamAlias: string | null, isKnown: boolean): Kept<T> {
    if (isKnown || this.#byKey.size < MOST_KEYS) {
      const made = this.#keep(facts, teamAlias, this.#metadataOf(facts.keyHash));
      this.#byKey.set(facts.keyHash, made);
      return made;
    }
    const shared = this.#byTeam.get(facts.teamId) ?? this.#byTeam.get(OTHER);
    if (shared !== undefined && (shared.teamId !== facts.teamId || shared.teamAlias === teamAlias)) return shared;
    // A named team whose alias changed keeps its place.
    const isNamed = this.#byTeam.has(facts.teamId) || this.#byTeam.size < MOST_TEAMS;
    const team = isNamed ? facts.teamId : OTHER;
    const others = { keyHash: OTHER, keyAlias: OTHER, userId: OTHER, teamId: team };
    const made = this.#keep(others, isNamed ? teamAlias : OTHER, () => OTHER);
    this.#byTeam.set(team, made);
    return made;
  }

  #keep(facts: CallerFacts, teamAlias: string | null, metadata: (path: string) => string): Kept<T> {
    const { keyHash, keyAlias, userId, teamId } = facts;
    const labels = {
      ...Object.fromEntries(this.#labels.metadata.map((path) => [labelName(path), metadata(path)])),
      ...(this.#labels.hasCustomers && { end_user: NONE }),
      hashed_api_key: keyHash ?? NONE,
      api_key_alias: keyAlias ?? NONE,
      team: teamId ?? NONE,
      team_alias: teamAlias ?? NONE,
      user: userId ?? NONE,
    };
    const shelf = this.#create(labels);
    return { keyHash, keyAlias, userId, teamId, teamAlias, labels, shelf, customers: new Map() };
  }

  #metadataOf(hash: string | null): (path: string) => string {
    const metadata = hash === null ? null : this.#names.keyMetadata(hash);
    return (path) => textAt(metadata, path.replace(/^metadata\./, ''));
  }

  /** Clients choose these ids, so there may be any number of them. */
  #ofCustomer(kept: Kept<T>, customer: string): T {
    const known =
      kept.customers.get(customer) ?? (this.#customers < MOST_TEAMS ? undefined : kept.customers.get(OTHER));
    if (known !== undefined) return known;
    const name = this.#customers < MOST_TEAMS ? customer : OTHER;
    if (name !== OTHER) this.#customers += 1;
    const made = this.#create({ ...kept.labels, end_user: name });
    kept.customers.set(name, made);
    return made;
  }
}

function isSame(kept: Kept<unknown>, facts: CallerFacts, teamAlias: string | null): boolean {
  return (
    kept.keyAlias === facts.keyAlias &&
    kept.teamId === facts.teamId &&
    kept.userId === facts.userId &&
    kept.teamAlias === teamAlias
  );
}

/** As LiteLLM makes a label of a path or a tag: whatever Prometheus does not allow in a name becomes `_`. */
export function labelName(text: string): string {
  return text.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d)/, '_');
}

/** A text or number in metadata; everything else is `None`. */
function textAt(metadata: JsonObject | null, path: string): string {
  let found: Json | undefined = metadata ?? undefined;
  for (const word of path.split('.')) {
    if (typeof found !== 'object' || found === null || Array.isArray(found)) return NONE;
    found = Object.hasOwn(found, word) ? (found as JsonObject)[word] : undefined;
  }
  return typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean' ? String(found) : NONE;
}
