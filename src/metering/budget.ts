import { type EpochMillis, epochMillis, type Millis, millis, type NanoUsd, nanoUsd } from '../core/units.ts';
import { type Allowance, type Claim, noAllowance, type Share, type Standing, spareOf } from './allowance.ts';
import {
  type Account,
  type BudgetAlert,
  type BudgetLease,
  type BudgetRule,
  type BudgetScope,
  confirm,
  covered,
  HeldSum,
  heldOf,
  limitOf,
  opened,
  reopen,
  roomOf,
  spentOf,
  tell,
  turn,
} from './budget-account.ts';
import type { Estimate } from './estimate.ts';
import { isSamePeriod, type PeriodBounds } from './period.ts';

export type { BudgetAlert, BudgetLease, BudgetRule, BudgetScope } from './budget-account.ts';

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
 * 8. An account that several instances share has an allowance besides (`allowance.ts`): while the store answers,
 *    reserved + Σ unapplied ≤ held, but for what answers cost beyond their estimates.
 */

/** Why a request is not paid for. */
export type BudgetRefusal =
  | {
      readonly kind: 'exceeded';
      readonly rule: BudgetRule;
      readonly spent: NanoUsd;
      /** Held by requests that are running, here and on other instances. */
      readonly reserved: NanoUsd;
      readonly limit: NanoUsd;
      readonly wanted: NanoUsd;
      /** When it begins anew; null: never. */
      readonly resets: EpochMillis | null;
    }
  /** What was spent is not known, and the operator wants certainty. */
  | { readonly kind: 'unknown'; readonly rule: BudgetRule };

/** What this instance holds does not cover a request; the store has to be asked for more. */
export interface Uncovered {
  readonly kind: 'uncovered';
}

/** Whether the store was asked to cover a request, and has answered. */
export type Asked = 'not-yet' | 'answered' | 'unanswered';

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

export interface BudgetSettings {
  /** What to do with an account whose spend was never loaded (`fail_closed_budget_enforcement`). */
  readonly unknownSpend: 'admit' | 'refuse';
  readonly onAlert: (alert: BudgetAlert) => void;
  /** Whether other instances may spend of a budget whose periods begin like this one. Left out: none does. */
  readonly isShared?: (period: PeriodBounds) => boolean;
}

/** What an exchange gave. */
interface Grant {
  readonly claim: Claim;
  readonly standing: Standing;
  readonly share: Share;
  /** Of the period of which the store told. */
  readonly periodStart: EpochMillis;
}

/** When the exchange began, and how long after that its result is believed. */
interface GrantTime {
  readonly began: EpochMillis;
  readonly believed: Millis;
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
   *
   * @param asked whether the store was asked because the answer was `uncovered`, which it then no longer is
   */
  reserve(
    chain: readonly BudgetRule[],
    estimate: Estimate,
    now: EpochMillis,
    asked: Asked = 'not-yet',
  ): BudgetLease | BudgetRefusal | Uncovered {
    const accounts: Account[] = [];
    const held: bigint[] = [];
    let isCovered = true;
    for (const rule of chain) {
      const account = this.#account(rule, now);
      const refusal = this.#refusal(account, estimate, now);
      if (refusal !== null) return refusal;
      const room = covered(account, estimate, now);
      if (room === null) {
        const answer = this.#beyond(account, estimate, now, asked);
        if (answer?.kind === 'uncovered') isCovered = false;
        else if (answer !== null) return answer;
      }
      accounts.push(account);
      held.push(heldOf(account, estimate.cost, room, now));
    }
    if (!isCovered) return UNCOVERED;
    return new HeldSum(accounts, held, estimate.cost, this.#settings.onAlert);
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
    confirm(account, stored.position);
    account.base = stored.spent;
    tell(account, this.#settings.onAlert);
  }

  /**
   * What this instance brings to an exchange with the store; null where there is nothing to divide. Until the answer it
   * spends no more than it will hold whatever the answer is.
   *
   * @param position up to which everything of this instance is in the store; null: nobody knows
   */
  claim(rule: BudgetRule, position: number | null, isIdle: boolean, now: EpochMillis): Claim | null {
    const account = this.#account(rule, now);
    const { allowance } = account;
    const limit = limitOf(rule.budget, now);
    if (allowance === null || limit === null) return null;
    if (position !== null && account.base !== null && position >= account.applied)
      account.base += confirm(account, position);
    const needs = account.reserved + account.local;
    const { typical, isAlone, isWanted } = allowance;
    const left = limit - (account.base ?? 0n) - allowance.others - needs;
    const most = isIdle || isWanted ? 0n : spareOf(left, typical, isAlone);
    const room = roomOf(account, allowance, limit, now);
    const kept = room < most ? room : most;
    allowance.held = needs + kept;
    allowance.mayBeShort &&= account.short !== null;
    const isWanting = now < allowance.wantingUntil;
    return { limit, needs, kept, typical, isIdle, isWanting, isShort: account.short !== null };
  }

  /** Takes over what an exchange gave; nothing when a new period has begun meanwhile. */
  grant(rule: BudgetRule, { claim, standing, share, periodStart }: Grant, { began, believed }: GrantTime): void {
    const account = this.#scopes.get(rule.scope)?.get(rule.id);
    if (account === undefined || account.allowance === null || account.period.start !== periodStart) return;
    const { allowance } = account;
    const wanting = share.isWanting && !claim.isWanting ? epochMillis(began + WANTING) : allowance.wantingUntil;
    account.allowance = {
      held: share.held,
      limit: claim.limit,
      until: epochMillis(began + believed),
      others: standing.others,
      isWanted: standing.isWanted,
      isOtherShort: standing.isOtherShort,
      isAlone: standing.isAlone,
      mayBeShort: share.isShort,
      wantingUntil: wanting,
      typical: allowance.typical,
      freshUntil: epochMillis(began + FRESH),
    };
  }

  /** Whether something of a shared budget is held for this instance, or has to be. */
  isHolding({ scope, id }: BudgetRule, now: EpochMillis): boolean {
    const account = this.#scopes.get(scope)?.get(id);
    if (account === undefined || account.allowance === null) return false;
    const isHeld = account.allowance.held !== 0n && now < account.allowance.until;
    return isHeld || account.reserved !== 0n || account.unapplied.length > 0;
  }

  /** What this instance holds of all shared budgets beyond what it needs: for metrics. */
  get spare(): NanoUsd {
    let sum = 0n;
    for (const accounts of this.#scopes.values())
      for (const { allowance, reserved, local } of accounts.values()) {
        const room = allowance === null ? 0n : allowance.held - reserved - local;
        if (room > 0n) sum += room;
      }
    return nanoUsd(sum);
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
      account.allowance = this.#allowance(account, now);
      accounts.set(rule.id, account);
    } else if (account.rule.budget !== rule.budget) {
      // An edit of the budget: another length begins another period, whose spend the store has to say.
      if (!isSamePeriod(account.rule.budget.period, rule.budget.period)) {
        reopen(account, rule, now);
        account.allowance = this.#allowance(account, now);
      }
      account.rule = rule;
    }
    turn(account, now);
    return account;
  }

  /** What was held stays held until it is exchanged, but nothing is spent of it before. */
  #allowance({ period, allowance }: Account, now: EpochMillis): Allowance | null {
    if (this.#settings.isShared?.(period) !== true) return null;
    return allowance === null ? noAllowance(now) : { ...allowance, limit: null };
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
    return fits ? null : exceeded(account, cost, account.reserved, limit);
  }

  /** What becomes of a request that this instance does not hold enough for; null: it goes on all the same. */
  #beyond(account: Account, estimate: Estimate, now: EpochMillis, asked: Asked): BudgetRefusal | Uncovered | null {
    const { rule, allowance, reserved } = account;
    const limit = limitOf(rule.budget, now);
    if (allowance === null || limit === null) return null;
    if (asked === 'unanswered') return this.#settings.unknownSpend === 'refuse' ? { kind: 'unknown', rule } : null;
    if (asked === 'not-yet' && isWorthAsking(account, allowance, estimate, now)) return UNCOVERED;
    return exceeded(account, estimate.cost, reserved + allowance.others, limit);
  }
}

const UNCOVERED: Uncovered = { kind: 'uncovered' };

/** How long what others hold is believed without asking: a caller who is refused again and again asks no more often. */
const FRESH: Millis = millis(100);
/** How long the others are told that something was lacking: longer than it takes until they look. */
const WANTING: Millis = millis(5_000);

function exceeded(account: Account, wanted: NanoUsd, reserved: bigint, limit: bigint): BudgetRefusal {
  return {
    kind: 'exceeded',
    rule: account.rule,
    spent: nanoUsd(spentOf(account)),
    reserved: nanoUsd(reserved),
    limit: nanoUsd(limit),
    wanted,
    resets: account.period.end,
  };
}

/** Whether the store may have room for it, by what was last heard of the others, or they should hear that it lacks. */
function isWorthAsking(account: Account, allowance: Allowance, { cost, kind }: Estimate, now: EpochMillis): boolean {
  const limit = limitOf(account.rule.budget, now);
  if (limit === null || now >= allowance.freshUntil) return true;
  const left = limit - spentOf(account) - account.reserved - allowance.others;
  if (cost <= left) return true;
  if (kind === 'guess' && left > 0n && account.short === null && !allowance.isOtherShort) return true;
  return now >= allowance.wantingUntil && cost <= left + allowance.others;
}
