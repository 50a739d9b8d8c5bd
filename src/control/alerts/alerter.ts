import type { Clock, Timer } from '../../core/clock.ts';
import { epochMillis, type Millis, millis, seconds } from '../../core/units.ts';
import type { BudgetAlert } from '../../metering/budget.ts';
import { StoreUnavailable } from '../../store/errors.ts';
import type { BudgetAlertRow } from '../../store/schema/alerts.ts';
import type { Store } from '../../store/store.ts';
import { alertId, alertPayload } from './payload.ts';
import { SIGNATURE_HEADER, signature } from './signature.ts';
import { subjectOf, wordsOf } from './subject.ts';

/** Where alerts go, and what they are signed with; null: not at all. */
export interface Webhook {
  readonly url: string;
  readonly key: string | null;
}

export type Headers = Readonly<Record<string, string>>;

/** What the alerter is built from. */
export interface AlerterParts {
  readonly store: Pick<Store, 'alerts' | 'read'>;
  readonly webhook: Webhook;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Sends and gives the status. Throws when there is no answer within the time that one may take. */
  readonly post: (url: string, headers: Headers, body: string) => Promise<number>;
  readonly log: {
    failed(alert: string, reason: string): void;
    /** It was tried for a day, or could not even be kept. */
    lost(alert: string, reason: string): void;
  };
}

/** A delivery takes less than this, or its row is free for another instance. */
const LEASE: Millis = seconds(60);
/** How often rows are looked for that another instance, or an earlier run, left. */
const LOOK: Millis = seconds(5);
const FIRST_DELAY: Millis = seconds(1);
const LONGEST_DELAY: Millis = seconds(300);
/** After so long an alert is of no use to anybody. */
const PATIENCE: Millis = seconds(24 * 3600);
/** Alerts that wait for a database which is away; a budget has three marks in a period, so this is many. */
const MOST_WAITING = 10_000;

/**
 * Delivers alerts about budgets in the background; no request waits for any of it.
 *
 *   tell ─▶ waiting (memory) ─▶ row in the store ─▶ delivered
 *                                  │      ▲
 *                                  └──────┘ failed: again after 1 s, 2 s, 4 s … 5 min, for a day
 *
 * 1. A mark of a budget makes one row in a period, whatever number of instances and restarts; so one alert.
 * 2. An alert is sent until a receiver has answered 2xx, then never again. A receiver whose answer was lost gets it once
 *    more under the same `x-tollgate-alert-id`.
 * 3. While the database is away facts wait in memory; a crash then loses none, for the next start sees the mark passed.
 */
export class Alerter {
  readonly #parts: AlerterParts;
  #waiting: BudgetAlert[] = [];
  #work: Promise<void> | null = null;
  #isStale = false;
  #timer: Timer | null = null;
  #isClosed = false;

  constructor(parts: AlerterParts) {
    this.#parts = parts;
  }

  /** Begins to look for alerts that were left behind. */
  start(): void {
    void this.run();
  }

  /** Takes a fact and returns at once. */
  tell(alert: BudgetAlert): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#parts.log.lost(alertId(alert), 'too many alerts wait for the database');
      return;
    }
    this.#waiting.push(alert);
    void this.run();
  }

  /** Does what there is to do; resolves when it is done, whether or not receivers answered. */
  run(): Promise<void> {
    this.#isStale = true;
    this.#work ??= this.#loop().finally(() => {
      this.#work = null;
      this.#schedule();
    });
    return this.#work;
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #schedule(): void {
    this.#timer?.cancel();
    if (!this.#isClosed) this.#timer = this.#parts.clock.after(this.#pause, () => void this.run());
  }

  /** Until the next look: short while something has just failed. */
  #pause: Millis = LOOK;

  async #loop(): Promise<void> {
    while (this.#isStale && !this.#isClosed) {
      this.#isStale = false;
      this.#pause = LOOK;
      try {
        await this.#keep();
        await this.#deliver();
      } catch {
        // The database is away: what waits goes on waiting.
      }
    }
  }

  async #keep(): Promise<void> {
    for (let alert = this.#waiting[0]; alert !== undefined; alert = this.#waiting[0]) {
      try {
        await this.#add(alert);
      } catch (error) {
        if (error instanceof StoreUnavailable) throw error;
        // No later try would do better, and the others are not to wait behind it.
        this.#parts.log.lost(alertId(alert), 'the database cannot hold it');
      }
      this.#waiting.shift();
    }
  }

  async #add(alert: BudgetAlert): Promise<void> {
    const { store, clock } = this.#parts;
    const id = alertId(alert);
    if (await store.alerts.has(id)) return;
    const now = new Date(clock.wall());
    await store.alerts.add({
      alert_id: id,
      account_type: alert.rule.scope,
      account_id: wordsOf(alert.rule.id).join(' '),
      mark: String(alert.mark),
      period_start: new Date(alert.periodStart),
      payload: alertPayload(alert, await subjectOf(alert.rule, store)),
      next_try_at: now,
      created_at: now,
    });
  }

  async #deliver(): Promise<void> {
    const { store, clock } = this.#parts;
    for (;;) {
      const now = clock.wall();
      const rows = await store.alerts.take(new Date(now), new Date(now + LEASE));
      if (rows.length === 0) return;
      await Promise.all(rows.map((row) => this.#send(row)));
    }
  }

  async #send(row: BudgetAlertRow): Promise<void> {
    const { store, clock, log } = this.#parts;
    const problem = await this.#post(row);
    const now = clock.wall();
    if (problem === null) {
      await store.alerts.delivered(row, new Date(now));
      return;
    }
    const delay = this.#delay(row.tries + 1);
    const isOver = now + delay - row.created_at.getTime() > PATIENCE;
    (isOver ? log.lost : log.failed)(row.alert_id, problem);
    await store.alerts.failed(row, { reason: problem, nextTryAt: isOver ? null : new Date(now + delay) });
    this.#pause = millis(Math.min(this.#pause, delay));
  }

  /** @returns why it was not delivered, or null */
  async #post(row: BudgetAlertRow): Promise<string | null> {
    const { webhook, post, clock } = this.#parts;
    const body = JSON.stringify(row.payload);
    const at = Math.floor(epochMillis(clock.wall()) / 1000);
    const signed = webhook.key === null ? {} : { [SIGNATURE_HEADER]: signature(body, webhook.key, at) };
    const headers = { 'content-type': 'application/json', 'x-tollgate-alert-id': row.alert_id, ...signed };
    try {
      const status = await post(webhook.url, headers, body);
      return status >= 200 && status < 300 ? null : `the receiver answered ${status}`;
    } catch {
      // The client's words may repeat the address, which often holds a credential.
      return 'the receiver gave no answer';
    }
  }

  /** Doubles up to five minutes, with up to a fifth more, so that instances do not come back together. */
  #delay(tries: number): Millis {
    const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (tries - 1));
    return millis(Math.round(delay * (1 + this.#parts.random() / 5)));
  }
}
