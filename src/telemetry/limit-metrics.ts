import type { MetricsRegistry } from './metrics.ts';
import { NONE } from './series.ts';

/** What a key has left of its limit for one model in the running window. */
export interface LimitGauge {
  readonly hash: string;
  readonly alias: string | null;
  readonly model: string;
  readonly limit: 'requests' | 'tokens' | 'max_parallel_requests';
  readonly remaining: number;
}

/** LiteLLM's gauges of the limits that keys have for single models, computed when they are asked for. */
export function observeModelLimits(registry: MetricsRegistry, standings: () => Iterable<LimitGauge>): void {
  for (const limit of ['requests', 'tokens'] as const)
    registry.scraped(
      `litellm_remaining_api_key_${limit}_for_model`,
      `What is left of the ${limit} a minute.`,
      LABELS,
      (set) => {
        for (const gauge of standings()) {
          if (gauge.limit !== limit) continue;
          const { hash, alias, model, remaining } = gauge;
          set({ hashed_api_key: hash, api_key_alias: alias ?? NONE, model, model_id: NONE }, remaining);
        }
      },
    );
}

/** A limit is the group's, of whatever deployment: `model_id` is there because LiteLLM has it. */
const LABELS = ['hashed_api_key', 'api_key_alias', 'model', 'model_id'];
