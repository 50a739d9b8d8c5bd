import { type GatewayError, gatewayError } from '../core/errors.ts';
import type { HeaderPair } from '../core/http.ts';
import { isObject, type Json, type JsonObject } from '../core/json.ts';
import type { FallbackMap } from '../core/snapshot.ts';
import { type Millis, seconds } from '../core/units.ts';
import { type ClientFallback, NO_CONTROLS, type RoutingControls } from '../router/route.ts';
import type { ServerRequest } from '../transport/server.ts';
import type { Edit, JsonBody } from '../wire/json-splice.ts';
import { type ClientCredentials, readCredentials } from './client-credentials.ts';
import { extraBody, extraHeaders } from './client-extras.ts';

/** Members that are for the gateway and never go upstream (litellm.md §2.9). */
const GATEWAY_MEMBERS: ReadonlySet<string> = new Set([
  ...['fallbacks', 'context_window_fallbacks', 'content_policy_fallbacks', 'disable_fallbacks', 'max_fallbacks'],
  ...['num_retries', 'max_retries', 'timeout', 'stream_timeout', 'request_timeout', 'priority', 'specific_deployment'],
  ...['mock_response', 'mock_tool_calls', 'mock_timeout', 'mock_delay', 'mock_testing_fallbacks'],
  ...['mock_testing_context_fallbacks', 'mock_testing_content_policy_fallbacks', 'mock_testing_rate_limit_error'],
  ...['tags', 'litellm_metadata', 'cache', 'guardrails', 'guardrail_config', 'disable_global_guardrails', 'no-log'],
  ...['litellm_session_id', 'litellm_trace_id', 'litellm_call_id', 'litellm_logging_obj', 'fastest_response'],
  ...['drop_params', 'allowed_openai_params', 'additional_drop_params', 'secret_fields', 'proxy_server_request'],
  ...['extra_headers', 'extra_body'],
  ...['api_key', 'api_base', 'base_url', 'api_version', 'user_config', 'model_info', 'custom_llm_provider'],
]);

/** What the client told the gateway itself. */
export interface Controls {
  readonly routing: RoutingControls;
  readonly tags: readonly string[];
  readonly user: string | null;
  /** The client's name for what belongs together; it goes to the ledger only. */
  readonly session: string | null;
  readonly dropParams: boolean | null;
  readonly additionalDropParams: readonly string[];
  readonly allowedParams: readonly string[];
  readonly mock: MockControls | null;
  readonly credentials: ClientCredentials | null;
  /** Headers for the provider that the client asks for. */
  readonly extraHeaders: readonly HeaderPair[];
  /** What changes in the body: the gateway's members leave, `extra_body` joins; empty when there is nothing. */
  readonly edits: readonly Edit[];
}

/** The `mock_*` family. */
export interface MockControls {
  readonly response: string | null;
  readonly toolCalls: readonly Json[] | null;
  readonly failing: 'fallbacks' | 'context' | 'content-policy' | 'rate-limit' | 'timeout' | null;
  readonly delay: Millis;
}

/**
 * Reads the per-request controls from body and headers; the body wins.
 *
 * Bodies without any of them cost one look at each top-level key.
 */
export function readControls(request: ServerRequest, body: JsonBody, allowPlaces: boolean): Controls | GatewayError {
  const removals: Edit[] = [];
  for (const key of body.keys()) {
    if (GATEWAY_MEMBERS.has(key)) removals.push({ kind: 'remove', key });
  }
  const member = memberReader(body);
  const metadata = body.has('metadata') ? member('metadata') : undefined;
  // OpenAI takes `metadata` only for answers it is to store, and LiteLLM clients put the proxy's own data there.
  if (metadata !== undefined && member('store') !== true) removals.push({ kind: 'remove', key: 'metadata' });

  const user = body.has('user') ? member('user') : null;
  const customer = request.header('x-litellm-end-user-id') ?? request.header('x-litellm-customer-id');
  const base = {
    tags: readTags(request, member, metadata, removals.length > 0),
    user: typeof user === 'string' ? user : customer,
    session: readSession(request, member, metadata, removals.length > 0),
  };
  const fromHeaders = headerRouting(request);
  if (removals.length === 0)
    return { ...base, ...NO_PARAMETERS, routing: fromHeaders, mock: null, credentials: null, edits: removals };

  const credentials = readCredentials(body, allowPlaces);
  if (credentials !== null && 'kind' in credentials) return credentials;
  const routing = bodyRouting(member, fromHeaders);
  if ('kind' in routing) return routing;
  const drop = member('drop_params');
  return {
    ...base,
    routing,
    dropParams: typeof drop === 'boolean' ? drop : null,
    additionalDropParams: names(member('additional_drop_params')),
    allowedParams: names(member('allowed_openai_params')),
    mock: readMock(body, member),
    credentials,
    extraHeaders: extraHeaders(member('extra_headers')),
    edits: [...removals, ...extraBody(member('extra_body'), (key) => GATEWAY_MEMBERS.has(key))],
  };
}

const NO_PARAMETERS = { dropParams: null, additionalDropParams: [], allowedParams: [], extraHeaders: [] } as const;

function names(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

type MemberReader = (key: string) => Json | undefined;

function memberReader(body: JsonBody): MemberReader {
  return (key) => {
    try {
      return body.value(key);
    } catch {
      return undefined;
    }
  };
}

function headerRouting(request: ServerRequest): RoutingControls {
  const timeout = headerSeconds(request, 'x-litellm-timeout');
  const streamTimeout = headerSeconds(request, 'x-litellm-stream-timeout');
  const retries = headerNumber(request, 'x-litellm-num-retries');
  const total = headerSeconds(request, 'x-stainless-timeout');
  if (timeout === null && streamTimeout === null && retries === null && total === null) return NO_CONTROLS;
  return {
    ...NO_CONTROLS,
    numRetries: retries === null ? null : Math.floor(retries),
    timeout,
    streamTimeout,
    totalTimeout: total,
  };
}

/** A limit of nothing is none: no answer could keep it. */
function headerSeconds(request: ServerRequest, name: string): Millis | null {
  const value = headerNumber(request, name);
  return value === null || value === 0 ? null : seconds(value);
}

function headerNumber(request: ServerRequest, name: string): number | null {
  const value = request.header(name);
  // An empty header says nothing, least of all 0.
  if (value === null || value.trim() === '') return null;
  const number = Number(value);
  return Number.isFinite(number) && number >= 0 ? number : null;
}

function bodyRouting(member: MemberReader, headers: RoutingControls): RoutingControls | GatewayError {
  const retries = member('num_retries');
  if (retries !== undefined && retries !== null && !isCount(retries)) {
    return gatewayError('invalid-parameter', "'num_retries' must be a whole number from 0 up.", {
      param: 'num_retries',
    });
  }
  const timeout = member('timeout') ?? member('request_timeout');
  const streamTimeout = member('stream_timeout');
  for (const [key, value] of [
    ['timeout', timeout],
    ['stream_timeout', streamTimeout],
  ] as const) {
    if (value !== undefined && value !== null && !(typeof value === 'number' && value > 0)) {
      return gatewayError('invalid-parameter', `'${key}' must be a number of seconds above 0.`, { param: key });
    }
  }
  const fallbacks = readFallbacks(member('fallbacks'));
  if (fallbacks === 'unreadable') {
    return gatewayError(
      'invalid-parameter',
      "'fallbacks' must be a list of model names, of maps with 'model', or of maps from one group to its fallbacks.",
      { param: 'fallbacks' },
    );
  }
  return {
    fallbacks,
    contextWindowFallbacks: readFallbackMap(member('context_window_fallbacks')),
    contentPolicyFallbacks: readFallbackMap(member('content_policy_fallbacks')),
    disableFallbacks: member('disable_fallbacks') === true,
    numRetries: typeof retries === 'number' ? retries : headers.numRetries,
    timeout: typeof timeout === 'number' ? seconds(timeout) : headers.timeout,
    streamTimeout: typeof streamTimeout === 'number' ? seconds(streamTimeout) : headers.streamTimeout,
    totalTimeout: headers.totalTimeout,
  };
}

function isCount(value: Json): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}

function readFallbacks(value: Json | undefined): RoutingControls['fallbacks'] | 'unreadable' {
  if (value === undefined || value === null) return null;
  if (!Array.isArray(value)) return 'unreadable';
  const asMap = readFallbackMap(value);
  if (asMap !== null && asMap.size > 0) return asMap;
  const list: ClientFallback[] = [];
  for (const item of value) {
    if (typeof item === 'string') list.push({ model: item, overrides: null });
    else if (isObject(item) && typeof item.model === 'string')
      list.push({ model: item.model, overrides: without(item, 'model') });
    else return 'unreadable';
  }
  return list;
}

function without(object: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}

/** LiteLLM's own form: `[{group: [targets]}]`; null for anything else. */
function readFallbackMap(value: Json | undefined): FallbackMap | null {
  if (!Array.isArray(value)) return null;
  const map = new Map<string, readonly string[]>();
  for (const item of value) {
    if (!isObject(item)) return null;
    const entries = Object.entries(item);
    const [group, targets] = entries[0] ?? [];
    if (entries.length !== 1 || group === undefined || !Array.isArray(targets)) return null;
    map.set(
      group,
      targets.filter((target): target is string => typeof target === 'string'),
    );
  }
  return map;
}

function readTags(
  request: ServerRequest,
  member: MemberReader,
  metadata: Json | undefined,
  mayHaveTags: boolean,
): readonly string[] {
  const header = request.header('x-litellm-tags');
  const tags =
    header === null
      ? []
      : header
          .split(',')
          .map((tag) => tag.trim())
          .filter((tag) => tag !== '');
  if (!mayHaveTags) return tags;
  for (const source of [metadata, member('litellm_metadata')]) {
    if (isObject(source) && Array.isArray(source.tags))
      tags.push(...source.tags.filter((tag) => typeof tag === 'string'));
  }
  const own = member('tags');
  if (Array.isArray(own)) tags.push(...own.filter((tag): tag is string => typeof tag === 'string'));
  return tags;
}

/** Longer names are no names, and would be kept with every row. */
const LONGEST_SESSION = 256;

/** LiteLLM's places for it, first to last: the header, the body, the metadata; a trace where no session is named. */
function readSession(
  request: ServerRequest,
  member: MemberReader,
  metadata: Json | undefined,
  mayBeInBody: boolean,
): string | null {
  const inBody = mayBeInBody ? [member('litellm_session_id'), member('litellm_trace_id'), metadata] : [];
  for (const source of [request.header('x-litellm-session-id'), request.header('x-litellm-trace-id'), ...inBody]) {
    const name = isObject(source) ? source.session_id : source;
    if (typeof name === 'string' && name !== '') return name.slice(0, LONGEST_SESSION);
  }
  return null;
}

function readMock(body: JsonBody, member: MemberReader): MockControls | null {
  if (!body.keys().some((key) => key.startsWith('mock_'))) return null;
  const response = member('mock_response');
  const toolCalls = member('mock_tool_calls');
  const delay = member('mock_delay');
  return {
    response: mockText(response),
    toolCalls: Array.isArray(toolCalls) ? toolCalls : null,
    failing: mockFailure(member),
    delay: seconds(typeof delay === 'number' && delay > 0 ? delay : 0),
  };
}

/** Of several texts the first, as with a deployment's; a vector for embeddings as its JSON. */
function mockText(value: Json | undefined): string | null {
  const first = Array.isArray(value) ? value[0] : value;
  if (typeof first === 'number') return JSON.stringify(value);
  return typeof first === 'string' ? first : null;
}

function mockFailure(member: MemberReader): MockControls['failing'] {
  if (member('mock_testing_fallbacks') === true) return 'fallbacks';
  if (member('mock_testing_context_fallbacks') === true) return 'context';
  if (member('mock_testing_content_policy_fallbacks') === true) return 'content-policy';
  if (member('mock_testing_rate_limit_error') === true) return 'rate-limit';
  return member('mock_timeout') === true ? 'timeout' : null;
}
