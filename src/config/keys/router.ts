import { z } from 'zod';
import { approximated, honoured, ignored, later, mapRow, valuesRow } from '../table.ts';
import {
  amount,
  anyNumber,
  anything,
  count,
  fallbackList,
  looseText,
  map,
  mapOf,
  maps,
  names,
  oneOf,
  positive,
  seconds,
  text,
  timeLimit,
  truth,
} from '../values.ts';
import { litellmParams } from './deployment.ts';

/** Keys of `router_settings` (litellm.md §1.7), and ours. */

export const STRATEGIES = [
  'simple-shuffle',
  'least-busy',
  'latency-based-routing',
  'usage-based-routing',
  'usage-based-routing-v2',
  'cost-based-routing',
] as const;

/** Error classes by the names that LiteLLM's policies use, without `Retries` or `AllowedFails` at the end. */
export const POLICY_CLASSES = {
  BadRequestError: 'bad-request',
  AuthenticationError: 'authentication',
  TimeoutError: 'timeout',
  RateLimitError: 'rate-limit',
  ContentPolicyViolationError: 'content-policy',
  InternalServerError: 'internal-server',
  ServiceUnavailableError: 'service-unavailable',
  BadGatewayError: 'bad-gateway',
  NotFoundError: 'not-found',
} as const;

const retries = honoured(count, 'Retries for this class of error.');
const retryPolicy = {
  BadRequestErrorRetries: retries,
  AuthenticationErrorRetries: retries,
  TimeoutErrorRetries: retries,
  RateLimitErrorRetries: retries,
  ContentPolicyViolationErrorRetries: retries,
  InternalServerErrorRetries: retries,
  ServiceUnavailableErrorRetries: retries,
  BadGatewayErrorRetries: retries,
  NotFoundErrorRetries: retries,
};

const fails = honoured(count, 'Failures of this class before a deployment leaves rotation.');
const allowedFailsPolicy = {
  BadRequestErrorAllowedFails: fails,
  AuthenticationErrorAllowedFails: fails,
  TimeoutErrorAllowedFails: fails,
  RateLimitErrorAllowedFails: fails,
  ContentPolicyViolationErrorAllowedFails: fails,
  InternalServerErrorAllowedFails: fails,
  ServiceUnavailableErrorAllowedFails: fails,
  BadGatewayErrorAllowedFails: fails,
  NotFoundErrorAllowedFails: fails,
};

const strategyArguments = {
  ttl: honoured(timeLimit, 'Seconds for which a latency sample counts. Default 3600.'),
  lowest_latency_buffer: honoured(amount, 'Choose among those within this share of the lowest latency. Default 0.'),
  max_latency_list_size: honoured(positive, 'Samples kept for each deployment. Default 10.'),
};

const retryBackoff = {
  base: honoured(seconds, 'Seconds before the first return to the same deployment. Default 0.5.'),
  factor: honoured(
    z.union([amount], { error: 'a number, 0 or more' }),
    'Each later delay is the one before times this. Default 2.',
  ),
  max: honoured(seconds, 'Longest delay in seconds. Default 8.'),
  jitter: honoured(seconds, 'Random addition of up to so many seconds. Default 0.75.'),
};

const TRIGGER = {
  error: 'a status from 400 to 599, or one of timeout, connection, context-window, content-policy, any',
};
const trigger = z.union(
  [
    z.number(TRIGGER).int(TRIGGER).min(400, TRIGGER).max(599, TRIGGER),
    z.string(TRIGGER).regex(/^([45]\d\d|timeout|connection|context-window|content-policy|any)$/, TRIGGER),
  ],
  TRIGGER,
);
const triggers = z.array(trigger, { error: 'a list of statuses and words, as [timeout, 429]' });

/** Settings that LiteLLM also reads from `litellm_settings`; `router_settings` wins. */
export const sharedRouting = {
  num_retries: honoured(count, 'Retries when nothing else is left to try. Default 2.'),
  allowed_fails: approximated(
    count,
    'Consecutive failures before a deployment leaves rotation. Default 3; LiteLLM takes an explicit 3 for “not set”.',
  ),
  fallbacks: honoured(
    fallbackList,
    'Groups to try after a group is exhausted: `[{"gpt-4": ["azure-gpt-4"]}]`; `*` stands for every group.',
  ),
  context_window_fallbacks: honoured(fallbackList, 'Groups to try when the prompt is too long for a group.'),
  content_policy_fallbacks: honoured(fallbackList, 'Groups to try when a provider’s content filter refuses.'),
  default_fallbacks: honoured(
    names,
    'Groups to try for every group without fallbacks of its own, and for unknown models.',
  ),
};

const REDIS = 'state shared through Redis';

export const routerSettings = {
  routing_strategy: honoured(
    oneOf(STRATEGIES),
    'How a deployment is chosen inside an order level. Default simple-shuffle.',
  ),
  routing_strategy_args: mapRow(strategyArguments, { fate: 'honoured', note: 'Arguments of the strategy.' }),
  ...sharedRouting,
  retry_after: approximated(
    seconds,
    'The first delay before a return to the same deployment is at least this; later ones grow from it.',
  ),
  timeout: honoured(
    timeLimit,
    'Seconds for the first byte and between bytes of an attempt. Default 600; LiteLLM’s is 6000.',
  ),
  stream_timeout: honoured(timeLimit, 'The same for streams.'),
  total_timeout: honoured(
    timeLimit,
    '(Tollgate) Seconds for a whole request, all attempts together. Default: twice the longest timeout, at least 600.',
  ),
  connect_timeout: honoured(timeLimit, '(Tollgate) Seconds for opening a connection. Default 10.'),
  max_fallbacks: honoured(count, 'Most fallback groups for one request. Default 5.'),
  allowed_fails_policy: mapRow(allowedFailsPolicy, { fate: 'honoured', note: 'allowed_fails by class of error.' }),
  cooldown_time: honoured(seconds, 'Seconds out of rotation after failures. Default 5.'),
  disable_cooldowns: honoured(truth, 'Never take a deployment out of rotation.'),
  retry_policy: mapRow(retryPolicy, { fate: 'honoured', note: 'Retries by class of error.' }),
  model_group_retry_policy: valuesRow(retryPolicy, {
    fate: 'honoured',
    note: 'retry_policy by model group; beats retry_policy.',
  }),
  retry_backoff: mapRow(retryBackoff, {
    fate: 'honoured',
    note: '(Tollgate) Delays before a return to the same deployment; 2, 4, 8 seconds is `{base: 2, factor: 2, max: 8, jitter: 0}`.',
  }),
  fallback_on: honoured(
    triggers,
    '(Tollgate) What also makes a request go elsewhere; `[any]` is LiteLLM’s rule that every error may.',
  ),
  no_fallback_on: honoured(triggers, '(Tollgate) What never makes a request go elsewhere; beats fallback_on.'),
  model_group_alias: honoured(
    mapOf(
      z.union([z.string(), z.looseObject({ model: z.string(), hidden: z.boolean().optional() })], {
        error: 'a group, or {model: group, hidden: true}',
      }),
      'a map of aliases to groups',
    ),
    'Other public names of groups.',
  ),
  enable_pre_call_checks: honoured(truth, 'Skip deployments whose context window the prompt exceeds, before any call.'),
  optional_pre_call_checks: later(names, 'prompt caching affinity, deployment budgets, enforced model limits'),
  enable_tag_filtering: honoured(truth, 'Choose deployments by the request’s tags.'),
  tag_filtering_match_any: honoured(truth, 'true: one common tag is enough (default); false: all are needed.'),
  default_max_parallel_requests: honoured(
    positive,
    'Requests at one time at each deployment without a limit of its own.',
  ),
  default_litellm_params: mapRow(litellmParams, {
    fate: 'honoured',
    note: 'Merged under the litellm_params of every deployment.',
  }),
  default_priority: ignored(count, 'there is no priority queue'),
  polling_interval: ignored(anyNumber, 'there is no priority queue'),
  redis_url: later(text, REDIS),
  redis_host: later(text, REDIS),
  redis_port: later(looseText, REDIS),
  redis_password: later(looseText, REDIS),
  redis_db: later(looseText, REDIS),
  cache_kwargs: later(map, REDIS),
  cache_responses: later(truth, 'the response cache'),
  caching_groups: later(z.array(anything, { error: 'a list' }), 'the response cache'),
  client_ttl: ignored(amount, 'connections are kept by the transport, not by client objects'),
  provider_budget_config: later(mapOf(map, 'a map of providers to budgets'), 'budgets of providers'),
  alerting_config: later(map, 'alerting'),
  assistants_config: ignored(map, 'the Assistants API was withdrawn'),
  search_tools: later(maps, 'search tools'),
  guardrail_list: later(maps, 'guardrails'),
  ignore_invalid_deployments: ignored(truth, 'an unusable deployment is always disabled and listed'),
  set_verbose: honoured(truth, 'Debug logging; belongs under litellm_settings.'),
  debug_level: ignored(text, 'set LITELLM_LOG'),
  router_general_settings: ignored(map, 'of LiteLLM’s Python router'),
  enable_health_check_routing: later(truth, 'live probes of each deployment'),
  health_check_staleness_threshold: later(seconds, 'live probes of each deployment'),
  health_check_ignore_transient_errors: later(truth, 'live probes of each deployment'),
  deployment_affinity_ttl_seconds: later(seconds, 'affinity of sessions to deployments'),
  model_group_affinity_config: later(map, 'affinity of sessions to deployments'),
};
