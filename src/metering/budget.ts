import type { Budget } from '../core/budget.ts';
import { type EpochMillis, type NanoUsd, nanoUsd } from '../core/units.ts';
import type { Estimate } from './estimate.ts';
import { type PeriodBounds, periodAt } from './period.ts';

/*
 * Who may still spend how much.
 *
 *   reserve ──refused──▶ nothing has changed
 *      │
 *      ▼          settle(cost, position): the fact replaces the estimate
 *     held ────────────────────────────────────────────────────▶ settled
 *      │                                                            ▲
 *      └── release(): what was held is free ──▶ released ── settle ─┘   (a cost that comes late still counts)
 *
 * An account's spend is what the store says (`base`) and what it does not know yet (`unapplied`):
 *
 *   spent = base + Σ unapplied          free = limit − spent − reserved
 *
 * 1. One step: either every account of the chain holds the estimate or none does.
 * 2. While every request is bounded, spent + reserved ≤ limit, so spent never passes the limit.
 * 3. Of requests that nobody bounded, at most one at a time may hold less than its estimate on one account: so spent
 *    passes the limit by less than one such estimate, however many come at once.
 * 4. A lease is settled once and released once; reserved sums return to zero when all are.
 * 5. Each cost settled here is in `base` or in `unapplied`, never in both and never in neither: it leaves
 *    `unapplied` only with a base that holds every position up to its own.
 * 6. A period begins by the clock, with nothing spent. A cost belongs to the period in which it is settled;
 *    what is reserved at the turn stays reserved.
 * 7. Each threshold is told once per account and period.
 */

/** Whose budget it is. */
export type BudgetScope =
  | 'key'
  | 'model_per_key'
  | 'team_member'
  | 'user'
  | 'team'
  | 'organization'
  | 'end_user'
  | 'tag'
  | 'global';

/** One budget that a request is charged to. */
export interface BudgetRule {
  readonly scope: BudgetScope;
  /** Names the account within its scope, for as long as its owner lives: a key's id, not its hash. */
  readonly id: string;
  /** What messages call it: never a hash. */
  readonly shown: string;
  readonly budget: Budget;
}

/** Why a request is not paid for. */
export type BudgetRefusal =
  | {
      readonly kind: 'exceeded';
      readonly rule: BudgetRule;
      readonly spent: NanoUsd;
      /** Held by requests that are running. */
      readonly reserved: NanoUsd;
      readonly limit: NanoUsd;
      readonly wanted: NanoUsd;
      /** When it begins anew; null: never. */
      readonly resets: EpochMillis | null;
    }
  /** What was spent is not known, and the operator wants certainty. */
  | { readonly kind: 'unknown'; readonly rule: BudgetRule };

/** Something that somebody wants to hear, once per account, period and mark. */
export interface BudgetAlert {
  readonly rule: BudgetRule;
  /** `soft`, or the percentage of the limit. */
  readonly mark: 'soft' | number;
  readonly spent: NanoUsd;
  readonly periodStart: EpochMillis;
}

/** What the store knows of one account, read together in one transaction. */
export interface StoredSpend {
  /** Start of the period that `spent` is of. */
  readonly periodStart: EpochMillis;
  readonly spent: NanoUsd;
  /** Everything that this instance settled up to this position of its journal is in `spent`; nothing after it is. */
  readonly position: number;
}

/** How one account stands. */
export interface BudgetStanding {
  readonly rule: BudgetRule;
  readonly spent: NanoUsd;
  /** Held by requests that are running. */
  readonly reserved: NanoUsd;
  /** Null: it has none. */
  readonly limit: NanoUsd | null;
  /** When the next period begins; null: never. */
  readonly resets: EpochMillis | null;
}

/** A sum that is held until the request ends. */
export interface BudgetLease {
  readonly kind: 'held';
  /**
   * Replaces what is held by what it was. Only the first call counts.
   *
   * @param position of the request's entry in this instance's journal; never less than in a call before
   */
  settle(cost: NanoUsd, position: number, now: EpochMillis): void;
  /** Frees what is held: the request cost nothing, or nobody knows whether it will ever end. */
  release(): void;
}

export interface BudgetSettings {
  /** What to do with an account whose spend was never loaded (`fail_closed_budget_enforcement`). */
  readonly unknownSpend: 'admit' | 'refuse';
  readonly onAlert: (alert: BudgetAlert) => void;
}

/** Costs of one journal position, or of several that the store takes in together. */
interface Unapplied {
  readonly position: number;
  amount: bigint;
}

interface Account {
  rule: BudgetRule;
  period: PeriodBounds;
  /** Null: nobody has said yet. */
  base: bigint | null;
  /** Position up to which costs are in `base`. */
  applied: number;
  /** Oldest first, no two alike. */
  unapplied: Unapplied[];
  /** Sum over `unapplied`. */
  local: bigint;
  reserved: bigint;
  /** The lease that holds less than its estimate, if there is one. */
  short: HeldSum | null;
  /** Marks told in this period. */
  told: BudgetAlert['mark'][];
}

/** The accounts of all budgets; told the time, never asks for it. */
export class Budgets {
  readonly #settings: BudgetSettings;
  readonly #scopes = new Map<BudgetScope, Map<string, Account>>();
  /** Older reports may miss costs of accounts that were forgotten and come back. */
  #forgotten = -1;

  constructor(settings: BudgetSettings) {
    this.#settings = settings;
  }

  /**
   * Holds the estimate on every account of the chain, or says which one has no room for it.
   *
   * A `guess` may hold less than it says on an account where nothing else does.
   */
  reserve(chain: readonly BudgetRule[], estimate: Estimate, now: EpochMillis): BudgetLease | BudgetRefusal {
    const accounts: Account[] = [];
    for (const rule of chain) {
      const account = this.#account(rule, now);
      const refusal = this.#refusal(account, estimate, now);
      if (refusal !== null) return refusal;
      accounts.push(account);
    }
    return new HeldSum(accounts, estimate.cost, now, this.#settings.onAlert);
  }

  /**
   * Takes over what the store knows, without losing or doubling what it does not know yet.
   *
   * Costs up to `position` are in `spent` and leave `unapplied`; later ones stay. A report older than one taken
   * before, or of a period that is over, changes nothing.
   */
  rebase(rule: BudgetRule, stored: StoredSpend, now: EpochMillis): void {
    const account = this.#account(rule, now);
    if (stored.periodStart !== account.period.start || stored.position < account.applied) return;
    account.base = stored.spent;
    account.applied = stored.position;
    const kept = account.unapplied.findIndex(({ position }) => position > stored.position);
    for (const { amount } of account.unapplied.splice(0, kept < 0 ? account.unapplied.length : kept))
      account.local -= amount;
    tell(account, this.#settings.onAlert);
  }

  /** What an account has spent in the period of now, and what is held of it; null for one never heard of. */
  standing(rule: BudgetRule, now: EpochMillis): { readonly spent: NanoUsd; readonly reserved: NanoUsd } | null {
    const account = this.#scopes.get(rule.scope)?.get(rule.id);
    if (account === undefined) return null;
    turn(account, now);
    return { spent: nanoUsd(spentOf(account)), reserved: nanoUsd(account.reserved) };
  }

  /** Every account in memory, as it stands now: for metrics. */
  *standings(now: EpochMillis): Generator<BudgetStanding> {
    for (const accounts of this.#scopes.values()) {
      for (const account of accounts.values()) {
        turn(account, now);
        const limit = limitOf(account.rule.budget, now);
        yield {
          rule: account.rule,
          spent: nanoUsd(spentOf(account)),
          reserved: nanoUsd(account.reserved),
          limit: limit === null ? null : nanoUsd(limit),
          resets: account.period.end,
        };
      }
    }
  }

  /** Forgets accounts that nobody wants and that hold nothing the store does not know: after a swap of the directory. */
  prune(isWanted: (scope: BudgetScope, id: string) => boolean): void {
    for (const [scope, accounts] of this.#scopes) {
      for (const [id, account] of accounts) {
        const isIdle = account.reserved === 0n && account.unapplied.length === 0;
        if (!isIdle || isWanted(scope, id)) continue;
        accounts.delete(id);
        this.#forgotten = Math.max(this.#forgotten, account.applied);
      }
    }
  }

  #account(rule: BudgetRule, now: EpochMillis): Account {
    let accounts = this.#scopes.get(rule.scope);
    if (accounts === undefined) {
      accounts = new Map();
      this.#scopes.set(rule.scope, accounts);
    }
    let account = accounts.get(rule.id);
    if (account === undefined) {
      account = opened(rule, this.#forgotten, now);
      accounts.set(rule.id, account);
    } else if (account.rule.budget !== rule.budget) {
      // An edit of the budget: another length begins another period, whose spend the store has to say.
      if (!isSamePeriod(account.rule.budget, rule.budget)) reopen(account, rule, now);
      account.rule = rule;
    }
    turn(account, now);
    return account;
  }

  #refusal(account: Account, { cost, kind }: Estimate, now: EpochMillis): BudgetRefusal | null {
    const { rule } = account;
    const limit = limitOf(rule.budget, now);
    // A model that costs nothing is nobody's expense (litellm.md §5.3, 18).
    if (limit === null || (cost === 0n && kind === 'bound')) return null;
    if (account.base === null && this.#settings.unknownSpend === 'refuse') return { kind: 'unknown', rule };
    const spent = spentOf(account);
    const free = limit - spent - account.reserved;
    const fits = free > 0n && (cost <= free || (kind === 'guess' && account.short === null));
    if (fits) return null;
    return {
      kind: 'exceeded',
      rule,
      spent: nanoUsd(spent),
      reserved: nanoUsd(account.reserved),
      limit: nanoUsd(limit),
      wanted: cost,
      resets: account.period.end,
    };
  }
}

/** `held` of a lease's accounts, in the same order. */
class HeldSum implements BudgetLease {
  readonly kind = 'held';
  readonly #accounts: readonly Account[];
  readonly #held: bigint[] = [];
  readonly #onAlert: (alert: BudgetAlert) => void;
  #isReleased = false;
  #isSettled = false;

  constructor(accounts: readonly Account[], cost: bigint, now: EpochMillis, onAlert: (alert: BudgetAlert) => void) {
    this.#accounts = accounts;
    this.#onAlert = onAlert;
    for (const account of accounts) this.#held.push(this.#hold(account, cost, now));
  }

  settle(cost: NanoUsd, position: number, now: EpochMillis): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.release();
    if (cost === 0n) return;
    for (const account of this.#accounts) {
      turn(account, now);
      add(account, cost, position);
      tell(account, this.#onAlert);
    }
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#accounts.forEach((account, index) => {
      account.reserved -= this.#held[index] ?? 0n;
      if (account.short === this) account.short = null;
    });
  }

  #hold(account: Account, cost: bigint, now: EpochMillis): bigint {
    const limit = limitOf(account.rule.budget, now);
    const free = limit === null ? cost : limit - spentOf(account) - account.reserved;
    const held = cost <= free ? cost : free;
    if (held < cost) account.short = this;
    account.reserved += held;
    return held;
  }
}

function opened(rule: BudgetRule, applied: number, now: EpochMillis): Account {
  const period = periodAt(rule.budget.period, now);
  return { rule, period, base: null, applied, unapplied: [], local: 0n, reserved: 0n, short: null, told: [] };
}

/**
 * Keeps what is reserved, since those requests are still running, and what the store does not know yet: it may be of
 * the new period, and counts in it until the store has taken it in.
 */
function reopen(account: Account, rule: BudgetRule, now: EpochMillis): void {
  account.period = periodAt(rule.budget.period, now);
  account.base = null;
  account.told = [];
}

function isSamePeriod(a: Budget, b: Budget): boolean {
  if (a.period.kind === 'forever' || b.period.kind === 'forever') return a.period.kind === b.period.kind;
  const [one, other] = [a.period, b.period];
  return (
    one.anchor === other.anchor && one.length.count === other.length.count && one.length.unit === other.length.unit
  );
}

/** Begins a new period when the old one is over: nothing is spent in it, and everybody knows that. */
function turn(account: Account, now: EpochMillis): void {
  const { end } = account.period;
  if (end === null || now < end) return;
  account.period = periodAt(account.rule.budget.period, now);
  account.base = account.base === null ? null : 0n;
  account.unapplied = [];
  account.local = 0n;
  account.told = [];
}

function spentOf({ base, local }: Account): bigint {
  return (base ?? 0n) + local;
}

function limitOf({ limit, increase }: Budget, now: EpochMillis): bigint | null {
  if (limit === null || increase === null || now >= increase.until) return limit;
  return limit + increase.amount;
}

function add(account: Account, cost: bigint, position: number): void {
  const last = account.unapplied.at(-1);
  if (last?.position === position) last.amount += cost;
  else account.unapplied.push({ position, amount: cost });
  account.local += cost;
}

/** Tells of the marks that were passed and not yet told of. */
function tell(account: Account, onAlert: (alert: BudgetAlert) => void): void {
  const { soft, limit, thresholds } = account.rule.budget;
  const spent = spentOf(account);
  const pass = (mark: BudgetAlert['mark'], isPassed: boolean): void => {
    if (!isPassed || account.told.includes(mark)) return;
    account.told.push(mark);
    onAlert({ rule: account.rule, mark, spent: nanoUsd(spent), periodStart: account.period.start });
  };
  if (soft !== null) pass('soft', spent >= soft);
  if (limit !== null) for (const percent of thresholds) pass(percent, spent * 100n >= limit * BigInt(percent));
}
