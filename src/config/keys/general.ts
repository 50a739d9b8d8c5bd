import { z } from 'zod';
import { approximated, honoured, ignored, later, mapRow } from '../table.ts';
import { anything, looseText, map, maps, oneOf, positive, price, seconds, text, texts, truth } from '../values.ts';

/** Keys of `general_settings` (litellm.md §1.9), and ours. */

const DATABASE = 'the database';
const SPEND = 'spend logs';
const SIGN_IN = 'sign-in by JWT or OAuth';
const ALERTS = 'alerting';
const PROBES = 'live probes of each deployment';
const VAULTS = 'secret managers; use environment variables';
const PYTHON = 'Python hooks do not run here';
const ROUTES = 'route permissions';
const KEYS = 'virtual keys and budgets';

/** Sizes that a 32-bit count of bytes holds, so that no sum of them is inexact. */
const SIZE = { error: 'a size in MB, above 0 and at most 2000' };
const size = z.number(SIZE).positive(SIZE).max(2000, SIZE);
const megabytes = z.union(
  [
    size,
    z
      .string(SIZE)
      .regex(/^\d+(\.\d+)?$/, SIZE)
      .transform(Number)
      .pipe(size),
  ],
  SIZE,
);

const assumedPrice = {
  input_cost_per_token: honoured(price, '(Tollgate) US dollars for one input token.'),
  output_cost_per_token: honoured(price, '(Tollgate) US dollars for one output token.'),
  input_cost_per_request: honoured(price, '(Tollgate) US dollars for one request.'),
};

export const generalSettings = {
  master_key: honoured(
    text,
    'The admin key, as `os.environ/LITELLM_MASTER_KEY`. Default: the variable LITELLM_MASTER_KEY.',
  ),
  database_url: honoured(
    text,
    'PostgreSQL, as `os.environ/DATABASE_URL`. Default: the variable DATABASE_URL, else the embedded database.',
  ),
  database_connection_pool_limit: later(positive, DATABASE),
  database_connection_timeout: later(seconds, DATABASE),
  database_connection_pool_timeout: later(seconds, DATABASE),
  database_type: ignored(text, 'PostgreSQL, or the embedded database'),
  database_args: ignored(map, 'PostgreSQL, or the embedded database'),
  store_model_in_db: honoured(
    truth,
    'Models and credentials of the database are served and may be changed by the admin API. Default: STORE_MODEL_IN_DB.',
  ),
  supported_db_objects: later(texts, 'models in the database'),
  allow_requests_on_db_unavailable: later(truth, DATABASE),
  disable_spend_logs: later(truth, SPEND),
  disable_spend_updates: later(truth, SPEND),
  disable_error_logs: later(truth, SPEND),
  store_prompts_in_spend_logs: later(truth, SPEND),
  maximum_spend_logs_retention_period: later(looseText, SPEND),
  maximum_spend_logs_retention_interval: later(looseText, SPEND),
  maximum_spend_logs_cleanup_cron: later(text, SPEND),
  use_spend_logs_partitioning: later(truth, SPEND),
  proxy_batch_write_at: later(seconds, SPEND),
  proxy_budget_rescheduler_min_time: later(seconds, KEYS),
  proxy_budget_rescheduler_max_time: later(seconds, KEYS),
  disable_reset_budget: later(truth, KEYS),
  proxy_batch_polling_interval: later(seconds, 'managed batches'),
  use_redis_transaction_buffer: later(truth, SPEND),
  user_api_key_cache_ttl: later(seconds, KEYS),
  fail_closed_budget_enforcement: honoured(truth, 'Refuse with 503 while nobody knows what a budget has spent.'),
  disable_budget_reservation: later(truth, KEYS),
  max_parallel_requests: approximated(
    positive,
    'Requests at one time at each deployment; `router_settings.default_max_parallel_requests` wins.',
  ),
  global_max_parallel_requests: honoured(
    positive,
    'LLM requests that may run at once; one more gets 503. Default 10,000 (LiteLLM: no limit).',
  ),
  token_rate_limit_type: later(oneOf(['total', 'input', 'output']), KEYS),
  alerting: later(texts, ALERTS),
  alerting_threshold: later(seconds, ALERTS),
  alert_types: later(texts, ALERTS),
  alert_to_webhook_url: later(map, ALERTS),
  alerting_args: later(map, ALERTS),
  alert_type_config: later(map, ALERTS),
  spend_report_frequency: later(looseText, ALERTS),
  background_health_checks: later(truth, PROBES),
  health_check_interval: later(seconds, PROBES),
  health_check_details: later(truth, PROBES),
  use_shared_health_check: later(truth, PROBES),
  health_check_concurrency: later(positive, PROBES),
  completion_model: honoured(text, 'Group that every completion goes to, whatever the body says.'),
  embedding_model: honoured(text, 'Group that every embedding goes to, whatever the body says.'),
  image_generation_model: later(text, 'images'),
  moderation_model: later(text, 'moderations'),
  infer_model_from_keys: later(truth, 'models from the provider keys in the environment'),
  litellm_key_header_name: honoured(text, 'Header that carries the key instead of the usual ones.'),
  custom_auth: ignored(text, PYTHON),
  custom_auth_run_common_checks: ignored(truth, PYTHON),
  custom_key_generate: ignored(text, PYTHON),
  custom_key_update: ignored(text, PYTHON),
  custom_sso: ignored(text, PYTHON),
  custom_ui_sso_sign_in_handler: ignored(text, PYTHON),
  enable_jwt_auth: later(truth, SIGN_IN),
  litellm_jwtauth: later(map, SIGN_IN),
  enable_oauth2_auth: later(truth, SIGN_IN),
  enable_oauth2_proxy_auth: later(truth, SIGN_IN),
  oauth2_config_mappings: later(map, SIGN_IN),
  allowed_ips: later(texts, 'a list of allowed addresses'),
  use_x_forwarded_for: later(truth, 'a list of allowed addresses'),
  allowed_routes: later(texts, ROUTES),
  public_routes: later(texts, ROUTES),
  admin_only_routes: later(texts, ROUTES),
  enforced_params: later(texts, 'body members that each request must have'),
  enforce_user_param: honoured(truth, 'Refuse requests without `user`.'),
  reject_clientside_metadata_tags: later(truth, 'refusal of client tags'),
  allow_client_side_credentials: honoured(truth, 'Let a body bring its own api_key and api_base.'),
  user_header_name: later(text, 'end users from a header'),
  user_header_mappings: later(anything, 'end users from a header'),
  forward_client_headers_to_llm_api: honoured(truth, 'Send the client’s x-* and anthropic-beta headers upstream.'),
  forward_openai_org_id: later(truth, 'the client’s organization header'),
  forward_llm_provider_auth_headers: later(truth, 'the client’s provider credentials'),
  max_request_size_mb: honoured(megabytes, 'Largest request body in MB. Default 100.'),
  max_response_size_mb: honoured(megabytes, 'Largest answer that is not a stream, in MB. Default 100.'),
  pass_through_endpoints: later(maps, 'pass-through routes'),
  use_client_credentials_pass_through_routes: later(truth, 'pass-through routes'),
  default_team_disabled: later(truth, KEYS),
  disable_master_key_return: ignored(truth, 'the master key is never returned'),
  disable_adding_master_key_hash_to_db: ignored(truth, 'the master key is never stored'),
  disable_responses_id_security: later(truth, 'the Responses API'),
  disable_prisma_schema_update: later(truth, DATABASE),
  key_management_system: later(text, VAULTS),
  key_management_settings: later(map, VAULTS),
  use_google_kms: later(truth, VAULTS),
  use_azure_key_vault: later(truth, VAULTS),
  role_permissions: later(anything, KEYS),
  enforce_rbac: later(truth, KEYS),
  service_account_settings: later(map, KEYS),
  ui_access_mode: ignored(anything, 'the dashboard is another one'),
  litellm_license: ignored(text, 'no licence is needed'),
  search_tools: later(maps, 'search tools'),
  user_mcp_management_mode: later(text, 'MCP servers'),
  mcp_internal_ip_ranges: later(texts, 'MCP servers'),
  mcp_client_side_auth_header_name: later(text, 'MCP servers'),
  always_include_stream_usage: honoured(
    truth,
    'true: every stream ends with its usage; false: usage is never asked for. Default: asked for, and hidden from clients that did not ask.',
  ),
  disable_retry_on_max_parallel_request_limit_error: ignored(truth, 'of an old limiter'),
  enable_drain_endpoint: later(truth, '/health/drain'),
  coordination_redis: later(map, 'state shared through Redis'),
  dangerously_permit_weak_or_unset_master_key: later(truth, 'a start without a master key'),
  assumed_price: mapRow(assumedPrice, {
    fate: 'honoured',
    note: '(Tollgate) What budgets assume of a model whose price is not known; its spend stays recorded as unknown.',
  }),
  error_profile: honoured(
    oneOf(['tollgate', 'litellm-1.81']),
    '(Tollgate) Whose statuses errors carry. Default tollgate.',
  ),
  stream_keep_alive: honoured(
    seconds,
    '(Tollgate) Seconds of silence before a comment keeps a stream open; 0 turns it off. Default 15.',
  ),
  cors_origins: honoured(
    texts,
    '(Tollgate) Origins that browsers may call from. Default: LITELLM_CORS_ORIGINS, else all.',
  ),
  log_level: honoured(
    oneOf(['debug', 'info', 'warn', 'error']),
    '(Tollgate) The least important lines that are logged. Default: LITELLM_LOG or LITELLM_LOG_LEVEL, else info.',
  ),
};
