import type { Clock } from '../../core/clock.ts';
import type { VirtualKey } from '../../core/identity.ts';
import { StoreUnavailable } from '../../core/ledger-store.ts';
import { type Millis, plus, seconds } from '../../core/units.ts';
import type { FoundKey } from '../../store/resources/keys.ts';
import {
  budgetTable,
  type KeyRow,
  keyTable,
  organizationTable,
  teamMembershipTable,
  teamTable,
  userTable,
} from '../../store/schema/identity.ts';
import type { Store } from '../../store/store.ts';
import type { DirectoryKeeper } from './directory.ts';
import { memberId } from './roster.ts';
import { putKey } from './shelves.ts';

/** How long a hash that nobody has is refused without a look; a key made in the meantime is heard of sooner. */
const UNKNOWN_FOR = seconds(10);
/** Guesses of somebody who tries keys: so many are remembered. */
const MOST_UNKNOWN = 10_000;
/** Look-ups at once: somebody who tries keys shall not keep the database from others. */
const MOST_LOOKUPS = 32;
/** Look-ups that a change may overtake before the client is asked to come again. */
const MOST_TRIES = 5;
const LONGEST_LOOKUP: Millis = seconds(2);

/** Whose key a hash is. `unavailable`: not in memory, and the database cannot be asked in time. */
export type Finding = VirtualKey | null | 'unavailable';

/**
 * Finds keys by their hash: in memory, else by one look-up in the store, whoever asks for it meanwhile.
 *
 * What is not there is remembered for a while, so that a client with a wrong key does not ask the database each time.
 */
export class KeyFinder {
  readonly #directory: DirectoryKeeper;
  readonly #store: Pick<Store, 'health' | 'read'>;
  readonly #clock: Clock;
  readonly #running = new Map<string, Promise<Finding>>();
  /** Hash → when it is worth to look again, and the state of the directory in which it was not there. */
  readonly #unknown = new Map<string, { readonly until: Millis; readonly changes: number }>();

  constructor(directory: DirectoryKeeper, store: Pick<Store, 'health' | 'read'>, clock: Clock) {
    this.#directory = directory;
    this.#store = store;
    this.#clock = clock;
  }

  /** @param hash SHA-256 of the key, lower-case hex */
  find(hash: string): Finding | Promise<Finding> {
    const { roster, isReady, changes } = this.#directory;
    const known = isReady ? roster.presented(hash, this.#clock.wall()) : null;
    if (known !== null) return known;
    const unknown = this.#unknown.get(hash);
    if (unknown !== undefined && unknown.changes === changes && this.#clock.now() < unknown.until) return null;
    if (this.#store.health().kind === 'down') return 'unavailable';
    return this.#running.get(hash) ?? this.#start(hash);
  }

  #start(hash: string): Finding | Promise<Finding> {
    if (this.#running.size >= MOST_LOOKUPS) return 'unavailable';
    const finding = this.#within(this.#lookUp(hash)).finally(() => this.#running.delete(hash));
    this.#running.set(hash, finding);
    return finding;
  }

  async #lookUp(hash: string): Promise<Finding> {
    try {
      // After the start: owners first, without whom no key can be judged.
      await this.#directory.ready;
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        const { changes } = this.#directory;
        const found = await this.#store.read.keys.findByHash(hash);
        if (changes === this.#directory.changes) return await this.#take(hash, found, changes);
      }
      return 'unavailable';
    } catch (error) {
      if (error instanceof StoreUnavailable) return 'unavailable';
      throw error;
    }
  }

  async #take(hash: string, found: FoundKey | null, changes: number): Promise<Finding> {
    const { roster } = this.#directory;
    if (found === null) {
      if (this.#unknown.size >= MOST_UNKNOWN) this.#unknown.clear();
      this.#unknown.set(hash, { until: plus(this.#clock.now(), UNKNOWN_FOR), changes });
      return null;
    }
    const missing = this.#missing(found.row);
    if (missing.length === 0) putKey(roster, hash, found);
    // Not before its owners are there, or others would be told that they do not exist.
    else await this.#directory.refresh([...missing, { table: keyTable.name, id: hash }]);
    return roster.presented(hash, this.#clock.wall()) ?? 'unavailable';
  }

  /** Whom the key names and the roster does not know: made together with the key, a moment ago. */
  #missing({ team_id, user_id, organization_id, budget_id }: KeyRow) {
    const { teams, users, organizations, budgets, members } = this.#directory.roster;
    const missing: { readonly table: string; readonly id: string }[] = [];
    const want = (table: string, id: string | null, known: ReadonlyMap<string, unknown>): void => {
      if (id !== null && !known.has(id)) missing.push({ table, id });
    };
    want(budgetTable.name, budget_id, budgets);
    want(organizationTable.name, organization_id, organizations);
    want(teamTable.name, team_id, teams);
    want(userTable.name, user_id, users);
    if (team_id !== null && user_id !== null) want(teamMembershipTable.name, memberId(user_id, team_id), members);
    return missing;
  }

  async #within(lookUp: Promise<Finding>): Promise<Finding> {
    const { promise: tooLate, resolve } = Promise.withResolvers<Finding>();
    const timer = this.#clock.after(LONGEST_LOOKUP, () => resolve('unavailable'));
    try {
      return await Promise.race([lookUp, tooLate]);
    } finally {
      timer.cancel();
    }
  }
}
