import { type DefaultBudgets, NO_DEFAULT_BUDGETS } from '../../core/budget.ts';
import type { Clock, Timer } from '../../core/clock.ts';
import { millis, seconds } from '../../core/units.ts';
import type { FeedEvent } from '../../store/feed.ts';
import { budgetTable } from '../../store/schema/identity.ts';
import type { Store } from '../../store/store.ts';
import { Roster } from './roster.ts';
import { type Shelf, shelvesOf } from './shelves.ts';

/** Between attempts to read what could not be read. */
const RETRY = seconds(1);

/** What the directory tells the log. */
export interface DirectoryObserver {
  /** Everything has been read. */
  loaded(keys: number): void;
  failed(reason: string): void;
}

/**
 * Keeps the roster equal to the store.
 *
 *   empty ──load──▶ owners known ──all keys read──▶ loaded ──change──▶ the rows that changed are read again ⟲
 *                                                     ▲ └──resync, database back──▶ everything is read again ─┐
 *                                                     └────────────────────────────────────────────────────────┘
 *
 * 1. One reading at a time, so that of two readings of one row the later one stays.
 * 2. Changes are taken in between the pages of a long reading: a block waits for no reading of a hundred thousand keys.
 * 3. What could not be read is read again, all of it: no change is forgotten because the database went away.
 */
export class DirectoryKeeper {
  readonly roster: Roster;
  readonly #store: Pick<Store, 'health' | 'onHealth' | 'onChange' | 'read'>;
  readonly #clock: Clock;
  readonly #observer: DirectoryObserver;
  readonly #shelves: readonly Shelf[];
  readonly #stops: (() => void)[] = [];
  /** Rows to be read again, by table. */
  #changed = new Map<string, Set<string>>();
  /** Those who wait for the rows in `#changed`. */
  #waiting: (() => void)[] = [];
  #isWholeDue = true;
  readonly #ready = Promise.withResolvers<void>();
  #isReady = false;
  #running: Promise<void> | null = null;
  #timer: Timer | null = null;
  #isClosed = false;

  constructor(
    store: Pick<Store, 'health' | 'onHealth' | 'onChange' | 'read'>,
    clock: Clock,
    observer: DirectoryObserver,
    defaults: () => DefaultBudgets = () => NO_DEFAULT_BUDGETS,
  ) {
    this.roster = new Roster(defaults);
    this.#store = store;
    this.#clock = clock;
    this.#observer = observer;
    this.#shelves = shelvesOf(store.read, this.roster);
  }

  /** Whether everybody but the keys was read at least once; before that nobody can be judged. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Resolves when `isReady` becomes true. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Grows when something changed or is about to: who read a row before and after knows whether it is still true. */
  changes = 0;

  /** Begins to read and to listen; does not wait. */
  start(): void {
    this.#stops.push(
      this.#store.onChange((events) => this.#note(events)),
      this.#store.onHealth((state) => {
        if (state.kind === 'up') this.#reload();
      }),
    );
    this.#wake();
  }

  /** Reads these rows in turn with everything else; resolves when that was done, or has failed. */
  async refresh(rows: readonly { readonly table: string; readonly id: string }[]): Promise<void> {
    for (const { table, id } of rows) this.#add(table, id);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#wake();
    await promise;
  }

  /** Resolves when no reading is under way: for tests, and for an answer that tells of a change. */
  async settled(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const stop of this.#stops) stop();
  }

  #note(events: readonly FeedEvent[]): void {
    this.changes += 1;
    for (const event of events) {
      if (event.kind === 'resync') this.#isWholeDue = true;
      else this.#add(event.table, event.objectId);
    }
    this.#wake();
  }

  #reload(): void {
    this.#isWholeDue = true;
    this.#wake();
  }

  #add(table: string, id: string): void {
    if (!this.#shelves.some((each) => each.table === table)) return;
    const ids = this.#changed.get(table);
    if (ids === undefined) this.#changed.set(table, new Set([id]));
    else ids.add(id);
  }

  #wake(): void {
    if (this.#isClosed || this.#running !== null || this.#store.health().kind === 'down') return;
    this.#timer?.cancel();
    this.#timer = null;
    this.#running = this.#readAll().finally(() => {
      this.#running = null;
    });
  }

  async #readAll(): Promise<void> {
    try {
      while (!this.#isClosed && (this.#isWholeDue || this.#changed.size > 0)) {
        if (this.#isWholeDue) await this.#readWhole();
        else await this.#readChanged();
      }
    } catch (error) {
      this.#isWholeDue = true;
      for (const done of this.#waiting.splice(0)) done();
      if (this.#isClosed) return;
      this.#observer.failed(error instanceof Error ? error.message : String(error));
      this.#timer = this.#clock.after(RETRY, () => this.#wake());
    }
  }

  async #readWhole(): Promise<void> {
    this.#isWholeDue = false;
    const pause = async () => {
      this.roster.version += 1;
      if (this.#changed.size > 0) await this.#readChanged();
      // The embedded database answers without letting anybody else have a turn.
      await this.#turn();
    };
    for (const [index, shelf] of this.#shelves.entries()) {
      // Keys come last, and one that is not there yet is looked up by itself.
      if (index === this.#shelves.length - 1) this.#becomeReady();
      await shelf.load(pause);
    }
    this.roster.version += 1;
    this.#observer.loaded(this.roster.keys.size);
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(millis(0), resolve);
    });
  }

  #becomeReady(): void {
    this.#isReady = true;
    this.#ready.resolve();
  }

  async #readChanged(): Promise<void> {
    const changed = this.#changed;
    const waiting = this.#waiting.splice(0);
    this.#changed = new Map();
    try {
      await this.#readRows(changed);
    } finally {
      for (const done of waiting) done();
    }
  }

  async #readRows(changed: ReadonlyMap<string, ReadonlySet<string>>): Promise<void> {
    for (const shelf of this.#shelves) await shelf.refresh([...(changed.get(shelf.table) ?? [])]);
    const budgets = [...(changed.get(budgetTable.name) ?? [])];
    for (const shelf of this.#shelves) await shelf.refreshBudgets(budgets);
    this.roster.version += 1;
    this.changes += 1;
  }
}
