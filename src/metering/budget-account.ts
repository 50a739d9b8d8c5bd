import type { Budget } from '../core/budget.ts';
import { type EpochMillis, type NanoUsd, nanoUsd } from '../core/units.ts';
import type { Allowance } from './allowance.ts';
import type { Estimate } from './estimate.ts';
import { type PeriodBounds, periodAt } from './period.ts';

/** One account of a budget, and what changes it; `budget.ts` says what always holds. */

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

/** Something that somebody wants to hear, once per account, period and mark. */
export interface BudgetAlert {
  readonly rule: BudgetRule;
  /** `soft`, or the percentage of the limit. */
  readonly mark: 'soft' | number;
  readonly spent: NanoUsd;
  readonly periodStart: EpochMillis;
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

/** Costs of one journal position, or of several that the store takes in together. */
interface Unapplied {
  readonly position: number;
  amount: bigint;
}

export interface Account {
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
  /** Null: no other instance spends of it. */
  allowance: Allowance | null;
  /** Marks told in this period. */
  told: BudgetAlert['mark'][];
}

/** What this instance may reserve by itself; less than nothing when it has spent more than it held. */
export function roomOf(account: Account, allowance: Allowance, limit: bigint, now: EpochMillis): bigint {
  if (allowance.limit !== limit || now >= allowance.until) return 0n;
  const room = allowance.held - account.reserved - account.local;
  return room > 0n ? room : 0n;
}

/** What may be reserved for a request: null when this instance does not hold enough of a budget that others share. */
export function covered(account: Account, { cost, kind }: Estimate, now: EpochMillis): bigint | null {
  const limit = limitOf(account.rule.budget, now);
  if (limit === null) return cost;
  const { allowance } = account;
  const free = limit - spentOf(account) - account.reserved;
  // What holds nothing is admitted while anything is left.
  if (allowance === null || cost === 0n) return free;
  allowance.typical = cost;
  const room = roomOf(account, allowance, limit, now);
  const least = room < free ? room : free;
  if (cost <= least) return least;
  return kind === 'guess' && least > 0n && allowance.mayBeShort && account.short === null ? least : null;
}

/** @param room null: the store gave no answer, and what this instance knows has to do */
export function heldOf(account: Account, cost: bigint, room: bigint | null, now: EpochMillis): bigint {
  const most = room ?? knownRoom(account, cost, now);
  if (cost <= most) return cost;
  return most > 0n ? most : 0n;
}

function knownRoom(account: Account, cost: bigint, now: EpochMillis): bigint {
  const limit = limitOf(account.rule.budget, now);
  return limit === null ? cost : limit - spentOf(account) - account.reserved;
}

/** Takes out what the store has, and with it the part of the allowance that it used up. @returns how much */
export function confirm(account: Account, position: number): bigint {
  account.applied = position;
  const kept = account.unapplied.findIndex((each) => each.position > position);
  let sum = 0n;
  for (const { amount } of account.unapplied.splice(0, kept < 0 ? account.unapplied.length : kept)) sum += amount;
  account.local -= sum;
  if (account.allowance !== null) account.allowance.held -= sum;
  return sum;
}

/** `held` of a lease's accounts, in the same order. */
export class HeldSum implements BudgetLease {
  readonly kind = 'held';
  readonly #accounts: readonly Account[];
  readonly #held: readonly bigint[];
  readonly #onAlert: (alert: BudgetAlert) => void;
  #isReleased = false;
  #isSettled = false;

  constructor(
    accounts: readonly Account[],
    held: readonly bigint[],
    cost: bigint,
    onAlert: (alert: BudgetAlert) => void,
  ) {
    this.#accounts = accounts;
    this.#held = held;
    this.#onAlert = onAlert;
    accounts.forEach((account, index) => {
      const sum = held[index] ?? 0n;
      account.reserved += sum;
      if (sum < cost) account.short = this;
    });
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
}

export function opened(rule: BudgetRule, applied: number, now: EpochMillis): Account {
  const period = periodAt(rule.budget.period, now);
  return {
    ...{ rule, period, base: null, applied, unapplied: [], local: 0n },
    ...{ reserved: 0n, short: null, allowance: null, told: [] },
  };
}

/**
 * Keeps what is reserved, since those requests are still running, and what the store does not know yet: it may be of
 * the new period, and counts in it until the store has taken it in.
 */
export function reopen(account: Account, rule: BudgetRule, now: EpochMillis): void {
  account.period = periodAt(rule.budget.period, now);
  account.base = null;
  account.told = [];
}

/** Begins a new period when the old one is over: nothing is spent in it, and everybody knows that. */
export function turn(account: Account, now: EpochMillis): void {
  const { end } = account.period;
  if (end === null || now < end) return;
  account.period = periodAt(account.rule.budget.period, now);
  account.base = account.base === null ? null : 0n;
  account.unapplied = [];
  account.local = 0n;
  account.told = [];
}

export function spentOf({ base, local }: Account): bigint {
  return (base ?? 0n) + local;
}

export function limitOf({ limit, increase }: Budget, now: EpochMillis): bigint | null {
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
export function tell(account: Account, onAlert: (alert: BudgetAlert) => void): void {
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
