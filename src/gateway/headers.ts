import type { GatewayError } from '../core/errors.ts';
import type { HeaderPair } from '../core/http.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { Millis } from '../core/units.ts';
import { VERSION } from '../core/version.ts';
import type { ServerRequest } from '../transport/server.ts';
import type { AnswerHead } from './attempt.ts';

/** Upstream headers that never come back: hop-by-hop, our own to set, or telling about the operator's account. */
const NEVER_RETURNED: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding'],
  ...['upgrade', 'set-cookie', 'alt-svc', 'strict-transport-security', 'nel', 'report-to', 'via', 'www-authenticate'],
  ...['openai-organization', 'openai-project', 'anthropic-organization-id', 'anthropic-workspace-id'],
  // A server that repeats what it was sent would give our credential away.
  ...['authorization', 'api-key', 'x-api-key', 'x-goog-api-key', 'cookie'],
]);

/** Bytes of upstream headers that come back; clients refuse answers with long heads, Node's at 16 KB. */
const MOST_RETURNED_BYTES = 8 * 1024;

/** Rate limits of the upstream that clients read under their own names. */
const RATE_LIMIT = /^x-ratelimit-(limit|remaining|reset)-(requests|tokens)$/;

/** Client headers that go on to the provider (transport.md §1.2); `idempotency-key` only to the first. */
const FORWARDED = ['openai-beta', 'anthropic-beta', 'x-client-request-id'] as const;

/**
 * Values that can be sent. The server lets DEL pass, which no request may hold: sending would fail, and the failure
 * would count against the deployment.
 */
const SENDABLE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** With `forward_client_headers_to_llm_api`: every `x-*` but those that speak to the gateway or to proxies. */
const FORWARDABLE =
  /^x-(?!litellm-|stainless-|gateway-|forwarded-|real-ip|api-key|goog-|amz|envoy-|openwebui-|vercel-)/;

const EXPOSED =
  'x-request-id, retry-after, retry-after-ms, x-litellm-call-id, x-litellm-model-id, x-litellm-model-group';

/** A client's own label for a request, if it is fit for a header and a log line. */
export function clientLabel(value: string | null): string | null {
  return value !== null && /^[A-Za-z0-9._:-]{1,128}$/.test(value) ? value : null;
}

/** What every answer to an LLM request says about itself (litellm.md §2.10). */
export interface AnswerFacts {
  readonly callId: string;
  /** The client's `x-request-id` when it sent a sound one, else ours. */
  readonly echoedId: string;
  readonly modelId: string | null;
  readonly modelGroup: string | null;
  readonly apiBase: string | null;
  readonly provider: string | null;
  readonly retries: number;
  readonly maxRetries: number | null;
  readonly fallbacks: number;
  readonly timeout: Millis | null;
  readonly duration: Millis;
  readonly overhead: Millis;
  readonly dropped: readonly string[];
}

/** The gateway's own headers of one answer; values that are not known are left out. */
export function answerHeaders(facts: AnswerFacts, contentType: string): HeaderPair[] {
  const headers: HeaderPair[] = [
    pairOf('content-type', contentType),
    ['x-request-id', facts.echoedId],
    ['x-litellm-call-id', facts.callId],
    pairOf('x-litellm-version', VERSION),
    pairOf('x-litellm-attempted-retries', String(facts.retries)),
    pairOf('x-litellm-attempted-fallbacks', String(facts.fallbacks)),
    ['x-litellm-response-duration-ms', milliseconds(facts.duration)],
    ['x-litellm-overhead-duration-ms', milliseconds(facts.overhead)],
  ];
  if (facts.modelId !== null) headers.push(pairOf('x-litellm-model-id', facts.modelId));
  if (facts.modelGroup !== null) headers.push(pairOf('x-litellm-model-group', facts.modelGroup));
  if (facts.apiBase !== null) headers.push(pairOf('x-litellm-model-api-base', facts.apiBase));
  if (facts.provider !== null) headers.push(pairOf('x-litellm-model-provider', facts.provider));
  if (facts.maxRetries !== null && facts.retries > 0)
    headers.push(pairOf('x-litellm-max-retries', String(facts.maxRetries)));
  if (facts.timeout !== null) headers.push(pairOf('x-litellm-timeout', String(facts.timeout / 1000)));
  if (facts.dropped.length > 0) headers.push(pairOf('x-gateway-dropped-params', facts.dropped.join(',')));
  return headers;
}

/** Values of the configuration's own, in headers of ours: few, and in every answer. */
const knownPairs = new Map<string, Map<string, HeaderPair>>();
/** Values remembered of one header; some are chosen by clients. */
const MOST_VALUES = 500;

/** A header with this value, fit to be sent. */
function pairOf(name: string, value: string): HeaderPair {
  let pairs = knownPairs.get(name);
  if (pairs === undefined) {
    pairs = new Map();
    knownPairs.set(name, pairs);
  }
  const known = pairs.get(value);
  if (known !== undefined) return known;
  if (pairs.size >= MOST_VALUES) pairs.clear();
  const pair: HeaderPair = [name, headerText(value)];
  pairs.set(value, pair);
  return pair;
}

const prefixedNames = new Map<string, string>();
/** Providers choose header names: this many are remembered. */
const MOST_NAMES = 500;

function prefixed(name: string): string {
  const known = prefixedNames.get(name);
  if (known !== undefined) return known;
  const made = `llm_provider-${name}`;
  if (prefixedNames.size < MOST_NAMES) prefixedNames.set(name, made);
  return made;
}

/** Adds the upstream's headers as `llm_provider-*`, and its rate limits under their own names too. */
export function addUpstreamHeaders(headers: HeaderPair[], head: AnswerHead): void {
  let left = MOST_RETURNED_BYTES;
  for (const [name, value] of head.pairs) {
    if (NEVER_RETURNED.has(name)) continue;
    left -= name.length + value.length;
    if (left < 0) return;
    headers.push([prefixed(name), value]);
    if (RATE_LIMIT.test(name)) headers.push([name, value]);
  }
}

/** Adds `retry-after` in whole seconds, at least 1, when the error says how long to wait. */
export function addRetryAfter(headers: HeaderPair[], { retryAfter }: GatewayError): void {
  if (retryAfter !== null && retryAfter > 0) headers.push(['retry-after', String(Math.ceil(retryAfter / 1000))]);
}

/** Adds what a browser needs; the configured origins decide. */
export function addCors(headers: HeaderPair[], request: ServerRequest, snapshot: Snapshot): void {
  // Only browsers send it, and only they look for the answer.
  if (request.header('origin') === null) return;
  const origin = allowedOrigin(request, snapshot);
  if (origin === null) return;
  headers.push(['access-control-allow-origin', origin], ['access-control-expose-headers', EXPOSED]);
  if (origin !== '*') headers.push(['vary', 'origin']);
}

/** The answer to a preflight request. */
export function preflightHeaders(request: ServerRequest, snapshot: Snapshot): HeaderPair[] {
  const origin = allowedOrigin(request, snapshot);
  if (origin === null) return [];
  return [
    ['access-control-allow-origin', origin],
    ['access-control-allow-methods', 'GET, POST, PUT, PATCH, DELETE, OPTIONS, HEAD'],
    ['access-control-allow-headers', request.header('access-control-request-headers') ?? '*'],
    ['access-control-max-age', '86400'],
    ['vary', 'origin, access-control-request-headers'],
  ];
}

function allowedOrigin(request: ServerRequest, snapshot: Snapshot): string | null {
  const { corsOrigins } = snapshot.server;
  if (corsOrigins.includes('*')) return '*';
  const origin = request.header('origin');
  return origin !== null && corsOrigins.includes(origin) ? origin : null;
}

/** The client's headers that may go upstream; those that cannot be sent are left out. */
export function forwardedHeaders(request: ServerRequest, snapshot: Snapshot, isFirstAttempt: boolean): HeaderPair[] {
  const headers: HeaderPair[] = [];
  for (const name of FORWARDED) {
    const value = request.header(name);
    if (value !== null) headers.push([name, value]);
  }
  if (isFirstAttempt) {
    const key = request.header('idempotency-key');
    if (key !== null) headers.push(['idempotency-key', key]);
  }
  if (snapshot.server.forwardClientHeaders) {
    for (const pair of request.headers()) {
      if (FORWARDABLE.test(pair[0]) && !headers.some(([name]) => name === pair[0])) headers.push(pair);
    }
  }
  return headers.filter(([, value]) => SENDABLE.test(value));
}

function milliseconds(value: Millis): string {
  return String(Math.round(value * 1000) / 1000);
}

/** Text that may stand in a header line: anything outside printable ASCII is percent-encoded. */
function headerText(value: string): string {
  // By whole characters: half of a surrogate pair has no encoding.
  return value.toWellFormed().replace(/[^\x20-\x7e]/gu, (character) => encodeURIComponent(character));
}
