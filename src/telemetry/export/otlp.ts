import type { AttemptRecord, LedgerEntry } from '../../core/ledger-entry.ts';
import { redact } from '../../core/secret.ts';
import { type AttemptTrace, type RequestTrace, spanIdOf } from '../../core/trace-context.ts';
import { usd } from '../../core/units.ts';
import { VERSION } from '../../core/version.ts';

/** A request whose spans are wanted. */
export interface TracedRequest {
  readonly entry: LedgerEntry;
  readonly trace: RequestTrace;
}

/** A number that is a double even where it is whole: receivers keep one type for each name. */
interface Double {
  readonly double: number;
}
type Value = string | number | boolean | Double | readonly string[] | null | undefined;
type Attributes = Readonly<Record<string, Value>>;

/** OTLP's enumerations. */
const SERVER = 2;
const CLIENT = 3;
const FAILED = 2;
/** What callers and providers chose is cut to this many characters. */
const LONGEST_VALUE = 1024;

/**
 * Spans in OTLP's JSON: one of the request (server), one of each attempt (client) below it. No prompt and no answer.
 *
 * Usage stands on the attempt that answered and nowhere else, so that nobody who adds up spans counts it twice.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding and
 *   https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/, read 2026-11-23
 */
export function otlpTraces(requests: readonly TracedRequest[], resource: Readonly<Record<string, string>>): string {
  const scope = { name: 'tollgate', version: VERSION };
  const spans = requests.flatMap(spansOf);
  return JSON.stringify({
    resourceSpans: [{ resource: { attributes: attributes(resource) }, scopeSpans: [{ scope, spans }] }],
  });
}

function spansOf({ entry, trace }: TracedRequest) {
  return [requestSpan(entry, trace), ...trace.attempts.map((_, index) => attemptSpan(entry, trace, index))];
}

function requestSpan(entry: LedgerEntry, { context }: RequestTrace) {
  const { payer, failure, cost, usage } = entry;
  const isOurs = entry.end === 'failure' || entry.end === 'broken-stream';
  const problem = entry.end === 'success' ? null : (failure?.kind ?? entry.end);
  return {
    ...spanHead(context, 0, context.parentId),
    ...{ name: entry.endpoint, kind: SERVER, ...times(entry.startedAt, entry.duration) },
    attributes: attributes({
      'http.request.method': 'POST',
      'http.response.status_code': entry.status,
      'client.address': entry.requesterAddress,
      'error.type': problem,
      'gen_ai.request.model': entry.requestedModel || null,
      'user.id': entry.user,
      'session.id': entry.session,
      'tollgate.request_id': entry.requestId,
      'tollgate.call_id': entry.callId,
      'tollgate.outcome': entry.end,
      'tollgate.stream': entry.isStreaming,
      'tollgate.attempts': entry.attempts.length,
      'tollgate.overhead_ms': { double: entry.overhead },
      'tollgate.first_byte_ms': entry.firstByte === null ? null : { double: entry.firstByte },
      'tollgate.model_group': entry.group,
      'tollgate.deployment': entry.deployment,
      'tollgate.input_tokens': usage?.input,
      'tollgate.output_tokens': usage?.output,
      'tollgate.cost': cost?.kind,
      'tollgate.cost_usd': costOf(entry),
      'tollgate.key_alias': payer.keyAlias,
      'tollgate.key_id': payer.keyId,
      'tollgate.user_id': payer.userId,
      'tollgate.team_id': payer.teamId,
      'tollgate.organization_id': payer.organizationId,
      'tollgate.tags': entry.tags,
    }),
    // A span of a server is an error when the server is at fault: not for a refusal, nor for a client that left.
    ...(isOurs && entry.status >= 500 && { status: { code: FAILED, message: text(failure?.message ?? entry.end) } }),
    ...(isOurs && entry.status < 400 && { status: { code: FAILED, message: 'the answer broke off' } }),
  };
}

/** GenAI's well-known operations; another endpoint is called as we call it. */
const OPERATIONS: Readonly<Record<string, string>> = {
  'chat-completions': 'chat',
  completions: 'text_completion',
  messages: 'chat',
  responses: 'chat',
};

function attemptSpan(entry: LedgerEntry, { context, attempts }: RequestTrace, index: number) {
  // One for each of the entry's attempts, in their order.
  const attempt = attempts[index] as AttemptTrace;
  const record = entry.attempts[index] as AttemptRecord;
  const isLast = index === attempts.length - 1;
  const model = isLast && entry.model !== null ? entry.model : attempt.model;
  const operation = OPERATIONS[entry.endpoint] ?? entry.endpoint;
  const isSuccess = attempt.outcome === 'success';
  return {
    ...spanHead(context, index + 1, spanIdOf(context, 0)),
    ...{
      name: `${operation} ${text(model)}`,
      kind: CLIENT,
      ...times(entry.startedAt + attempt.start, record.duration),
    },
    attributes: attributes({
      'gen_ai.operation.name': operation,
      'gen_ai.provider.name': attempt.provider,
      // Its name before version 1.37 of the conventions, which receivers still read.
      'gen_ai.system': attempt.provider,
      'gen_ai.request.model': model,
      ...(isLast && entry.end !== 'failure' && usageOf(entry)),
      'http.response.status_code': isSuccess ? 200 : attempt.status,
      ...addressOf(attempt.apiBase),
      'error.type': isSuccess ? null : attempt.status === null ? attempt.outcome : String(attempt.status),
      'tollgate.attempt': index + 1,
      'tollgate.outcome': attempt.outcome,
      'tollgate.delay_ms': { double: record.delay },
      'tollgate.deployment': record.deployment,
      'tollgate.model_group': record.group,
    }),
    ...(!isSuccess && attempt.outcome !== 'client-gone' && { status: { code: FAILED, message: text(record.outcome) } }),
  };
}

function usageOf(entry: LedgerEntry): Attributes {
  const { usage } = entry;
  return {
    'gen_ai.usage.input_tokens': usage?.input,
    'gen_ai.usage.output_tokens': usage?.output,
    'gen_ai.usage.cache_read.input_tokens': usage?.cacheRead,
    'gen_ai.usage.cache_creation.input_tokens': usage?.cacheWrite,
    // In no convention, and yet what receivers read a cost from.
    'gen_ai.usage.cost': costOf(entry),
  };
}

/** In dollars; null when nothing was used, and when it is not known. */
function costOf({ cost }: LedgerEntry): Double | null {
  return cost?.kind === 'known' ? { double: Number(usd(cost.total)) } : null;
}

function addressOf(apiBase: string | null): Attributes {
  if (apiBase === null || !URL.canParse(apiBase)) return {};
  const { hostname, port, protocol } = new URL(apiBase);
  return { 'server.address': hostname, 'server.port': port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port) };
}

function spanHead(context: RequestTrace['context'], attempt: number, parentSpanId: string | null) {
  return {
    traceId: context.traceId,
    spanId: spanIdOf(context, attempt),
    ...(parentSpanId !== null && { parentSpanId }),
    ...(context.state !== null && { traceState: context.state }),
    flags: 1,
  };
}

/** 64-bit numbers are text in OTLP's JSON. @param start milliseconds since 1970 */
function times(start: number, duration: number) {
  return { startTimeUnixNano: nanos(start), endTimeUnixNano: nanos(start + duration) };
}

function nanos(milliseconds: number): string {
  const whole = Math.floor(milliseconds);
  return `${whole}${String(Math.floor((milliseconds - whole) * 1e6)).padStart(6, '0')}`;
}

function attributes(values: Attributes) {
  const list: { readonly key: string; readonly value: object }[] = [];
  for (const [key, value] of Object.entries(values)) {
    if (value === null || value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    list.push({ key, value: anyValue(value) });
  }
  return list;
}

function anyValue(value: Exclude<Value, null | undefined>): object {
  switch (typeof value) {
    case 'string':
      return { stringValue: text(value) };
    case 'boolean':
      return { boolValue: value };
    case 'number':
      return { intValue: String(value) };
    case 'object':
      return 'double' in value
        ? { doubleValue: value.double }
        : { arrayValue: { values: value.map((each) => ({ stringValue: text(each) })) } };
  }
}

/** Words of clients and providers, without credentials. */
function text(value: string): string {
  return redact(value).slice(0, LONGEST_VALUE).toWellFormed();
}
