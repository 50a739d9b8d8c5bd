import type { Clock, Timer } from '../../core/clock.ts';
import { type Millis, nanoUsd, plus, seconds } from '../../core/units.ts';
import type { Asked, BudgetRule, BudgetScope, Budgets } from '../../metering/budget.ts';
import type { Estimate } from '../../metering/estimate.ts';
import { isSamePeriod } from '../../metering/period.ts';
import type { Store } from '../../store/store.ts';
import { askedOf, storedFrom } from './accounts.ts';
import type { AppliedPositions } from './applied-positions.ts';
import type { Due, Exchanges } from './exchanges.ts';

/** How often the accounts in use are read again: so old may be what is known of other instances' spend. */
const REFRESH: Millis = seconds(2);
/** A budget that nobody used for so long is shared with nobody: nothing is kept of it to spare. */
const QUIET: Millis = seconds(10);
/** An account that nobody used for so long is let go, and read again when somebody does. */
const IDLE: Millis = seconds(60);
/** Longest wait of a request for what an account has spent; then it goes on with what this instance knows. */
const PATIENCE: Millis = seconds(2);

interface Watched {
  rule: BudgetRule;
  usedAt: Millis;
  /** Whether the store has been asked, with or without an answer: nobody waits twice. */
  isAsked: boolean;
  /** The reading that runs for those who wait; null when there is none. */
  asking: Promise<void> | null;
}

/**
 * Keeps the accounts of budgets in step with the store.
 *
 *   unknown ── first use: the request waits for the store ──▶ warm ── read again every two seconds ──▶ warm
 *                                                              └── not used for a minute ──▶ unknown
 *
 * Only what is in use is read: neither the start nor the number of keys costs anything. Where several instances share
 * a budget its reading is an exchange (`exchanges.ts`), the first one too.
 */
export class BalanceKeeper {
  readonly #store: Pick<Store, 'balances' | 'health'>;
  readonly #positions: AppliedPositions;
  readonly #budgets: Budgets;
  readonly #clock: Clock;
  readonly #exchanges: Exchanges | null;
  readonly #watched = new Map<BudgetScope, Map<string, Watched>>();
  #timer: Timer | null = null;
  #isClosed = false;

  /** @param exchanges with the other instances on the same database; null where there can be none */
  constructor(
    store: Pick<Store, 'balances' | 'health'>,
    positions: AppliedPositions,
    budgets: Budgets,
    clock: Clock,
    exchanges: Exchanges | null = null,
  ) {
    this.#store = store;
    this.#positions = positions;
    this.#budgets = budgets;
    this.#clock = clock;
    this.#exchanges = exchanges;
  }

  start(): void {
    if (this.#isClosed) return;
    this.#timer = this.#clock.after(REFRESH, () => void this.refresh().finally(() => this.start()));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#exchanges?.close();
  }

  /** Accounts that are read again and again: for metrics. */
  get size(): number {
    let sum = 0;
    for (const accounts of this.#watched.values()) sum += accounts.size;
    return sum;
  }

  /**
   * Makes sure that the store was asked about every account of a chain.
   *
   * @returns null when it was, which is the rule; else a promise that ends when it was, or after two seconds
   */
  known(chain: readonly BudgetRule[]): Promise<void> | null {
    const now = this.#clock.now();
    let unknown: Watched[] | null = null;
    for (const rule of chain) {
      const watched = this.#watch(rule, now);
      if (watched.isAsked) continue;
      unknown ??= [];
      unknown.push(watched);
    }
    if (unknown === null) return null;
    const waits = unknown.flatMap(({ asking }) => asking ?? []);
    const fresh = unknown.filter(({ asking }) => asking === null);
    if (fresh.length > 0) waits.push(this.#ask(fresh));
    return Promise.all(waits).then(() => undefined);
  }

  /** Asks the store for what a request needs beyond what this instance holds: see `Exchanges.cover`. */
  async cover(chain: readonly BudgetRule[], estimate: Estimate): Promise<Asked> {
    return this.#exchanges === null ? 'unanswered' : this.#exchanges.cover(chain, estimate);
  }

  /** Asks about all of them at once. */
  #ask(watched: readonly Watched[]): Promise<void> {
    const asking = this.#within(this.#renew(watched)).then(() => {
      for (const each of watched) {
        each.isAsked = true;
        each.asking = null;
      }
    });
    for (const each of watched) each.asking = asking;
    return asking;
  }

  /** Reads every account in use again, and lets go of the others. */
  async refresh(): Promise<void> {
    this.#release(this.#clock.now());
    await this.#renew([...this.#watched.values()].flatMap((accounts) => [...accounts.values()]));
    this.#budgets.prune((scope, id) => this.#watched.get(scope)?.has(id) === true);
  }

  #watch(rule: BudgetRule, now: Millis): Watched {
    let accounts = this.#watched.get(rule.scope);
    if (accounts === undefined) {
      accounts = new Map();
      this.#watched.set(rule.scope, accounts);
    }
    let watched = accounts.get(rule.id);
    if (watched === undefined) {
      watched = { rule, usedAt: now, isAsked: false, asking: null };
      accounts.set(rule.id, watched);
    }
    // Another length of the period counts other spend, which has to be asked for anew.
    if (watched.rule.budget !== rule.budget)
      watched.isAsked &&= isSamePeriod(watched.rule.budget.period, rule.budget.period);
    watched.rule = rule;
    watched.usedAt = now;
    return watched;
  }

  #release(now: Millis): void {
    const wall = this.#clock.wall();
    for (const accounts of this.#watched.values())
      for (const [id, { rule, usedAt }] of accounts)
        if (plus(usedAt, IDLE) < now && !this.#budgets.isHolding(rule, wall)) accounts.delete(id);
  }

  /** Budgets that are shared and in use are exchanged, which reads them too; the others are read. */
  async #renew(watched: readonly Watched[]): Promise<void> {
    const exchanges = this.#exchanges;
    if (exchanges === null) return this.#read(watched);
    const now = this.#clock.now();
    const wall = this.#clock.wall();
    const due: Due[] = [];
    const quiet: Watched[] = [];
    for (const each of watched) {
      const isIdle = plus(each.usedAt, QUIET) < now;
      const isDivided = each.rule.budget.limit !== null && storedFrom(each.rule, wall) !== null;
      if (isDivided && (!isIdle || this.#budgets.isHolding(each.rule, wall))) due.push({ rule: each.rule, isIdle });
      else quiet.push(each);
    }
    await exchanges.exchange(due);
    await this.#read(quiet);
  }

  async #read(watched: readonly Watched[]): Promise<void> {
    const wall = this.#clock.wall();
    const asked = watched.flatMap(({ rule }) => {
      const start = storedFrom(rule, wall);
      return start === null ? [] : [{ rule, start }];
    });
    if (asked.length === 0 || this.#store.health().kind === 'down') return;
    const accounts = asked.map(({ rule, start }) => askedOf(rule, start));
    try {
      const { found, position } = await this.#positions.alone(() => this.#store.balances(accounts));
      if (position === null) return;
      for (const [index, { rule, start }] of asked.entries()) {
        const balance = found[index];
        if (balance === undefined) continue;
        const spent = nanoUsd(balance.spend + balance.assumed);
        this.#budgets.rebase(rule, { periodStart: start, spent, position }, this.#clock.wall());
      }
    } catch {
      // The database is away: what this instance knows goes on, and the next round asks again.
    }
  }

  async #within(work: Promise<void>): Promise<void> {
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const timer = this.#clock.after(PATIENCE, resolve);
    await Promise.race([work, enough]);
    timer.cancel();
  }
}
