import type { Clock, Timer } from '../core/clock.ts';
import { millis } from '../core/units.ts';
import type { Engine } from './engine.ts';
import { changeFeedTable } from './schema/tables.ts';

/**
 * What instances must read again.
 *
 * `changed`: one row of one table. `resync`: more was missed than the feed remembers, so everything.
 */
export type FeedEvent =
  | { readonly kind: 'changed'; readonly table: string; readonly objectId: string }
  | { readonly kind: 'resync' };

export type FeedListener = (events: readonly FeedEvent[]) => void;

/** How often the feed is read although nobody called: what a lost notification costs at most. */
const POLL = millis(500);
/** Rows read at a time; more are a `resync`. */
const BATCH = 1_000;

/**
 * Tells of every committed change, of this instance and of all others.
 *
 * 1. Changes are numbered without gaps in the order of their commits (`change-log.ts`).
 * 2. Notifications and the local commit only say "look"; what happened is read from the table. Nothing depends on them:
 *    a poll finds the same.
 * 3. An event is given at least once, after its commit.
 */
export class ChangeFeed {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #listeners = new Set<FeedListener>();
  /** Null: the database was away when we started, and whatever is read first is news. */
  #last: number | null = null;
  #timer: Timer | null = null;
  #reading: Promise<void> | null = null;
  #isStale = false;
  #isClosed = false;

  private constructor(engine: Engine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /** Starts after the newest change: what is read from now on contains all earlier ones. */
  static async start(engine: Engine, clock: Clock): Promise<ChangeFeed> {
    const feed = new ChangeFeed(engine, clock);
    if (engine.health.state.kind === 'up') await feed.#begin();
    else feed.#beginLater();
    if (engine.listen !== null) feed.#poll();
    return feed;
  }

  async #begin(): Promise<void> {
    this.#last = await this.#newest();
    await this.#engine.listen?.(() => this.wake());
  }

  /** Without a notification a poll finds what is new. */
  #beginLater(): void {
    const stop = this.#engine.health.onChange((state) => {
      if (state.kind !== 'up' || this.#isClosed) return;
      stop();
      void this.#engine.listen?.(() => this.wake()).catch(() => undefined);
      void this.wake();
    });
  }

  /** Calls `listener` with changes, until the returned function is called. */
  subscribe(listener: FeedListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Reads what is new; resolves when it has been told. A call during a reading makes one more follow it. */
  wake(): Promise<void> {
    this.#isStale = true;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #poll(): void {
    if (this.#isClosed) return;
    this.#timer = this.#clock.after(POLL, () => void this.wake().then(() => this.#poll()));
  }

  async #read(): Promise<void> {
    while (this.#isStale && !this.#isClosed) {
      this.#isStale = false;
      try {
        const events = await this.#next();
        if (events.length > 0) for (const listener of this.#listeners) listener(events);
      } catch {
        // The database is away: the next poll reads on from the same place.
      }
    }
  }

  async #next(): Promise<readonly FeedEvent[]> {
    if (this.#last === null) {
      this.#last = await this.#newest();
      return [{ kind: 'resync' }];
    }
    const rows = await this.#engine.queries
      .selectFrom(changeFeedTable.name)
      .selectAll()
      .where('sequence', '>', this.#last)
      .orderBy('sequence')
      .limit(BATCH)
      .execute();
    const first = rows[0]?.sequence;
    if (first === undefined) return [];
    const isWhole = first === this.#last + 1 && rows.length < BATCH;
    this.#last = isWhole ? Number(rows.at(-1)?.sequence) : await this.#newest();
    if (!isWhole) return [{ kind: 'resync' }];
    return rows.map((row) => ({ kind: 'changed', table: String(row.table_name), objectId: String(row.object_id) }));
  }

  async #newest(): Promise<number> {
    const row = await this.#engine.queries
      .selectFrom(changeFeedTable.name)
      .select(({ fn }) => fn.max('sequence').as('sequence'))
      .executeTakeFirstOrThrow();
    return Number(row.sequence ?? 0);
  }
}
