import type { LedgerEntry } from '../core/ledger-entry.ts';
import type { Millis } from '../core/units.ts';
import type { Cell, Distribution, MetricsRegistry, Purse } from './metrics.ts';

/** LiteLLM's latency buckets, seconds (litellm.md §8.2). */
const LATENCY_BOUNDS = [
  ...[0.005, 0.00625, 0.0125, 0.025, 0.05, 0.1, 0.5],
  ...Array.from({ length: 19 }, (_, index) => 1 + index * 0.5),
  ...[15, 20, 25, 30, 60, 120, 180, 240, 300],
];

/** Added latency is two orders of magnitude below the providers': seconds. */
const OVERHEAD_BOUNDS = [0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1];

interface AttemptFacts {
  readonly deployment: string;
  readonly group: string;
  readonly provider: string;
  readonly outcome: string;
  readonly status: number | null;
  readonly duration: Millis;
}

/** Series that requests of one kind change. */
interface RequestCells {
  readonly requests: Cell;
  readonly failures: Cell | null;
  readonly latency: Distribution;
  readonly firstToken: Distribution;
  readonly overhead: Distribution;
  readonly inputTokens: Cell;
  readonly outputTokens: Cell;
  readonly spend: Purse;
  readonly unpriced: Cell;
}

/** Series that attempts of one kind change. */
interface AttemptCells {
  readonly attempts: Cell;
  readonly outcome: Cell;
}

/** Combinations that are remembered; beyond them labels are put together anew. */
const MOST_COMBINATIONS = 10_000;

function remember<T>(cells: Map<string, T>, key: string, cell: T): T {
  if (cells.size >= MOST_COMBINATIONS) cells.clear();
  cells.set(key, cell);
  return cell;
}

/**
 * The numbers of the data plane, under LiteLLM's names where it has one and `tollgate_*` where it has none.
 *
 * Names that clients choose never become a label: a model that only a pattern matches counts under `other`.
 */
export class RequestMetrics {
  readonly #requests;
  readonly #failures;
  readonly #latency;
  readonly #firstToken;
  readonly #overhead;
  readonly #attempts;
  readonly #successes;
  readonly #deploymentFailures;
  readonly #benched;
  readonly #fallbacks;
  readonly #failedFallbacks;
  readonly #inputTokens;
  readonly #outputTokens;
  readonly #spend;
  readonly #unpriced;
  readonly #isKnown: (model: string) => boolean;
  readonly #cellsOfRequests = new Map<string, RequestCells>();
  readonly #cellsOfAttempts = new Map<string, AttemptCells>();

  /** @param isKnown whether a name, asked for or asked of a provider, is one of the configuration's own */
  constructor(registry: MetricsRegistry, isKnown: (model: string) => boolean) {
    const requests = ['requested_model', 'status_code', 'route', 'model_id'];
    const models = ['requested_model', 'model', 'model_id'];
    const deployment = ['requested_model', 'litellm_model_name', 'model_id', 'api_provider'];
    this.#isKnown = isKnown;
    this.#requests = registry.counter('litellm_proxy_total_requests_metric_total', 'Requests answered.', requests);
    this.#failures = registry.counter('litellm_proxy_failed_requests_metric_total', 'Requests that failed.', [
      ...['requested_model', 'exception_status', 'route', 'model_id'],
    ]);
    this.#latency = registry.histogram(
      'litellm_request_total_latency_metric',
      'Seconds from request to the end of the answer.',
      models,
      LATENCY_BOUNDS,
    );
    this.#firstToken = registry.histogram(
      'litellm_llm_api_time_to_first_token_metric',
      'Seconds to the first output of a stream.',
      models,
      LATENCY_BOUNDS,
    );
    this.#overhead = registry.histogram(
      'tollgate_added_latency_seconds',
      'Seconds that the gateway itself added.',
      ['route'],
      OVERHEAD_BOUNDS,
    );
    this.#attempts = registry.counter(
      'litellm_deployment_total_requests_total',
      'Attempts at a deployment.',
      deployment,
    );
    this.#successes = registry.counter(
      'litellm_deployment_success_responses_total',
      'Attempts that succeeded.',
      deployment,
    );
    this.#deploymentFailures = registry.counter('litellm_deployment_failure_responses_total', 'Attempts that failed.', [
      ...deployment,
      'exception_status',
      'exception_class',
    ]);
    this.#benched = registry.counter('litellm_deployment_cooled_down_total', 'Times a deployment left rotation.', [
      'model_id',
    ]);
    this.#fallbacks = registry.counter(
      'litellm_deployment_successful_fallbacks_total',
      'Requests that a fallback answered.',
      ['requested_model', 'fallback_model'],
    );
    this.#failedFallbacks = registry.counter(
      'litellm_deployment_failed_fallbacks_total',
      'Requests that no fallback answered.',
      ['requested_model', 'fallback_model'],
    );
    this.#inputTokens = registry.counter(
      'litellm_input_tokens_metric_total',
      'Input tokens, cached ones included.',
      models,
    );
    this.#outputTokens = registry.counter(
      'litellm_output_tokens_metric_total',
      'Output tokens, reasoning included.',
      models,
    );
    this.#spend = registry.money('litellm_spend_metric_total', 'US dollars spent.', ['model', 'model_id']);
    this.#unpriced = registry.counter('tollgate_unpriced_requests_total', 'Answers whose cost is not known.', models);
  }

  #known(model: string): string {
    return this.#isKnown(model) ? model : 'other';
  }

  request(entry: LedgerEntry): void {
    const cells = this.#requestCells(entry);
    cells.requests.value += 1;
    if (cells.failures !== null) cells.failures.value += 1;
    cells.latency.observe(entry.duration / 1000);
    if (entry.isStreaming && entry.firstByte !== null) cells.firstToken.observe(entry.firstByte / 1000);
    cells.overhead.observe(entry.overhead / 1000);
    if (entry.usage !== null) {
      cells.inputTokens.value += entry.usage.input;
      cells.outputTokens.value += entry.usage.output;
    }
    if (entry.cost?.kind === 'known') cells.spend.value += entry.cost.total;
    else if (entry.cost !== null) cells.unpriced.value += 1;
  }

  /** The series of requests like this one; as many as there are combinations of the configuration's own names. */
  #requestCells(entry: LedgerEntry): RequestCells {
    const requested_model = this.#known(entry.requestedModel);
    const model = entry.model === null ? 'None' : this.#known(entry.model);
    const key = `${requested_model}\n${model}\n${entry.deployment}\n${entry.endpoint}\n${entry.status}\n${entry.end}`;
    const known = this.#cellsOfRequests.get(key);
    if (known !== undefined) return known;
    const model_id = entry.deployment ?? 'None';
    const models = { requested_model, model, model_id };
    const route = { requested_model, route: entry.endpoint, model_id };
    const status = String(entry.status);
    const cells: RequestCells = {
      requests: this.#requests.at({ ...route, status_code: status }),
      failures: entry.end === 'success' ? null : this.#failures.at({ ...route, exception_status: status }),
      latency: this.#latency.at(models),
      firstToken: this.#firstToken.at(models),
      overhead: this.#overhead.at({ route: entry.endpoint }),
      inputTokens: this.#inputTokens.at(models),
      outputTokens: this.#outputTokens.at(models),
      spend: this.#spend.at({ model, model_id }),
      unpriced: this.#unpriced.at(models),
    };
    return remember(this.#cellsOfRequests, key, cells);
  }

  attempt(event: AttemptFacts): void {
    const cells = this.#attemptCells(event);
    cells.attempts.value += 1;
    cells.outcome.value += 1;
  }

  #attemptCells(event: AttemptFacts): AttemptCells {
    const key = `${event.deployment}\n${event.group}\n${event.outcome}\n${event.status}`;
    const known = this.#cellsOfAttempts.get(key);
    if (known !== undefined) return known;
    const labels = {
      requested_model: event.group,
      litellm_model_name: event.group,
      model_id: event.deployment,
      api_provider: event.provider,
    };
    const failure = { ...labels, exception_status: String(event.status ?? 'None'), exception_class: event.outcome };
    const cells: AttemptCells = {
      attempts: this.#attempts.at(labels),
      outcome: event.outcome === 'success' ? this.#successes.at(labels) : this.#deploymentFailures.at(failure),
    };
    return remember(this.#cellsOfAttempts, key, cells);
  }

  benched(deployment: string): void {
    this.#benched.add({ model_id: deployment });
  }

  fallback(event: { readonly from: string; readonly to: string; readonly worked: boolean }): void {
    const labels = { requested_model: this.#known(event.from), fallback_model: event.to };
    (event.worked ? this.#fallbacks : this.#failedFallbacks).add(labels);
  }
}
