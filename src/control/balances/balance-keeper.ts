import type { Clock, Timer } from '../../core/clock.ts';
import { type EpochMillis, type Millis, nanoUsd, plus, seconds } from '../../core/units.ts';
import type { BudgetRule, BudgetScope, Budgets } from '../../metering/budget.ts';
import { periodAt } from '../../metering/period.ts';
import type { Account } from '../../store/ledger/accounts.ts';
import { BUCKET } from '../../store/ledger/balance.ts';
import type { Store } from '../../store/store.ts';
import type { AppliedPositions } from './applied-positions.ts';

/** How often the accounts in use are read again: so old may be what is known of other instances' spend. */
const REFRESH: Millis = seconds(2);
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
 * Only what is in use is read: neither the start nor the number of keys costs anything.
 */
export class BalanceKeeper {
  readonly #store: Pick<Store, 'balances' | 'health'>;
  readonly #positions: AppliedPositions;
  readonly #budgets: Budgets;
  readonly #clock: Clock;
  readonly #watched = new Map<BudgetScope, Map<string, Watched>>();
  #timer: Timer | null = null;
  #isClosed = false;

  constructor(store: Pick<Store, 'balances' | 'health'>, positions: AppliedPositions, budgets: Budgets, clock: Clock) {
    this.#store = store;
    this.#positions = positions;
    this.#budgets = budgets;
    this.#clock = clock;
  }

  start(): void {
    if (this.#isClosed) return;
    this.#timer = this.#clock.after(REFRESH, () => void this.refresh().finally(() => this.start()));
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
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
    let waits: Promise<void>[] | null = null;
    for (const rule of chain) {
      const watched = this.#watch(rule, now);
      if (watched.isAsked) continue;
      waits ??= [];
      watched.asking ??= this.#ask(watched);
      waits.push(watched.asking);
    }
    return waits === null ? null : Promise.all(waits).then(() => undefined);
  }

  async #ask(watched: Watched): Promise<void> {
    await this.#within(this.#read([watched]));
    watched.isAsked = true;
    watched.asking = null;
  }

  /** Reads every account in use again, and lets go of the others. */
  async refresh(): Promise<void> {
    this.#release(this.#clock.now());
    await this.#read([...this.#watched.values()].flatMap((accounts) => [...accounts.values()]));
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
    if (watched.rule.budget !== rule.budget) watched.isAsked &&= isLike(watched.rule, rule);
    watched.rule = rule;
    watched.usedAt = now;
    return watched;
  }

  #release(now: Millis): void {
    for (const accounts of this.#watched.values())
      for (const [id, { usedAt }] of accounts) if (plus(usedAt, IDLE) < now) accounts.delete(id);
  }

  async #read(watched: readonly Watched[]): Promise<void> {
    const wall = this.#clock.wall();
    const asked = watched.flatMap(({ rule }) => {
      const start = storedFrom(rule, wall);
      return start === null ? [] : [{ rule, start }];
    });
    if (asked.length === 0 || this.#store.health().kind === 'down') return;
    const accounts = asked.map(({ rule, start }) => ({
      account: accountOf(rule),
      since: rule.budget.period.kind === 'forever' ? null : start,
    }));
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

/**
 * From when the store's sums count for a budget; null when it cannot say: a period that does not begin with a quarter of
 * an hour is kept by each instance alone, from its start.
 */
function storedFrom({ budget }: BudgetRule, now: EpochMillis): EpochMillis | null {
  const { start } = periodAt(budget.period, now);
  return start % BUCKET === 0 ? start : null;
}

/** Whether both count the same spend: another length of the period has to be asked for anew. */
function isLike({ budget: { period: one } }: BudgetRule, { budget: { period: other } }: BudgetRule): boolean {
  if (one.kind === 'forever' || other.kind === 'forever') return one.kind === other.kind;
  return (
    one.length.count === other.length.count && one.length.unit === other.length.unit && one.anchor === other.anchor
  );
}

/** Where the ledger adds up what a budget is charged with. */
function accountOf({ scope, id }: BudgetRule): Account {
  const words = id.split('\u0000');
  switch (scope) {
    case 'key':
      return { type: 'key', id: words };
    case 'model_per_key':
      return { type: 'model-of-key', id: words };
    case 'team_member':
      return { type: 'team-member', id: [words[1] ?? '', words[0] ?? ''] };
    case 'user':
      return { type: 'user-alone', id: words };
    case 'team':
      return { type: 'team', id: words };
    case 'organization':
      return { type: 'organization', id: words };
    case 'end_user':
      return { type: 'customer', id: words };
    case 'tag':
      return { type: 'tag', id: words };
    case 'global':
      return { type: 'all', id: [] };
  }
}
