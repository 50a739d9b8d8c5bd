import type { Cost } from '../core/cost.ts';
import type { AttemptRecord, LedgerEntry } from '../core/ledger-entry.ts';
import { redact } from '../core/secret.ts';
import type { RequestTrace } from '../core/trace-context.ts';
import { usd } from '../core/units.ts';
import type { Logger } from './log.ts';

/**
 * The one line that tells a request's whole story; no body, no credential.
 *
 * Put together by hand: it is written for every request, and only what clients and providers chose has to be escaped
 * and looked through for credentials.
 */
export function logRequest(log: Logger, entry: LedgerEntry, trace: RequestTrace | null): void {
  const isTrouble = entry.end === 'failure' || entry.end === 'broken-stream';
  log.line(isTrouble ? 'warn' : 'info', () => requestLine(entry, trace));
}

function requestLine(entry: LedgerEntry, trace: RequestTrace | null): string {
  const { usage, payer, failure } = entry;
  return (
    `"message":"request","request_id":"${entry.requestId}","call_id":"${entry.callId}"` +
    (trace === null ? '' : `,"trace_id":"${trace.context.traceId}"`) +
    `,"endpoint":"${entry.endpoint}","principal":"${entry.principal}","key_alias":${name(payer.keyAlias)}` +
    `,"key_id":${name(payer.keyId)},"user_id":${name(payer.userId)},"team_id":${name(payer.teamId)}` +
    `,"organization_id":${name(payer.organizationId)},"end_user":${name(entry.user)}` +
    `,"requested_model":${name(entry.requestedModel)},"group":${name(entry.group)}` +
    `,"deployment":${name(entry.deployment)},"provider":${name(entry.provider)},"model":${name(entry.model)}` +
    `,"stream":${entry.isStreaming},"end":"${entry.end}","status":${entry.status}` +
    (failure === null ? '' : `,"error":"${failure.kind}"`) +
    `,"duration_ms":${round(entry.duration)},"overhead_ms":${round(entry.overhead)}` +
    `,"first_byte_ms":${entry.firstByte === null ? null : round(entry.firstByte)}` +
    `,"input_tokens":${usage === null ? null : usage.input},"output_tokens":${usage === null ? null : usage.output}` +
    `,"cache_read_tokens":${usage === null ? null : usage.cacheRead}` +
    `,"cost":${entry.cost === null ? null : `"${entry.cost.kind}"`},"cost_usd":${costText(entry.cost)}` +
    `,"attempts":[${entry.attempts.map(attemptText).join(',')}]}`
  );
}

/** A number with all its digits; null when it is not known, which `cost` tells from nothing. */
function costText(cost: Cost | null): string {
  return cost?.kind === 'known' ? usd(cost.total) : 'null';
}

function attemptText(attempt: AttemptRecord): string {
  const outcome = attempt.outcome === 'success' ? '"success"' : text(attempt.outcome);
  return (
    `{"deployment":${name(attempt.deployment)},"group":${name(attempt.group)},"outcome":${outcome}` +
    `,"delay_ms":${round(attempt.delay)},"duration_ms":${round(attempt.duration)}}`
  );
}

/** Names come again and again: this many are remembered as JSON. */
const MOST_NAMES = 1000;
const names = new Map<string, string>();

/** A name: of the configuration's own, or of a model that a client asked for. */
function name(value: string | null): string {
  if (value === null) return 'null';
  const known = names.get(value);
  if (known !== undefined) return known;
  if (names.size >= MOST_NAMES) names.clear();
  const made = text(value);
  names.set(value, made);
  return made;
}

/** Words of a client or a provider. */
function text(value: string): string {
  return JSON.stringify(redact(value));
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
