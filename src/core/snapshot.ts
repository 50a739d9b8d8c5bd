import type { DefaultBudgets } from './budget.ts';
import type { DeploymentId, GroupName, ProviderId } from './ids.ts';
import type { JsonObject } from './json.ts';
import type { BillingTerms, Price } from './price.ts';
import type { Secret } from './secret.ts';
import type { TelemetrySettings } from './telemetry-settings.ts';
import type { Millis } from './units.ts';

/**
 * What the data plane knows of the configuration: immutable, complete, swapped whole.
 *
 * Durations are milliseconds; `null` means "not configured".
 */
export interface Snapshot {
  /** Grows by one with every swap. */
  readonly version: number;
  /** SHA-256 of the sources, hex: equal on every instance that runs the same configuration. */
  readonly fingerprint: string;
  readonly groups: ReadonlyMap<GroupName, ModelGroup>;
  /** Wildcard groups (`openai/*`), most specific pattern first. */
  readonly wildcards: readonly WildcardGroup[];
  readonly aliases: ReadonlyMap<string, GroupAlias>;
  readonly deployments: ReadonlyMap<DeploymentId, Deployment>;
  readonly routing: RoutingSettings;
  readonly server: ServerSettings;
  readonly billing: BillingTerms;
  readonly telemetry: TelemetrySettings;
}

/** Deployments that share one public name. Disabled ones are listed here and never picked. */
export interface ModelGroup {
  readonly name: GroupName;
  readonly deployments: readonly Deployment[];
}

/** A group whose public name holds stars; `pattern` is anchored and captures what each star matched. */
export interface WildcardGroup extends ModelGroup {
  readonly pattern: RegExp;
}

/** `model_group_alias`: another public name of a group; hidden ones are not listed. */
export interface GroupAlias {
  readonly target: GroupName;
  readonly isHidden: boolean;
}

/** One place that serves a model. */
export interface Deployment {
  readonly id: DeploymentId;
  readonly group: GroupName;
  readonly provider: ProviderId;
  /** Upstream model without the provider's prefix; may hold `*` in a wildcard group. */
  readonly model: string;
  /** As written in the file: `azure/gpt-4`. */
  readonly configuredModel: string;
  readonly upstream: UpstreamSettings;
  /** Why it may not be used (its variables are unset, its provider is unknown …), or null. */
  readonly disabled: DisabledReason | null;
  /** Lower is tried first; null comes after every number. */
  readonly order: number | null;
  readonly weight: number | null;
  readonly rpm: number | null;
  readonly tpm: number | null;
  readonly maxParallel: number | null;
  readonly tags: readonly string[];
  readonly timeout: Millis | null;
  readonly streamTimeout: Millis | null;
  readonly numRetries: number | null;
  readonly cooldown: Millis | null;
  readonly allowedFails: number | null;
  /** A canned answer instead of a call (`mock_response`). */
  readonly mockResponse: string | null;
  readonly dropParams: boolean | null;
  readonly additionalDropParams: readonly string[];
  readonly allowedParams: readonly string[];
  /** Context window in tokens, when known from `model_info` or the model table. */
  readonly maxInputTokens: number | null;
  readonly maxOutputTokens: number | null;
  /** What it charges: configured, or known of its model; null when nobody knows, and for a model with `*`. */
  readonly price: Price | null;
  /** Whether it came from an entry with a star: those never cool down (LiteLLM). */
  readonly isWildcard: boolean;
  /** Whether the database keeps it (`db_model`), where the admin API changes it; else the file does. */
  readonly isStored: boolean;
  /** `model_info` as written, secrets removed, for `/model/info`. */
  readonly info: JsonObject;
  /** `litellm_params` as written, secrets masked, for `/model/info`. */
  readonly publicParams: JsonObject;
}

/** A deployment's members of which an entry says nothing; what names and reaches it has no default. */
export const NOTHING_SET: Omit<
  Deployment,
  'id' | 'group' | 'provider' | 'model' | 'configuredModel' | 'upstream' | 'info' | 'publicParams'
> = {
  disabled: null,
  order: null,
  weight: null,
  rpm: null,
  tpm: null,
  maxParallel: null,
  tags: [],
  timeout: null,
  streamTimeout: null,
  numRetries: null,
  cooldown: null,
  allowedFails: null,
  mockResponse: null,
  dropParams: null,
  additionalDropParams: [],
  allowedParams: [],
  maxInputTokens: null,
  maxOutputTokens: null,
  price: null,
  isWildcard: false,
  isStored: false,
};

/** How to reach the upstream of one deployment. */
export interface UpstreamSettings {
  /** `api_base` without a trailing slash, or null for the provider's own. */
  readonly baseUrl: string | null;
  readonly apiKey: Secret | null;
  readonly apiVersion: string | null;
  readonly organization: string | null;
  /** `extra_headers` / `headers`: sent as they are, credentials included. */
  readonly extraHeaders: readonly (readonly [name: string, value: Secret])[];
  /** `extra_body` and unknown `litellm_params`: members added to the request when the client did not send them. */
  readonly extraBody: JsonObject;
}

/** The provider's own address, without a key. */
export const NO_UPSTREAM_SETTINGS: UpstreamSettings = {
  baseUrl: null,
  apiKey: null,
  apiVersion: null,
  organization: null,
  extraHeaders: [],
  extraBody: {},
};

/** Why a deployment is out of use although it is configured. */
export interface DisabledReason {
  /** Names of unset environment variables; empty when the reason is another. */
  readonly missingVariables: readonly string[];
  readonly message: string;
}

export type RoutingStrategy =
  | 'simple-shuffle'
  | 'least-busy'
  | 'latency-based-routing'
  | 'usage-based-routing'
  | 'usage-based-routing-v2'
  | 'cost-based-routing';

/** Group -> groups to try after it. The group `*` stands for every group without an entry of its own. */
export type FallbackMap = ReadonlyMap<string, readonly string[]>;

/** How many retries an error class gets (`retry_policy`); absent classes use `numRetries`. */
export type RetryCounts = Readonly<Partial<Record<ErrorClass, number>>>;

/** LiteLLM's classes of failure, as its policies name them. */
export type ErrorClass =
  | 'bad-request'
  | 'authentication'
  | 'timeout'
  | 'rate-limit'
  | 'content-policy'
  | 'internal-server'
  | 'service-unavailable'
  | 'bad-gateway'
  | 'not-found';

/** Delays between tries of the same deployment. */
export interface BackoffSchedule {
  /** Delay before the first return. */
  readonly base: Millis;
  /** Each later delay is the one before times this. */
  readonly factor: number;
  readonly max: Millis;
  /** Upper end of the random addition to each delay. */
  readonly jitter: Millis;
}

/** What can make a request go elsewhere, as words of `fallback_on` / `no_fallback_on`: statuses or names. */
export type FallbackTrigger = number | 'timeout' | 'connection' | 'context-window' | 'content-policy' | 'any';

export interface RoutingSettings {
  readonly strategy: RoutingStrategy;
  /** `routing_strategy_args`, with LiteLLM's defaults filled in. */
  readonly latencyBuffer: number;
  readonly latencyWindow: Millis;
  readonly latencySamples: number;
  readonly numRetries: number;
  readonly retryCounts: RetryCounts;
  readonly groupRetryCounts: ReadonlyMap<string, RetryCounts>;
  readonly backoff: BackoffSchedule;
  readonly fallbacks: FallbackMap;
  readonly contextWindowFallbacks: FallbackMap | null;
  /** `context_window_fallbacks: true`: context errors use the ordinary chain. */
  readonly contextUsesOrdinaryChain: boolean;
  readonly contentPolicyFallbacks: FallbackMap | null;
  readonly defaultFallbacks: readonly string[];
  readonly maxFallbacks: number;
  readonly fallbackOn: readonly FallbackTrigger[];
  readonly noFallbackOn: readonly FallbackTrigger[];
  readonly allowedFails: number;
  readonly allowedFailsPolicy: RetryCounts;
  readonly cooldown: Millis;
  readonly cooldownsEnabled: boolean;
  readonly preCallChecks: boolean;
  readonly tagFiltering: boolean;
  readonly tagMatch: 'any' | 'all';
  readonly timeout: Millis;
  readonly streamTimeout: Millis | null;
  readonly connectTimeout: Millis;
  /** Deadline for the whole request, all attempts together. */
  readonly totalTimeout: Millis;
  readonly defaultMaxParallel: number | null;
}

/** Fields as the admin API takes them; it checks them when it uses them. */
export interface NewcomerSettings {
  /** `default_key_generate_params`: of new keys, where the request says nothing. */
  readonly keyDefaults: JsonObject;
  /** `upperbound_key_generate_params`: the most that a new key may ask for. */
  readonly keyBounds: JsonObject;
  /** `default_internal_user_params`: of new users that are no admins. */
  readonly userDefaults: JsonObject;
  /** `default_team_params`: of new teams. */
  readonly teamDefaults: JsonObject;
}

/** Which of LiteLLM's metrics are served, by name, with their labels (null: the usual ones); null: all of them. */
export type MetricChoices = ReadonlyMap<string, ReadonlySet<string> | null> | null;

/** What `/metrics` shows, and to whom. */
export interface MetricSettings {
  /** `require_auth_for_metrics_endpoint`. */
  readonly needsKey: boolean;
  /** `prometheus_metrics_config`. */
  readonly choices: MetricChoices;
  /** `custom_prometheus_metadata_labels`: paths in a key's metadata. */
  readonly metadataLabels: readonly string[];
  /** `custom_prometheus_tags`. */
  readonly tagLabels: readonly string[];
  /** Whether end customers are a label (`enable_end_user_cost_tracking_prometheus_only`). */
  readonly hasCustomers: boolean;
}

/** Everything, for everybody, with the usual labels. */
export const USUAL_METRICS: MetricSettings = {
  needsKey: false,
  choices: null,
  metadataLabels: [],
  tagLabels: [],
  hasCustomers: false,
};

export interface ServerSettings {
  /** `store_model_in_db`: models of the database are served, and may be changed. */
  readonly storesModels: boolean;
  readonly masterKey: Secret | null;
  /** A PostgreSQL database; null for the embedded one. */
  readonly databaseUrl: Secret | null;
  /** What new keys, users and teams get, and the most that a key may ask for. */
  readonly newcomers: NewcomerSettings;
  readonly budgets: DefaultBudgets;
  /** Whether a budget of which nobody knows what was spent refuses. */
  readonly failClosedBudgets: boolean;
  /** Header that carries the key instead of the usual ones. */
  readonly keyHeader: string | null;
  readonly dropParams: boolean;
  readonly modifyParams: boolean;
  /** Answers repeat LiteLLM 1.81's statuses (`error_profile: litellm-1.81`). */
  readonly errorProfile: 'tollgate' | 'litellm-1.81';
  /** Usage in streams: hide it from clients that did not ask, show it always, or never ask upstream. */
  readonly streamUsage: 'hide' | 'always' | 'never';
  readonly maxRequestBytes: number;
  readonly maxResponseBytes: number;
  /** LLM requests at once; one more is refused, so that a flood does not take the running ones with it. */
  readonly maxConcurrent: number;
  readonly keepAlive: Millis;
  readonly corsOrigins: readonly string[];
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly forwardClientHeaders: boolean;
  readonly allowClientCredentials: boolean;
  readonly completionModel: string | null;
  readonly embeddingModel: string | null;
  readonly requireUser: boolean;
  readonly metrics: MetricSettings;
}
