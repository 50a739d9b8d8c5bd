import { withoutCredentials } from '../core/address.ts';
import { NONE } from './series.ts';

/** Labels and bounds that several metrics share. */

/** Who asked, in LiteLLM's words. */
export const WHO = ['hashed_api_key', 'api_key_alias', 'team', 'team_alias', 'user'] as const;

/** What was asked for and what answered. */
export const MODELS = ['requested_model', 'model', 'model_id'] as const;

/** One deployment. */
export const DEPLOYMENT = ['litellm_model_name', 'model_id', 'api_base', 'api_provider'] as const;

/** LiteLLM's latency buckets, seconds (litellm.md §8.2). */
export const LATENCY_BOUNDS: readonly number[] = [
  ...[0.005, 0.00625, 0.0125, 0.025, 0.05, 0.1, 0.5],
  ...Array.from({ length: 19 }, (_, index) => 1 + index * 0.5),
  ...[15, 20, 25, 30, 60, 120, 180, 240, 300],
];

/** Added latency is two orders of magnitude below the providers': seconds. */
export const OVERHEAD_BOUNDS: readonly number[] = [
  ...[0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1],
];

/** An address as a label: `/metrics` may be public. */
export function addressLabel(url: string | null): string {
  return url === null ? NONE : withoutCredentials(url);
}
