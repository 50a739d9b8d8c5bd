import { z } from 'zod';
import { nearest } from '../../core/nearest.ts';
import { LONG_PROMPT_KEYS, SERVICE_KEYS } from '../../metering/price-keys.ts';
import { isSensitive } from '../secret-names.ts';
import { approximated, honoured, ignored, itemsRow, later, mapRow, type Row } from '../table.ts';
import {
  amount,
  anyNumber,
  anything,
  count,
  headers,
  looseText,
  map,
  maps,
  names,
  oneOf,
  positive,
  price,
  seconds,
  text,
  texts,
  timeLimit,
  truth,
  whole,
} from '../values.ts';

/** Keys of `model_list[]` and what stands below them (litellm.md §1.4). */

const OTHER_CLOUD = 'the provider that it belongs to';
const PROMPTS = 'prompt management';

/** Parameters of the OpenAI dialect that may stand in `litellm_params` as defaults for requests that do not set them. */
const requestDefaults = {
  temperature: requestDefault(amount),
  top_p: requestDefault(amount),
  top_k: requestDefault(anyNumber),
  min_p: requestDefault(amount),
  presence_penalty: requestDefault(anyNumber),
  frequency_penalty: requestDefault(anyNumber),
  repetition_penalty: requestDefault(anyNumber),
  max_tokens: requestDefault(count),
  max_completion_tokens: requestDefault(count),
  n: requestDefault(positive),
  seed: requestDefault(whole),
  stop: requestDefault(z.union([text, texts], { error: 'text or a list of texts' })),
  logit_bias: requestDefault(map),
  logprobs: requestDefault(truth),
  top_logprobs: requestDefault(count),
  tools: requestDefault(maps),
  tool_choice: requestDefault(z.union([text, map], { error: 'text or a map' })),
  parallel_tool_calls: requestDefault(truth),
  response_format: requestDefault(map),
  reasoning_effort: requestDefault(text),
  reasoning: requestDefault(map),
  thinking: requestDefault(map),
  verbosity: requestDefault(text),
  service_tier: requestDefault(text),
  user: requestDefault(text),
  store: requestDefault(truth),
  metadata: requestDefault(map),
  prompt_cache_key: requestDefault(text),
  modalities: requestDefault(texts),
  dimensions: requestDefault(positive),
  encoding_format: requestDefault(text),
  chat_template_kwargs: requestDefault(map),
  num_ctx: requestDefault(positive),
  keep_alive: requestDefault(looseText),
  provider: requestDefault(map),
  transforms: requestDefault(texts),
};

function requestDefault<Schema extends z.ZodType>(schema: Schema) {
  return honoured(schema, 'Sent upstream when the request does not set it.');
}

/** The keys above, which go upstream as they are. */
export const REQUEST_DEFAULTS: ReadonlySet<string> = new Set(Object.keys(requestDefaults));

/** Other units than tokens and requests. */
const OTHER_UNITS = 'prices of seconds, pixels, characters and pictures';

/** Prices of `litellm_params` and `model_info`; `metering/price-keys.ts` says what each means. */
const prices = {
  input_cost_per_token: honoured(
    price,
    'US dollars for one input token; replaces what is known of all kinds of input.',
  ),
  output_cost_per_token: honoured(
    price,
    'US dollars for one output token; replaces what is known of all kinds of output.',
  ),
  cache_read_input_token_cost: honoured(price, 'The same for input read from a cache.'),
  cache_creation_input_token_cost: honoured(price, 'The same for input written to a cache.'),
  cache_creation_input_token_cost_above_1hr: honoured(price, 'The same for input written to a cache for an hour.'),
  output_cost_per_reasoning_token: honoured(price, 'The same for reasoning.'),
  citation_cost_per_token: honoured(price, 'The same for the text of cited sources (Perplexity).'),
  input_cost_per_audio_token: honoured(price, 'The same for audio.'),
  output_cost_per_audio_token: honoured(price, 'The same for audio.'),
  input_cost_per_image_token: honoured(price, 'The same for images.'),
  output_cost_per_image_token: honoured(price, 'The same for images.'),
  input_cost_per_request: honoured(price, 'US dollars for one request, whatever its length.'),
  search_context_cost_per_query: approximated(
    map,
    'US dollars for one web search: `search_context_size_medium`, else `_high`, else `_low`.',
  ),
  ...longPromptPrices(),
  ...servicePrices(),
  input_cost_per_second: later(price, OTHER_UNITS),
  output_cost_per_second: later(price, OTHER_UNITS),
  input_cost_per_pixel: later(price, OTHER_UNITS),
  output_cost_per_pixel: later(price, OTHER_UNITS),
  input_cost_per_character: later(price, OTHER_UNITS),
  output_cost_per_character: later(price, OTHER_UNITS),
  input_cost_per_query: later(price, OTHER_UNITS),
  input_cost_per_image: later(price, OTHER_UNITS),
  output_cost_per_image: later(price, OTHER_UNITS),
  tiered_pricing: later(maps, 'prices by ranges of length; the keys with `_above_` are the way to write them'),
};

/** `…_above_200k_tokens` and its like, for the lengths that LiteLLM's price map has. */
function longPromptPrices() {
  return rowsOf(
    LONG_PROMPT_KEYS,
    'Price of the whole request when its prompt has more thousands of tokens than the name says.',
  );
}

/** `…_flex`, `…_priority` and `…_batches`. */
function servicePrices() {
  return rowsOf(
    SERVICE_KEYS,
    'Price for answers of this tier of service. Default: for batches half, for the others the plain price.',
  );
}

function rowsOf<Key extends string>(keys: readonly Key[], note: string): Record<Key, Row<typeof price>> {
  // Each of the keys is there.
  return Object.fromEntries(keys.map((key) => [key, honoured(price, note)])) as Record<Key, Row<typeof price>>;
}

export const litellmParams = {
  model: {
    ...honoured(
      z.string({ error: 'text, as openai/gpt-4o' }).min(1, { error: 'text, as openai/gpt-4o' }),
      'Provider and upstream model, as `azure/my-deployment`. Required.',
    ),
  },
  custom_llm_provider: honoured(text, 'Provider, when the prefix of `model` does not name it.'),
  api_key: honoured(text, 'The provider’s key, as `os.environ/NAME`. Default: the provider’s own variable.'),
  api_base: honoured(text, 'Base URL of the upstream. Default: the provider’s own.'),
  base_url: honoured(text, 'Another name of `api_base`.'),
  api_version: honoured(looseText, 'API version, for Azure.'),
  organization: honoured(
    z.union([text, names], { error: 'text or a list of names' }),
    'OpenAI organization; a list makes one deployment of each.',
  ),
  region_name: later(text, OTHER_CLOUD),
  aws_region_name: later(text, OTHER_CLOUD),
  aws_access_key_id: later(text, OTHER_CLOUD),
  aws_secret_access_key: later(text, OTHER_CLOUD),
  aws_session_token: later(text, OTHER_CLOUD),
  aws_profile_name: later(text, OTHER_CLOUD),
  aws_role_name: later(text, OTHER_CLOUD),
  aws_session_name: later(text, OTHER_CLOUD),
  aws_external_id: later(text, OTHER_CLOUD),
  aws_web_identity_token: later(text, OTHER_CLOUD),
  aws_sts_endpoint: later(text, OTHER_CLOUD),
  aws_bedrock_runtime_endpoint: later(text, OTHER_CLOUD),
  s3_bucket_name: later(text, OTHER_CLOUD),
  vertex_project: later(text, OTHER_CLOUD),
  vertex_location: later(text, OTHER_CLOUD),
  vertex_credentials: later(z.union([text, map], { error: 'text or a map' }), OTHER_CLOUD),
  watsonx_region_name: later(text, OTHER_CLOUD),
  azure_ad_token: approximated(text, 'Sent as a bearer token; it is not renewed.'),
  tenant_id: later(text, 'Microsoft Entra sign-in'),
  client_id: later(text, 'Microsoft Entra sign-in'),
  client_secret: later(text, 'Microsoft Entra sign-in'),
  azure_username: later(text, 'Microsoft Entra sign-in'),
  azure_password: later(text, 'Microsoft Entra sign-in'),
  azure_scope: later(text, 'Microsoft Entra sign-in'),
  timeout: honoured(timeLimit, 'Seconds for the first byte and between bytes, for this deployment.'),
  stream_timeout: honoured(timeLimit, 'The same for streams.'),
  request_timeout: honoured(timeLimit, 'Another name of `timeout`; `timeout` wins.'),
  max_retries: ignored(count, 'there is no provider SDK below the router that could retry; use num_retries'),
  num_retries: honoured(count, 'Retries for failures of this deployment; beats the request’s and the router’s.'),
  cooldown_time: honoured(seconds, 'Seconds out of rotation after failures; 0 turns cooldown off for it.'),
  allowed_fails: honoured(count, 'Consecutive failures before this deployment leaves rotation.'),
  allowed_fails_policy: later(map, 'failure counts by error class for one deployment'),
  order: honoured(whole, 'Lowest is tried first; deployments without it come last.'),
  weight: honoured(amount, 'Share of the requests under simple-shuffle.'),
  rpm: honoured(count, 'Requests a minute: weight or limit, by strategy.'),
  tpm: honoured(count, 'Tokens a minute: weight or limit, by strategy.'),
  max_parallel_requests: honoured(positive, 'Requests at one time at this deployment.'),
  tags: honoured(texts, 'Tags for tag routing.'),
  max_budget: later(amount, 'budgets of deployments'),
  budget_duration: later(looseText, 'budgets of deployments'),
  mock_response: approximated(
    z.union([text, texts], { error: 'text or a list of texts' }),
    'Answered without a call; of a list the first.',
  ),
  mock_timeout: ignored(truth, 'a test helper of single requests'),
  mock_tool_calls: ignored(anything, 'a test helper of single requests'),
  ...prices,
  drop_params: honoured(truth, 'Leave out parameters that the provider does not take.'),
  additional_drop_params: honoured(texts, 'Parameters to leave out always.'),
  allowed_openai_params: honoured(texts, 'Parameters to send although the provider is not known to take them.'),
  configurable_clientside_auth_params: later(
    z.array(z.union([text, map], { error: 'text or a map' }), { error: 'a list' }),
    'client-side credentials by deployment',
  ),
  litellm_credential_name: honoured(text, 'Take credentials from `credential_list`.'),
  use_in_pass_through: later(truth, 'pass-through routes'),
  use_litellm_proxy: ignored(truth, 'name the provider litellm_proxy in model'),
  merge_reasoning_content_in_choices: later(truth, 'reasoning folded into content'),
  silent_model: later(text, 'shadow traffic'),
  auto_router_config_path: ignored(text, 'no semantic auto router'),
  auto_router_config: ignored(anything, 'no semantic auto router'),
  auto_router_default_model: ignored(text, 'no semantic auto router'),
  auto_router_embedding_model: ignored(text, 'no semantic auto router'),
  cache_control_injection_points: later(maps, 'cache markers set by the gateway'),
  prompt_id: later(text, PROMPTS),
  prompt_variables: later(map, PROMPTS),
  prompt_label: later(text, PROMPTS),
  prompt_version: later(looseText, PROMPTS),
  extra_headers: honoured(headers, 'Headers added to every request.'),
  headers: honoured(headers, 'Another name of `extra_headers`.'),
  extra_body: honoured(map, 'Members added to the body when the client did not send them.'),
  rust: ignored(truth, 'there is one engine'),
  model_info: ignored(map, 'belongs beside litellm_params'),
  stream: ignored(truth, 'the request says whether it streams'),
  stream_options: ignored(map, 'see general_settings.always_include_stream_usage'),
  ...requestDefaults,
};

const HEALTH_PROBES = 'live probes of each deployment';

export const modelInfo = {
  id: honoured(looseText, 'Stable name of the deployment. Default: a hash of the entry.'),
  db_model: ignored(truth, 'set by the gateway'),
  mode: honoured(text, 'Shown in /model/info.'),
  base_model: honoured(
    text,
    'The model to take prices and context window of, for an Azure deployment with a name of its own.',
  ),
  ...prices,
  max_tokens: approximated(count, 'Shown; taken as max_output_tokens when that is absent.'),
  max_input_tokens: honoured(count, 'Context window in tokens, for pre-call checks.'),
  max_output_tokens: honoured(count, 'Longest answer in tokens.'),
  tier: honoured(text, 'Shown in /model/info.'),
  team_id: honoured(text, 'The team that it belongs to: nobody else may ask for it.'),
  team_public_model_name: honoured(text, 'What that team calls it. Default: `model_name`.'),
  access_groups: honoured(names, 'Names under which lists of models of keys, teams and so on may allow it.'),
  supported_environments: honoured(
    z.array(oneOf(['development', 'staging', 'production']), { error: 'a list of environments' }),
    'The deployment is out of use unless LITELLM_ENVIRONMENT is one of these.',
  ),
  health_check_model: later(text, HEALTH_PROBES),
  health_check_timeout: later(seconds, HEALTH_PROBES),
  health_check_voice: later(text, HEALTH_PROBES),
  health_check_max_tokens: later(count, HEALTH_PROBES),
  disable_background_health_check: later(truth, HEALTH_PROBES),
  cooldown_time: honoured(seconds, 'Another place for `litellm_params.cooldown_time`.'),
  allowed_fails: honoured(count, 'Another place for `litellm_params.allowed_fails`.'),
  allowed_fails_policy: later(map, 'failure counts by error class for one deployment'),
  created_at: ignored(anything, 'for models in the database'),
  created_by: ignored(anything, 'for models in the database'),
  updated_at: ignored(anything, 'for models in the database'),
  updated_by: ignored(anything, 'for models in the database'),
  blocked: honoured(truth, 'true: the deployment is out of use.'),
};

/** Settings of clouds and of LiteLLM itself that never go upstream, whatever new ones LiteLLM invents. */
const STAYS_HERE =
  /^(aws|s3|vertex|gcs|google|watsonx|azure|oci|sagemaker|bedrock|litellm|auto_router|mock|model_info)_/;

/**
 * What to make of a key of `litellm_params` that the table does not know.
 *
 * `sent`: a parameter of the provider's. `kept`: a credential or a setting of a cloud, which must not go upstream. `misplaced`: a
 * key of `model_info`. `{near}`: a mistyped key, which no provider would take; a parameter that only looks like one can be
 * sent by `extra_body`.
 */
export function unknownParam(key: string): 'sent' | 'kept' | 'misplaced' | { readonly near: string } {
  if (Object.hasOwn(modelInfo, key)) return 'misplaced';
  const [near] = nearest(key, Object.keys(litellmParams), 1);
  if (near !== undefined) return { near };
  return STAYS_HERE.test(key) || isSensitive(key) ? 'kept' : 'sent';
}

export const modelEntry = {
  model_name: honoured(
    z.string({ error: 'text' }).min(1, { error: 'a name that is not empty' }),
    'Public name: the model group. `*` makes it a pattern. Required.',
  ),
  litellm_params: mapRow(litellmParams, { fate: 'honoured', note: 'How to call the model. Required.' }, ['model']),
  model_info: mapRow(modelInfo, {
    fate: 'honoured',
    note: 'What is known of the model; other keys are kept and shown.',
  }),
  rpm: honoured(count, 'Another place for `litellm_params.rpm`.'),
  tpm: honoured(count, 'Another place for `litellm_params.tpm`.'),
};

export const modelList = itemsRow(
  modelEntry,
  {
    fate: 'honoured',
    note: 'The deployments; those of one model_name are a group.',
  },
  ['model_name', 'litellm_params'],
);
