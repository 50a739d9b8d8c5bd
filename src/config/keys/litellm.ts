import { z } from 'zod';
import { approximated, honoured, ignored, itemsRow, later, mapRow } from '../table.ts';
import {
  amount,
  anything,
  count,
  map,
  mapOf,
  maps,
  names,
  price,
  seconds,
  share,
  span,
  text,
  texts,
  timeLimit,
  truth,
} from '../values.ts';
import { sharedRouting } from './router.ts';

/** Keys of `litellm_settings` (litellm.md §1.8). */

const callbacks = z.union([texts, text], { error: 'a list of names' });
const CALLBACKS = 'logging callbacks; Prometheus metrics are always served';
const RECEIVERS = '`otel`, `langfuse` (by OTLP), `generic_api`, `s3`; `prometheus` is always on';
const KEYS = 'virtual keys and budgets';
const GUARDRAILS = 'guardrails';
const METRICS = 'gauges of every budget: those in use are always there';
const MARGIN = { error: 'a share, as 0.1 for 10 %, or `percentage` and `fixed_amount`' };
const metricGroup = {
  group: honoured(text, 'A name for the group; it does nothing.'),
  metrics: honoured(texts, 'Names of `litellm_*` metrics, with or without `_total`.'),
  include_labels: honoured(
    texts,
    'Their labels; without it the usual ones. `client_ip` is served only where it stands here.',
  ),
};
const margin = z.union(
  [amount, z.strictObject({ percentage: amount.optional(), fixed_amount: price.optional() }, MARGIN)],
  MARGIN,
);

const s3CallbackParams = {
  s3_bucket_name: honoured(text, 'The bucket.'),
  s3_region_name: honoured(text, 'Its region. Default: AWS_REGION, else us-east-1.'),
  s3_aws_access_key_id: honoured(text, 'Default: AWS_ACCESS_KEY_ID.'),
  s3_aws_secret_access_key: honoured(text, 'Default: AWS_SECRET_ACCESS_KEY.'),
  s3_aws_session_token: honoured(text, 'Default: AWS_SESSION_TOKEN.'),
  s3_endpoint_url: honoured(text, 'Address of a store that is not Amazon’s; the bucket is the first part of the path.'),
  s3_path: honoured(text, 'Put before each key.'),
  s3_use_team_prefix: approximated(truth, 'Put the id of the team (LiteLLM: its alias) before the day.'),
  s3_api_version: ignored(anything, 'there is one version'),
  s3_use_ssl: ignored(anything, 's3_endpoint_url says so'),
  s3_verify: ignored(anything, 'certificates are always verified'),
  s3_config: ignored(anything, 'of a Python client'),
  s3_strip_base64_files: ignored(truth, 'messages are never logged'),
};

export const litellmSettings = {
  drop_params: honoured(truth, 'Leave out parameters that a provider does not take, instead of refusing the request.'),
  modify_params: honoured(truth, 'Allow small changes to a request so that it fits the provider.'),
  set_verbose: approximated(truth, 'Debug logging, with secrets and bodies redacted.'),
  json_logs: ignored(truth, 'log lines are always JSON'),
  ...sharedRouting,
  request_timeout: honoured(timeLimit, 'Another place for `router_settings.timeout`, which wins.'),
  model_alias_map: honoured(
    mapOf(text, 'a map of aliases to models'),
    'Other public names of groups; `model_group_alias` wins.',
  ),
  cache: later(truth, 'the response cache'),
  cache_params: later(map, 'the response cache'),
  enable_redis_auth_cache: later(truth, 'state shared through Redis'),
  success_callback: approximated(callbacks, `Receivers of requests that succeeded: ${RECEIVERS}. Others are reported.`),
  failure_callback: approximated(callbacks, `Receivers of requests that failed: ${RECEIVERS}. Others are reported.`),
  callbacks: approximated(callbacks, `Receivers of all requests: ${RECEIVERS}. Others are reported.`),
  s3_callback_params: mapRow(s3CallbackParams, { fate: 'honoured', note: 'The bucket of the callback `s3`.' }),
  service_callbacks: later(callbacks, CALLBACKS),
  service_callback: later(callbacks, CALLBACKS),
  audit_log_callbacks: later(callbacks, CALLBACKS),
  turn_off_message_logging: ignored(truth, 'messages are never logged'),
  redact_user_api_key_info: ignored(truth, 'keys are never logged'),
  redact_messages_in_exceptions: ignored(truth, 'messages are never logged'),
  log_raw_request_response: ignored(truth, 'messages are never logged'),
  langfuse_default_tags: ignored(anything, CALLBACKS),
  langsmith_batch_size: ignored(count, CALLBACKS),
  argilla_batch_size: ignored(count, CALLBACKS),
  default_redis_batch_cache_expiry: later(seconds, 'the response cache'),
  max_budget: honoured(
    amount,
    'The most that everything together may cost in `budget_duration`, US dollars; requests of the master key count and are not refused.',
  ),
  budget_duration: honoured(span, 'When `max_budget` begins anew. Default: never.'),
  max_user_budget: later(amount, KEYS),
  max_internal_user_budget: honoured(
    amount,
    '`max_budget` of new users that are no admins; `default_internal_user_params` wins.',
  ),
  internal_user_budget_duration: honoured(span, '`budget_duration` of the same.'),
  default_internal_user_params: honoured(
    map,
    'Fields of new users that are no admins, where `/user/new` does not say.',
  ),
  max_end_user_budget: honoured(amount, 'What each customer without a budget may spend, US dollars, once for ever.'),
  max_end_user_budget_id: honoured(
    text,
    'The budget, of `/budget/new`, of each customer without one; `max_end_user_budget` is for when it is not there.',
  ),
  default_key_generate_params: honoured(map, 'Fields of new keys, where the request does not say.'),
  upperbound_key_generate_params: honoured(
    map,
    'The most that a new key may ask for: `max_budget`, `budget_duration`, `duration`, `max_parallel_requests`, `tpm_limit`, `rpm_limit`. What is left out gets it.',
  ),
  key_generation_settings: later(map, KEYS),
  default_team_settings: later(maps, KEYS),
  default_team_params: honoured(map, 'Fields of new teams, where `/team/new` does not say.'),
  enable_key_alias_format_validation: later(truth, KEYS),
  model_group_settings: later(
    map,
    'settings by model group; general_settings.forward_client_headers_to_llm_api is for all',
  ),
  guardrails: later(maps, GUARDRAILS),
  post_call_rules: ignored(anything, 'Python hooks do not run here'),
  pre_call_rules: ignored(anything, 'Python hooks do not run here'),
  custom_provider_map: ignored(maps, 'Python providers do not run here; use openai/<model> with api_base'),
  cost_discount_config: honoured(
    mapOf(share, 'a map of providers to shares, as `{openai: 0.05}`'),
    'Share of the cost that is taken off, by provider.',
  ),
  cost_margin_config: honoured(
    mapOf(margin, 'a map of providers, or `global`, to a share or to `percentage` and `fixed_amount`'),
    'What is added to the cost, by provider; `global` for the others. A share, or `percentage` (a share too) and `fixed_amount` in US dollars.',
  ),
  priority_reservation: later(map, 'rate limits by priority'),
  priority_reservation_settings: later(map, 'rate limits by priority'),
  enable_json_schema_validation: later(truth, 'validation of answers'),
  enable_preview_features: ignored(truth, 'there are no preview features'),
  force_ipv4: later(truth, 'choice of the address family'),
  ssl_verify: later(
    z.union([truth, text], { error: 'true, false or a file' }),
    'TLS settings; certificates are always verified',
  ),
  ssl_certificate: later(text, 'TLS settings'),
  disable_hf_tokenizer_download: ignored(truth, 'nothing is downloaded'),
  disable_token_counter: ignored(
    truth,
    'tokens are counted only for pre-call checks of long prompts: enable_pre_call_checks turns that off',
  ),
  disable_end_user_cost_tracking: later(truth, 'spend of end users'),
  disable_end_user_cost_tracking_prometheus_only: later(truth, 'spend of end users'),
  enable_end_user_cost_tracking_prometheus_only: approximated(
    truth,
    'The label `end_user` on the metrics of requests, of the first 200 customers; the others are `other`. Read at the start.',
  ),
  prometheus_metrics_config: itemsRow(metricGroup, {
    fate: 'approximated',
    note: 'Of the `litellm_*` metrics only those of these groups; `tollgate_*` are always served. `user_email` and `user_agent` are not kept. Read at the start.',
  }),
  custom_prometheus_metadata_labels: approximated(
    names,
    'Paths in the metadata of keys (`metadata.project`) that become labels (`metadata_project`); metadata of requests is not looked at. Read at the start.',
  ),
  custom_prometheus_tags: approximated(
    names.max(30, { error: 'at most 30 tags' }),
    'Tags that become labels of the metrics of requests, `tag_<tag>`, with `true` or `false`. Read at the start.',
  ),
  prometheus_initialize_budget_metrics: later(truth, METRICS),
  require_auth_for_metrics_endpoint: honoured(truth, 'Ask for a key at `/metrics`. Default: nobody is asked.'),
  include_cost_in_streaming_usage: later(truth, 'the cost inside a stream'),
  return_response_headers: ignored(truth, 'provider headers always come back as llm_provider-*'),
  store_audit_logs: later(truth, 'the audit log'),
  tag_budget_config: later(map, KEYS),
  mcp_aliases: later(map, 'MCP servers'),
  responses: later(map, 'the Responses API'),
  ui_theme_config: ignored(map, 'the dashboard is another one'),
  check_provider_endpoint: later(truth, 'expansion of wildcards in /v1/models'),
  telemetry: ignored(truth, 'there is no telemetry'),
  global_disable_no_log_param: later(truth, 'spend logs'),
};
