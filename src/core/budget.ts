import type { EpochMillis, NanoUsd } from './units.ts';

/** A limit on spend. What was spent is not in here: it changes with every request. */
export interface Budget {
  /** The most that may be spent in one period (`max_budget`); null: nothing is refused, only told. */
  readonly limit: NanoUsd | null;
  /** Never refuses; tells somebody (`soft_budget`). */
  readonly soft: NanoUsd | null;
  /** Percent of `limit` at which somebody is told, ascending, each in 1 … 100. */
  readonly thresholds: readonly number[];
  readonly period: BudgetPeriod;
  /** `temp_budget_increase`: added to `limit` until its time is over. */
  readonly increase: BudgetIncrease | null;
}

export interface BudgetIncrease {
  readonly amount: NanoUsd;
  /** The first moment at which it no longer counts. */
  readonly until: EpochMillis;
}

/** Percent of a limit at which somebody is told, where nobody said others. */
export const MARKS: readonly number[] = [80, 100];

/** Budgets that the configuration gives to those who have none of their own. */
export interface DefaultBudgets {
  /** `max_budget`: of everything together; goes before that of the user `litellm-proxy-budget`. */
  readonly everything: Budget | null;
  /** `max_end_user_budget`. */
  readonly customer: Budget | null;
  /** `max_end_user_budget_id`: the row that customers without one point at; goes before `customer`. */
  readonly customerBudgetId: string | null;
}

/** Nothing configured. */
export const NO_DEFAULT_BUDGETS: DefaultBudgets = { everything: null, customer: null, customerBudgetId: null };

/** When a budget begins anew. Nothing resets it: spend counts from the start of the period that `now` lies in. */
export type BudgetPeriod =
  | { readonly kind: 'forever' }
  /** @property anchor any moment that some period begins with, before or after now; only odd lengths need it */
  | { readonly kind: 'recurring'; readonly length: Duration; readonly anchor: EpochMillis };

/** A span as LiteLLM writes it: `30s`, `30m`, `30h`, `30d`, `2w`, `1mo`. */
export interface Duration {
  /** Whole, ≥ 1. */
  readonly count: number;
  readonly unit: DurationUnit;
}

export type DurationUnit = 's' | 'm' | 'h' | 'd' | 'w' | 'mo';
