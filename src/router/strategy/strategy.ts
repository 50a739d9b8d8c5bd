import type { Deployment, RoutingSettings } from '../../core/snapshot.ts';
import type { Millis } from '../../core/units.ts';
import type { LoadTable } from '../load.ts';

/** What a strategy may look at. */
export interface StrategyView {
  readonly settings: RoutingSettings;
  readonly load: LoadTable;
  readonly now: Millis;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly isStreaming: boolean;
  readonly promptTokens: number;
}

/** How LiteLLM's routing strategies choose inside one order level (litellm.md §2.3). */
export interface Strategy {
  /** Whether the deployment has used up its rpm or tpm of this minute, for strategies that look. */
  isOverLimit(deployment: Deployment, view: StrategyView): boolean;
  /** @param candidates two or more, in configured order, none over its limit */
  pick(candidates: readonly Deployment[], view: StrategyView): Deployment;
}
