import type { LedgerEntry } from '../core/ledger-entry.ts';
import type { Logger } from './log.ts';

/** The one line that tells a request's whole story; no body, no credential. */
export function logRequest(log: Logger, entry: LedgerEntry): void {
  const fields = {
    call_id: entry.callId,
    endpoint: entry.endpoint,
    requested_model: entry.requestedModel,
    group: entry.group,
    deployment: entry.deployment,
    provider: entry.provider,
    stream: entry.isStreaming,
    end: entry.end,
    status: entry.status,
    duration_ms: round(entry.duration),
    overhead_ms: round(entry.overhead),
    first_byte_ms: entry.firstByte === null ? null : round(entry.firstByte),
    input_tokens: entry.usage?.input ?? null,
    output_tokens: entry.usage?.output ?? null,
    attempts: entry.attempts.map((attempt) => ({
      deployment: attempt.deployment,
      outcome: attempt.outcome,
      delay_ms: round(attempt.delay),
      duration_ms: round(attempt.duration),
    })),
  };
  if (entry.end === 'failure' || entry.end === 'broken-stream') log.warn('request', fields);
  else log.info('request', fields);
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
