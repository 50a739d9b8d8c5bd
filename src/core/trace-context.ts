import type { Outcome } from './outcome.ts';
import type { Millis } from './units.ts';

/** Which traces are kept: `OTEL_TRACES_SAMPLER` and its argument. */
export interface Sampling {
  /** Share of the traces that begin here, 0 to 1. */
  readonly ratio: number;
  /** Whether a caller that has decided is followed. */
  readonly isParentBased: boolean;
}

/** The place of one request in a trace (W3C Trace Context, level 1). */
export interface TraceContext {
  /** 32 hexadecimal digits: the caller's, or our own name of the request. */
  readonly traceId: string;
  /** The caller's span; null for a trace that begins here. */
  readonly parentId: string | null;
  readonly isSampled: boolean;
  /** The caller's `tracestate`, which goes on as it came. */
  readonly state: string | null;
  /** What our own span ids begin with: 14 hexadecimal digits. */
  readonly spanPrefix: string;
}

/** What a span says of an attempt and the ledger does not keep. */
export interface AttemptTrace {
  /** From the arrival of the request. */
  readonly start: Millis;
  readonly outcome: Outcome['kind'];
  /** Of the provider's answer; null when there was none, or nothing was wrong with it. */
  readonly status: number | null;
  /** By its name in OpenTelemetry's GenAI conventions. */
  readonly provider: string;
  /** As configured: it may hold a star. */
  readonly model: string;
  readonly apiBase: string | null;
}

/** A request's place in a trace, and its attempts in the ledger entry's order. */
export interface RequestTrace {
  readonly context: TraceContext;
  readonly attempts: readonly AttemptTrace[];
}

/** Longer ones may be left out (W3C Trace Context §3.3.1.5). */
const LONGEST_STATE = 512;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);
/** Digits of a trace id that decide; ours begin with the time, so the last ones. */
const DECIDING_DIGITS = 13;

/**
 * Continues the caller's trace, or begins one.
 *
 * A header that is not sound counts as none; then its `tracestate` does too.
 *
 * @param requestId 32 hexadecimal digits of which the last 20 are random
 * @see https://www.w3.org/TR/trace-context/ §3.2, read 2026-11-23
 */
export function continueTrace(
  requestId: string,
  traceparent: string | null,
  tracestate: string | null,
  sampling: Sampling,
): TraceContext {
  const parent = traceparent === null ? null : parentOf(traceparent);
  const traceId = parent?.traceId ?? requestId;
  const isFollowed = parent !== null && sampling.isParentBased;
  const isSound = parent !== null && tracestate !== null && tracestate.length <= LONGEST_STATE;
  return {
    traceId,
    parentId: parent?.spanId ?? null,
    isSampled: isFollowed ? parent.isSampled : isChosen(traceId, sampling.ratio),
    state: isSound && /^[\x20-\x7e]+$/.test(tracestate) ? tracestate : null,
    spanPrefix: requestId.slice(12, 26),
  };
}

interface Parent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** Versions to come may say more behind what this one says. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

function parentOf(header: string): Parent | null {
  const [, version, traceId, spanId, flags, rest] = TRACEPARENT.exec(header.trim()) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  if (version === 'ff' || (version === '00' && rest !== undefined)) return null;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return null;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The same for every instance that sees the trace. */
function isChosen(traceId: string, ratio: number): boolean {
  if (ratio >= 1) return true;
  return Number.parseInt(traceId.slice(-DECIDING_DIGITS), 16) / 16 ** DECIDING_DIGITS < ratio;
}

/** The id of a span of ours. @param attempt from 1; 0 for the request itself */
export function spanIdOf({ spanPrefix }: TraceContext, attempt: number): string {
  return spanPrefix + (attempt % 256).toString(16).padStart(2, '0');
}

/** What an attempt tells its provider, so that the provider's spans become children of the attempt's. */
export function traceparentOf(trace: TraceContext, attempt: number): string {
  return `00-${trace.traceId}-${spanIdOf(trace, attempt)}-${trace.isSampled ? '01' : '00'}`;
}
