import type { AttemptMeter, BenchMeter, FallbackMeter } from '../core/attempt-meters.ts';
import type { Principal } from '../core/identity.ts';
import type { Outcome } from '../core/outcome.ts';
import type { Deployment, MetricSettings } from '../core/snapshot.ts';
import { type CallerFacts, type CallerNames, Callers, labelName } from './callers.ts';
import { addressLabel, DEPLOYMENT, LATENCY_BOUNDS, MODELS, WHO } from './labels.ts';
import type { Cell, Distribution, Labels, MetricsRegistry } from './metrics.ts';
import { NONE, OTHER } from './series.ts';

/** What the metrics of attempts have to know of the configuration and of the keys. */
export interface AttemptNames extends CallerNames {
  /** Whether a name that was asked for is one of the configuration's own. */
  isKnown(model: string): boolean;
  /** Where a deployment is called. */
  apiBase(deployment: Deployment): string | null;
}

/** Series that attempts of one kind change. */
interface AttemptCells {
  readonly deployment: Deployment;
  readonly group: string;
  readonly outcome: Outcome['kind'];
  readonly status: number | null;
  readonly attempts: Cell;
  readonly ended: Cell;
  readonly duration: Distribution;
  /** Null for a failure. */
  readonly latency: Distribution | null;
  readonly perToken: Distribution | null;
}

/** What is kept for one caller: its kinds of attempts by deployment. */
interface Shelf {
  readonly labels: Labels;
  readonly byDeployment: Map<string, AttemptCells[]>;
}

/** Kinds of one caller and deployment that are remembered; beyond them labels are put together anew. */
const MOST_KINDS = 64;
/** Attempts by provider and outcome: seconds. */
const ATTEMPT_BOUNDS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

const NOBODY: CallerFacts = { keyHash: null, keyAlias: null, userId: null, teamId: null };

/** The numbers of attempts at deployments, of fallbacks, and of deployments that leave rotation. */
export class AttemptMetrics {
  readonly #metrics;
  readonly #names: AttemptNames;
  readonly #callers: Callers<Shelf>;

  constructor(registry: MetricsRegistry, { metadataLabels }: MetricSettings, names: AttemptNames) {
    this.#metrics = register(registry, metadataLabels.map(labelName));
    this.#names = names;
    const callerLabels = { metadata: metadataLabels, hasCustomers: false };
    this.#callers = new Callers(callerLabels, names, (labels) => ({ labels, byDeployment: new Map() }));
  }

  attempt(event: AttemptMeter): void {
    const cells = this.#cells(event);
    const elapsed = event.duration / 1000;
    cells.attempts.value += 1;
    cells.ended.value += 1;
    cells.duration.observe(elapsed);
    cells.latency?.observe(elapsed);
    if (event.outputTokens !== null && event.outputTokens > 0) cells.perToken?.observe(elapsed / event.outputTokens);
  }

  #cells(event: AttemptMeter): AttemptCells {
    const { deployment, group, outcome, status } = event;
    const shelf = this.#callers.at(factsOf(event.principal), null);
    const kinds = shelf.byDeployment.get(deployment.id);
    for (const kind of kinds ?? [])
      if (kind.outcome === outcome && kind.status === status && kind.deployment === deployment && kind.group === group)
        return kind;
    const made = this.#makeCells(shelf.labels, event);
    // Of another configuration: its deployments would stay in memory.
    if (kinds === undefined || kinds[0]?.deployment !== deployment) shelf.byDeployment.set(deployment.id, [made]);
    else if (kinds.length < MOST_KINDS) kinds.push(made);
    return made;
  }

  #makeCells(caller: Labels, { deployment, group, outcome, status }: AttemptMeter): AttemptCells {
    const metrics = this.#metrics;
    const labels = { ...caller, ...labelsOf(deployment, this.#names), requested_model: group, model: deployment.model };
    const isSuccess = outcome === 'success';
    const failure = { ...labels, exception_status: String(status ?? NONE), exception_class: outcome };
    return {
      ...{ deployment, group, outcome, status },
      attempts: metrics.attempts.at(labels),
      ended: isSuccess ? metrics.successes.at(labels) : metrics.failures.at(failure),
      duration: metrics.duration.at({ api_provider: deployment.provider, outcome }),
      latency: isSuccess ? metrics.latency.at(labels) : null,
      perToken: isSuccess ? metrics.perToken.at(labels) : null,
    };
  }

  benched(event: BenchMeter): void {
    const labels = labelsOf(event.deployment, this.#names);
    this.#metrics.benched.add({ ...labels, exception_status: String(event.status ?? NONE) });
  }

  fallback(event: FallbackMeter): void {
    const labels = {
      ...this.#callers.at(factsOf(event.principal), null).labels,
      requested_model: this.#names.isKnown(event.from) ? event.from : OTHER,
      fallback_model: event.to,
      exception_status: String(event.status ?? NONE),
      exception_class: event.cause ?? NONE,
      model_id: event.deployment.id,
    };
    (event.worked ? this.#metrics.fallbacks : this.#metrics.failedFallbacks).add(labels);
  }
}

/** A deployment's own labels. */
export function labelsOf(deployment: Deployment, names: Pick<AttemptNames, 'apiBase'>): Labels {
  return {
    litellm_model_name: deployment.model,
    model_id: deployment.id,
    api_base: addressLabel(names.apiBase(deployment)),
    api_provider: deployment.provider,
  };
}

function factsOf(principal: Principal | null): CallerFacts {
  if (principal?.kind !== 'virtual-key') return NOBODY;
  const { hash, alias, owner } = principal.key;
  return {
    keyHash: hash,
    keyAlias: alias,
    userId: owner.kind === 'nobody' ? null : owner.userId,
    teamId: owner.kind === 'team' ? owner.teamId : null,
  };
}

function register(registry: MetricsRegistry, own: readonly string[]) {
  const keyAndTeam = WHO.filter((label) => label !== 'user');
  const attempts = ['requested_model', ...DEPLOYMENT, ...keyAndTeam, ...own];
  const failure = ['exception_status', 'exception_class'];
  const fallbacks = ['requested_model', 'fallback_model', ...keyAndTeam, ...own, ...failure, 'model_id'];
  return {
    attempts: registry.counter('litellm_deployment_total_requests_total', 'Attempts at a deployment.', attempts),
    successes: registry.counter('litellm_deployment_success_responses_total', 'Attempts that succeeded.', attempts),
    failures: registry.counter('litellm_deployment_failure_responses_total', 'Attempts that failed.', [
      ...attempts,
      ...failure,
    ]),
    latency: registry.histogram(
      'litellm_llm_api_latency_metric',
      'Seconds that a provider took for a whole answer.',
      [...WHO, ...own, ...MODELS],
      LATENCY_BOUNDS,
    ),
    perToken: registry.histogram(
      'litellm_deployment_latency_per_output_token',
      'Seconds of a whole answer for each of its output tokens.',
      [...DEPLOYMENT, ...keyAndTeam, ...own],
      LATENCY_BOUNDS,
    ),
    duration: registry.histogram(
      'tollgate_attempt_duration_seconds',
      'Seconds that an attempt took, however it ended.',
      ['api_provider', 'outcome'],
      ATTEMPT_BOUNDS,
    ),
    benched: registry.counter('litellm_deployment_cooled_down_total', 'Times a deployment left rotation.', [
      ...DEPLOYMENT,
      'exception_status',
    ]),
    fallbacks: registry.counter(
      'litellm_deployment_successful_fallbacks_total',
      'Requests that a fallback answered.',
      fallbacks,
    ),
    failedFallbacks: registry.counter(
      'litellm_deployment_failed_fallbacks_total',
      'Requests that no fallback answered.',
      fallbacks,
    ),
  };
}
