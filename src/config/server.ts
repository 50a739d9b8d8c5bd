import { type Budget, type DefaultBudgets, MARKS } from '../core/budget.ts';
import type { JsonObject } from '../core/json.ts';
import { Secret } from '../core/secret.ts';
import type { MetricChoices, ServerSettings } from '../core/snapshot.ts';
import { epochMillis, nanoUsd, seconds } from '../core/units.ts';
import { parseDuration } from '../metering/period.ts';
import { type Environment, firstVariable, variable } from './environment.ts';
import type { Findings } from './findings.ts';
import type { ConfigFile } from './keys/root.ts';
import { NOWHERE } from './tree.ts';

const MEGABYTE = 1_048_576;
const SIZE_MB = 100;
/** Proxies in between commonly close a connection after 60 s of silence. */
/** Far above what one core serves; an open stream costs some 30 KB. */
const MOST_CONCURRENT = 10_000;
const STREAM_KEEP_ALIVE_SECONDS = 15;

/** Settings of the service: `general_settings`, `litellm_settings`, then LiteLLM's variables, then defaults. */
export function compileServer(file: ConfigFile, environment: Environment, findings: Findings): ServerSettings {
  const general = file.general_settings ?? {};
  const shared = file.litellm_settings ?? {};
  const masterKey = (general.master_key ?? variable(environment, 'LITELLM_MASTER_KEY'))?.trim() ?? null;
  if (masterKey !== null) reportWeakKey(masterKey, findings);
  const databaseUrl = (general.database_url ?? variable(environment, 'DATABASE_URL'))?.trim() || null;
  const streamUsage = general.always_include_stream_usage;
  return {
    storesModels: general.store_model_in_db ?? /^true$/i.test(variable(environment, 'STORE_MODEL_IN_DB') ?? ''),
    masterKey: masterKey === null ? null : new Secret(masterKey),
    databaseUrl: databaseUrl === null ? null : new Secret(databaseUrl),
    newcomers: {
      keyDefaults: fields(shared.default_key_generate_params),
      keyBounds: fields(shared.upperbound_key_generate_params),
      userDefaults: { ...userBudget(shared), ...fields(shared.default_internal_user_params) },
      teamDefaults: fields(shared.default_team_params),
    },
    budgets: defaultBudgets(shared),
    failClosedBudgets: general.fail_closed_budget_enforcement ?? false,
    keyHeader: general.litellm_key_header_name?.toLowerCase() ?? null,
    dropParams: shared.drop_params ?? /^true$/i.test(variable(environment, 'LITELLM_DROP_PARAMS') ?? ''),
    modifyParams: shared.modify_params ?? /^true$/i.test(variable(environment, 'LITELLM_MODIFY_PARAMS') ?? ''),
    errorProfile: general.error_profile ?? 'tollgate',
    streamUsage: streamUsage === undefined ? 'hide' : streamUsage ? 'always' : 'never',
    maxRequestBytes: Math.floor((general.max_request_size_mb ?? SIZE_MB) * MEGABYTE),
    maxResponseBytes: Math.floor((general.max_response_size_mb ?? SIZE_MB) * MEGABYTE),
    maxConcurrent: general.global_max_parallel_requests ?? MOST_CONCURRENT,
    keepAlive: seconds(general.stream_keep_alive ?? STREAM_KEEP_ALIVE_SECONDS),
    corsOrigins: general.cors_origins ??
      variable(environment, 'LITELLM_CORS_ORIGINS')
        ?.split(',')
        .map((origin) => origin.trim())
        .filter(Boolean) ?? ['*'],
    logLevel: logLevel(file, environment),
    forwardClientHeaders: general.forward_client_headers_to_llm_api ?? false,
    allowClientCredentials: general.allow_client_side_credentials ?? false,
    completionModel: general.completion_model ?? null,
    embeddingModel: general.embedding_model ?? null,
    requireUser: general.enforce_user_param ?? false,
    metrics: {
      needsKey: shared.require_auth_for_metrics_endpoint ?? false,
      choices: metricChoices(shared.prometheus_metrics_config),
      metadataLabels: shared.custom_prometheus_metadata_labels ?? [],
      tagLabels: shared.custom_prometheus_tags ?? [],
      hasCustomers: shared.enable_end_user_cost_tracking_prometheus_only ?? false,
    },
  };
}

type MetricGroups = NonNullable<ConfigFile['litellm_settings']>['prometheus_metrics_config'];

/** A metric of several groups has the labels of the last one, as in LiteLLM. */
function metricChoices(groups: MetricGroups): MetricChoices {
  if (groups === undefined) return null;
  return new Map(
    groups.flatMap(({ metrics = [], include_labels }) => {
      const labels = include_labels === undefined ? null : new Set(include_labels);
      return metrics.map((metric) => [metric, labels] as const);
    }),
  );
}

type SharedWords = NonNullable<ConfigFile['litellm_settings']>;

function defaultBudgets({ max_budget, budget_duration, ...shared }: SharedWords): DefaultBudgets {
  return {
    everything: max_budget === undefined ? null : budgetOf(max_budget, budget_duration),
    customer: shared.max_end_user_budget === undefined ? null : budgetOf(shared.max_end_user_budget),
    customerBudgetId: shared.max_end_user_budget_id ?? null,
  };
}

function budgetOf(dollars: number, duration?: string): Budget {
  const length = duration === undefined ? null : parseDuration(duration);
  return {
    limit: nanoUsd(BigInt(Math.round(dollars * 1e9))),
    soft: null,
    thresholds: MARKS,
    period: length === null ? { kind: 'forever' } : { kind: 'recurring', length, anchor: epochMillis(0) },
    increase: null,
  };
}

function userBudget({
  max_internal_user_budget: most,
  internal_user_budget_duration: duration,
}: SharedWords): JsonObject {
  return {
    ...(most !== undefined && { max_budget: most }),
    ...(duration !== undefined && { budget_duration: duration }),
  };
}

/** YAML gives nothing but JSON here: dates stay text. */
const fields = (map: Readonly<Record<string, unknown>> | undefined): JsonObject => (map ?? {}) as JsonObject;

function logLevel(file: ConfigFile, environment: Environment): ServerSettings['logLevel'] {
  if (file.litellm_settings?.set_verbose === true || file.router_settings?.set_verbose === true) return 'debug';
  if (file.general_settings?.log_level !== undefined) return file.general_settings.log_level;
  switch (firstVariable(environment, ['LITELLM_LOG', 'LITELLM_LOG_LEVEL'])?.value.toUpperCase()) {
    case 'DEBUG':
      return 'debug';
    case 'WARN':
    case 'WARNING':
      return 'warn';
    case 'ERROR':
    case 'CRITICAL':
      return 'error';
    default:
      return 'info';
  }
}

/** Keys that stand in documents or are short enough to guess. */
function reportWeakKey(key: string, findings: Findings): void {
  const isWeak = key.length < 16 || /^sk-(1234|.*(example|change-?me|your).*)$/i.test(key);
  if (isWeak)
    findings.add(
      'warning',
      NOWHERE,
      ['general_settings', 'master_key'],
      'The master key is easy to guess; scripts/setup-litellm-env.sh makes a good one.',
    );
  else if (!key.startsWith('sk-'))
    findings.add(
      'note',
      NOWHERE,
      ['general_settings', 'master_key'],
      'LiteLLM’s tools expect a master key that starts with sk-.',
    );
}
