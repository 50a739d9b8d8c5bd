import type { Bill } from '../core/cost.ts';
import type { HeaderPair } from '../core/http.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { type EpochMillis, usd } from '../core/units.ts';
import type { Usage } from '../core/usage.ts';
import { billFor } from '../metering/bill.ts';
import { knownModel } from '../metering/catalogue.ts';
import type { AttemptDecision } from './story.ts';

/** What one answer is billed for. */
export interface Answered {
  readonly decision: AttemptDecision;
  readonly usage: Usage | null;
  readonly at: EpochMillis;
}

/** The bill for an answer, from the deployment that gave it; only the answering attempt is billed (LiteLLM). */
export function billOf({ decision, usage, at }: Answered, { billing }: Snapshot): Bill {
  const { deployment, model } = decision;
  // Which of a pattern's models is asked for only the request knows.
  const price = deployment.price ?? (deployment.isWildcard ? knownModel(deployment.provider, model).price : null);
  return billFor({ provider: deployment.provider, price, usage, at }, billing);
}

const HUNDRED_PERCENT = 1e9;

/** Adds what the answer cost, in US dollars, and how discount and margin changed it (litellm.md §2.10); not when unknown. */
export function addCost(headers: HeaderPair[], bill: Bill | null): void {
  if (bill === null || bill.cost.kind === 'unknown') return;
  headers.push(['x-litellm-response-cost', usd(bill.cost.total)]);
  const { adjustment } = bill;
  if (adjustment === null) return;
  const { original, discount, margin } = adjustment;
  headers.push(['x-litellm-response-cost-original', usd(original)]);
  if (discount !== null) headers.push(['x-litellm-response-cost-discount-amount', usd(discount)]);
  if (margin === null) return;
  headers.push(
    ['x-litellm-response-cost-margin-amount', usd(margin.amount)],
    ['x-litellm-response-cost-margin-percent', String(Number(margin.share) / HUNDRED_PERCENT)],
  );
}
