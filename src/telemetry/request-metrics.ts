import type { LedgerEntry } from '../core/ledger-entry.ts';
import type { MetricSettings } from '../core/snapshot.ts';
import { type CallerNames, Callers, labelName } from './callers.ts';
import { addressLabel, LATENCY_BOUNDS, MODELS, OVERHEAD_BOUNDS, WHO } from './labels.ts';
import type { Cell, Distribution, Labels, MetricsRegistry, Purse } from './metrics.ts';
import { NONE, OTHER } from './series.ts';

/** What the metrics of requests have to know of the configuration and of the keys. */
export interface RequestNames extends CallerNames {
  /** Whether a name, asked for or asked of a provider, is one of the configuration's own. */
  isKnown(model: string): boolean;
}

/** Series that answered requests of one kind change. */
interface AnswerCells {
  readonly latency: Distribution;
  readonly firstToken: Distribution;
  readonly overhead: Distribution;
  readonly inputTokens: Cell;
  readonly outputTokens: Cell;
  readonly totalTokens: Cell;
  readonly spend: Purse;
  readonly requests: Cell;
  readonly unpriced: Cell;
}

/** Series that requests with one end change. */
interface EndCells {
  readonly status: number;
  readonly end: LedgerEntry['end'];
  readonly failure: string | null;
  readonly requests: Cell;
  /** Null for a success. */
  readonly failures: Cell | null;
  /** Null where no provider was asked. */
  readonly failedCalls: Cell | null;
  readonly outcomes: Cell;
}

/** Requests of one caller that share all labels but those of their end. */
interface Kind {
  readonly deployment: string | null;
  readonly model: string;
  readonly endpoint: string;
  /** A bit for each of `custom_prometheus_tags`. */
  readonly tags: number;
  readonly address: string | null;
  readonly labels: Labels;
  readonly answered: AnswerCells | null;
  readonly addedLatency: Distribution;
  readonly attempts: Distribution;
  readonly ends: EndCells[];
}

/** What is kept for one caller: its kinds of requests by the name that was asked for. */
interface Shelf {
  readonly labels: Labels;
  readonly byModel: Map<string, Kind[]>;
}

/** Kinds of one caller and name that are remembered; beyond them labels are put together anew. */
const MOST_KINDS = 512;
const ATTEMPT_BOUNDS = [0, 1, 2, 3, 4, 6, 10];

/**
 * The numbers of requests, under LiteLLM's names where it has one and `tollgate_*` where it has none.
 *
 * Names that clients choose never become a label: a model that only a pattern matches counts under `other`. What a request
 * changes is found through its key and the names that it has already; labels become text once for each combination.
 */
export class RequestMetrics {
  readonly #metrics;
  readonly #isKnown: (model: string) => boolean;
  readonly #tags: readonly string[];
  readonly #hasAddresses: boolean;
  readonly #callers: Callers<Shelf>;

  constructor(registry: MetricsRegistry, settings: MetricSettings, names: RequestNames) {
    const own = [...settings.metadataLabels.map(labelName), ...settings.tagLabels.map(tagLabel)];
    const who = [...(settings.hasCustomers ? ['end_user'] : []), ...WHO, ...own];
    this.#metrics = register(registry, who);
    this.#isKnown = (model) => names.isKnown(model);
    this.#tags = settings.tagLabels;
    this.#hasAddresses = [...(settings.choices?.values() ?? [])].some((labels) => labels?.has('client_ip'));
    const callerLabels = { metadata: settings.metadataLabels, hasCustomers: settings.hasCustomers };
    this.#callers = new Callers(callerLabels, names, (labels) => ({ labels, byModel: new Map() }));
  }

  request(entry: LedgerEntry): void {
    const kind = this.#kind(entry);
    const end = this.#end(kind, entry);
    end.requests.value += 1;
    end.outcomes.value += 1;
    if (end.failures !== null) end.failures.value += 1;
    if (end.failedCalls !== null) end.failedCalls.value += 1;
    kind.addedLatency.observe(entry.overhead / 1000);
    kind.attempts.observe(entry.attempts.length);
    if (kind.answered !== null && entry.firstByte !== null) count(kind.answered, entry);
  }

  #kind(entry: LedgerEntry): Kind {
    const { payer, deployment, endpoint } = entry;
    const shelf = this.#callers.at(payer, payer.customerId);
    const requested = this.#known(entry.requestedModel);
    const model = entry.model === null ? NONE : this.#known(entry.model);
    const tags = this.#tags.length === 0 ? 0 : this.#bitsOf(entry.tags);
    const address = this.#hasAddresses ? entry.requesterAddress : null;
    const kinds = shelf.byModel.get(requested);
    for (const kind of kinds ?? [])
      if (
        kind.deployment === deployment &&
        kind.model === model &&
        kind.endpoint === endpoint &&
        kind.tags === tags &&
        kind.address === address
      )
        return kind;
    const made = this.#makeKind(shelf.labels, requested, { model, tags, address }, entry);
    if (kinds === undefined) shelf.byModel.set(requested, [made]);
    else if (kinds.length < MOST_KINDS) kinds.push(made);
    return made;
  }

  #makeKind(
    caller: Labels,
    requested: string,
    { model, tags, address }: Pick<Kind, 'model' | 'tags' | 'address'>,
    entry: LedgerEntry,
  ): Kind {
    const { deployment, endpoint } = entry;
    const labels = {
      ...{ ...caller, ...this.#tagLabels(tags), client_ip: address ?? NONE },
      ...{ requested_model: requested, model, model_id: deployment ?? NONE, route: endpoint },
    };
    return {
      ...{ deployment, model, endpoint, tags, address, labels, ends: [] },
      answered: deployment === null ? null : this.#answerCells(labels, entry),
      addedLatency: this.#metrics.addedLatency.at(labels),
      attempts: this.#metrics.attempts.at(labels),
    };
  }

  #known(model: string): string {
    return this.#isKnown(model) ? model : OTHER;
  }

  #bitsOf(tags: readonly string[]): number {
    let bits = 0;
    for (const [index, tag] of this.#tags.entries()) if (tags.includes(tag)) bits |= 1 << index;
    return bits;
  }

  #tagLabels(bits: number): Labels {
    return Object.fromEntries(this.#tags.map((tag, index) => [tagLabel(tag), String((bits & (1 << index)) !== 0)]));
  }

  #answerCells(labels: Labels, { group, provider, apiBase }: LedgerEntry): AnswerCells {
    const metrics = this.#metrics;
    const place = {
      ...labels,
      ...{ model_group: group ?? NONE, api_provider: provider ?? NONE, api_base: addressLabel(apiBase) },
      litellm_model_name: labels.model ?? NONE,
    };
    return {
      latency: metrics.latency.at(labels),
      firstToken: metrics.firstToken.at(labels),
      overhead: metrics.overhead.at(place),
      inputTokens: metrics.inputTokens.at(labels),
      outputTokens: metrics.outputTokens.at(labels),
      totalTokens: metrics.totalTokens.at(labels),
      spend: metrics.spend.at(labels),
      requests: metrics.answered.at(labels),
      unpriced: metrics.unpriced.at(labels),
    };
  }

  #end(kind: Kind, { status, end, failure, attempts }: LedgerEntry): EndCells {
    const name = failure?.kind ?? null;
    for (const cells of kind.ends)
      if (
        cells.status === status &&
        cells.end === end &&
        cells.failure === name &&
        (cells.failedCalls !== null) === (end !== 'success' && attempts.length > 0)
      )
        return cells;
    const metrics = this.#metrics;
    const text = String(status);
    const failed = { ...kind.labels, exception_status: text, exception_class: name ?? end };
    const made = {
      ...{ status, end, failure: name },
      requests: metrics.requests.at({ ...kind.labels, status_code: text }),
      failures: end === 'success' ? null : metrics.failures.at(failed),
      failedCalls: end === 'success' || attempts.length === 0 ? null : metrics.failedCalls.at(kind.labels),
      outcomes: metrics.outcomes.at({ route: kind.endpoint, end, error: name ?? NONE }),
    };
    kind.ends.push(made);
    return made;
  }
}

/** Only what was answered has tokens, a cost and a latency that says something. */
function count(cells: AnswerCells, entry: LedgerEntry): void {
  const { usage, cost } = entry;
  cells.requests.value += 1;
  cells.latency.observe(entry.duration / 1000);
  cells.overhead.observe(entry.overhead / 1000);
  if (entry.isStreaming && entry.firstByte !== null) cells.firstToken.observe(entry.firstByte / 1000);
  if (usage !== null) {
    cells.inputTokens.value += usage.input;
    cells.outputTokens.value += usage.output;
    cells.totalTokens.value += usage.input + usage.output;
  }
  if (cost?.kind === 'known') cells.spend.value += cost.total;
  else if (cost !== null) cells.unpriced.value += 1;
}

/** As LiteLLM names it. */
const tagLabel = (tag: string): string => `tag_${labelName(tag)}`;

/** @param who labels of the caller */
function register(registry: MetricsRegistry, who: readonly string[]) {
  const models = [...who, ...MODELS];
  const request = [...who, 'client_ip', 'requested_model', 'route', 'model_id'];
  const spend = [...who, 'client_ip', 'model', 'model_id'];
  return {
    requests: registry.counter('litellm_proxy_total_requests_metric_total', 'Requests answered.', [
      ...request,
      'status_code',
    ]),
    failures: registry.counter('litellm_proxy_failed_requests_metric_total', 'Requests that failed.', [
      ...request,
      ...['exception_status', 'exception_class'],
    ]),
    outcomes: registry.counter('tollgate_requests_total', 'Requests by how they ended.', ['route', 'end', 'error']),
    latency: registry.histogram(
      'litellm_request_total_latency_metric',
      'Seconds from request to the end of the answer.',
      models,
      LATENCY_BOUNDS,
    ),
    firstToken: registry.histogram(
      'litellm_llm_api_time_to_first_token_metric',
      'Seconds to the first output of a stream.',
      models,
      LATENCY_BOUNDS,
    ),
    overhead: registry.histogram(
      'litellm_overhead_latency_metric',
      'Seconds that the gateway itself added, by deployment.',
      [
        ...['model_group', 'api_provider', 'api_base', 'litellm_model_name'],
        ...['hashed_api_key', 'api_key_alias', 'model_id'],
      ],
      OVERHEAD_BOUNDS,
    ),
    addedLatency: registry.histogram(
      'tollgate_added_latency_seconds',
      'Seconds that the gateway itself added.',
      ['route'],
      OVERHEAD_BOUNDS,
    ),
    attempts: registry.histogram(
      'tollgate_request_attempts',
      'Attempts that a request took; none when it was refused.',
      ['route'],
      ATTEMPT_BOUNDS,
    ),
    inputTokens: registry.counter('litellm_input_tokens_metric_total', 'Input tokens, cached ones included.', models),
    outputTokens: registry.counter('litellm_output_tokens_metric_total', 'Output tokens, reasoning included.', models),
    totalTokens: registry.counter('litellm_total_tokens_metric_total', 'Input and output tokens.', models),
    spend: registry.money('litellm_spend_metric_total', 'US dollars spent.', spend),
    answered: registry.counter('litellm_requests_metric_total', 'Requests that a deployment answered.', spend),
    failedCalls: registry.counter(
      'litellm_llm_api_failed_requests_metric_total',
      'Requests that failed after a provider was asked.',
      [...who, 'model', 'model_id'],
    ),
    unpriced: registry.counter('tollgate_unpriced_requests_total', 'Answers whose cost is not known.', MODELS),
  };
}
