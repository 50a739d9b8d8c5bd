import type { DeploymentId } from '../core/ids.ts';
import type { Outcome } from '../core/outcome.ts';
import type { ClientCall } from '../providers/provider.ts';

/**
 * Deployments that answer 4xx when a stream is asked for its usage (old vLLM, some Databricks and NIM endpoints).
 *
 * The gateway always asks, so it learns from the refusal and does not ask again; the client never asked and must not
 * suffer (providers.md, "Usage behaviour"). Bounded by the deployments there are.
 */
export class UsageRefusals {
  readonly #refusers = new Set<DeploymentId>();

  /** Whether usage may be asked of this deployment. */
  mayAsk(id: DeploymentId): boolean {
    return !this.#refusers.has(id);
  }

  /**
   * Notes a refusal that is about our question.
   *
   * @returns whether it is: then the same request without the question is worth a try
   */
  learn(id: DeploymentId, { isStreaming, wantsUsage }: ClientCall, outcome: Outcome): boolean {
    const isOurQuestion = isStreaming && !wantsUsage && this.mayAsk(id);
    if (!isOurQuestion || outcome.kind !== 'rejected' || outcome.reason !== 'invalid-request') return false;
    const { message, param } = outcome.words;
    if (!/stream_options|include_usage/.test(`${param} ${message}`)) return false;
    this.#refusers.add(id);
    return true;
  }

  /** Forgets all but these deployments: called when the configuration is swapped. */
  prune(ids: Iterable<DeploymentId>): void {
    const kept = new Set(ids);
    for (const id of this.#refusers) if (!kept.has(id)) this.#refusers.delete(id);
  }
}
