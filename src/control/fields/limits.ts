import { z } from 'zod';
import { type EpochMillis, epochMillis } from '../../core/units.ts';
import { parseDuration, periodAt } from '../../metering/period.ts';
import { refused } from '../http/refused.ts';
import { column, type Fields, inMetadata, type SentOf, stored } from './field.ts';
import { amount, count, countMap, map, moment, nanoOf, span } from './values.ts';

/** A budget for one model of a key: LiteLLM's two spellings. */
const modelBudget = z.looseObject({
  budget_limit: amount.nullish(),
  max_budget: amount.nullish(),
  time_period: span.nullish(),
  budget_duration: span.nullish(),
});

/** Limits that keys, users, teams and budgets have alike (litellm.md §3.4). */
export const limitFields = {
  max_budget: stored(amount, 'max_budget_nano', nanoOf),
  budget_duration: column(span),
  budget_reset_at: stored(moment, 'budget_reset_at', (text) => new Date(text)),
  max_parallel_requests: column(count),
  tpm_limit: column(count),
  rpm_limit: column(count),
  model_max_budget: column(z.record(z.string(), modelBudget), {}),
} as const satisfies Fields;

export const softBudgetField = { soft_budget: stored(amount, 'soft_budget_nano', nanoOf) } as const satisfies Fields;

const limitKind = z.enum(['guaranteed_throughput', 'best_effort_throughput', 'dynamic']);

/** Limits by model, and the rest that LiteLLM keeps in `metadata` of keys and teams. */
export const metadataLimitFields = {
  model_rpm_limit: inMetadata(countMap),
  model_tpm_limit: inMetadata(countMap),
  rpm_limit_type: inMetadata(limitKind),
  tpm_limit_type: inMetadata(limitKind),
  tags: inMetadata(z.array(z.string())),
  guardrails: inMetadata(z.array(z.string())),
  prompts: inMetadata(z.array(z.string())),
  logging: inMetadata(z.array(map)),
  enforced_params: inMetadata(z.array(z.string())),
  disable_global_guardrails: inMetadata(z.boolean()),
  allowed_passthrough_routes: inMetadata(z.array(z.string())),
} as const satisfies Fields;

type Limits = Pick<SentOf<typeof limitFields>, 'budget_duration' | 'budget_reset_at'>;

/**
 * When the budget begins anew, for people: nothing is reset then, the period that counts is computed (budgets-and-limits.md).
 *
 * @returns a column to set; nothing when the request does not change the length
 */
export function resetMoment({ budget_duration, budget_reset_at }: Limits, now: EpochMillis) {
  if (budget_duration === undefined || budget_reset_at !== undefined) return {};
  const length = budget_duration === null ? null : parseDuration(budget_duration);
  if (length === null) return { budget_reset_at: null };
  const { end } = periodAt({ kind: 'recurring', length, anchor: now }, now);
  return { budget_reset_at: end === null ? null : new Date(end) };
}

/** A soft budget that is not below the hard one would tell nobody in time. @throws Refused */
export function checkSoftBudget(soft: number | null | undefined, hard: number | null | undefined): void {
  if (soft == null || hard == null || soft < hard) return;
  throw refused('bad-fields', `soft_budget (${soft}) must be lower than max_budget (${hard}).`, 'soft_budget');
}

/** A moment of a row as wall-clock milliseconds. */
export const momentOf = (date: Date | null): EpochMillis | null => (date === null ? null : epochMillis(date.getTime()));
