import type { Cost } from './cost.ts';
import type { ErrorKind } from './errors.ts';
import type { DeploymentId, ProviderId, RequestId } from './ids.ts';
import type { Payer } from './payer.ts';
import type { EpochMillis, Millis, NanoUsd } from './units.ts';
import type { Usage } from './usage.ts';

/**
 * How a request ended, as the ledger and the log tell it.
 *
 * `lost`: the process died before the request ended. Such a row is made from the journal by the next start; its cost
 * is unknown, with the estimate as what is assumed.
 */
export type RequestEnd = 'success' | 'failure' | 'client-gone' | 'broken-stream' | 'lost';

/** One request as it is recorded: who asked, what answered, what it took. Every request has exactly one. */
export interface LedgerEntry {
  /** Ours, never the client's: the idempotency key. */
  readonly requestId: RequestId;
  /** The label of the client (`x-litellm-call-id`), or our own id. */
  readonly callId: string;
  /** The id in the client's answer, by which LiteLLM's clients look for their requests; null: nothing was answered, or without one. */
  readonly responseId: string | null;
  readonly principal: string;
  readonly endpoint: string;
  /** The model name that the client sent. */
  readonly requestedModel: string;
  /** The group that answered, null when none did. */
  readonly group: string | null;
  readonly deployment: DeploymentId | null;
  readonly provider: ProviderId | null;
  readonly model: string | null;
  readonly isStreaming: boolean;
  readonly end: RequestEnd;
  readonly status: number;
  readonly usage: Usage | null;
  readonly payer: Payer;
  /** Null: nothing was used. */
  readonly cost: Cost | null;
  readonly startedAt: EpochMillis;
  readonly duration: Millis;
  /** Time that the gateway itself added. */
  readonly overhead: Millis;
  /** From arrival to the first byte sent to the client; null when nothing was sent. */
  readonly firstByte: Millis | null;
  readonly attempts: readonly AttemptRecord[];
  readonly user: string | null;
  readonly tags: readonly string[];
  /** Address of the connection that the request came on. */
  readonly requesterAddress: string | null;
  /** The client's own name for what belongs together (`x-litellm-session-id`, `litellm_session_id`). */
  readonly session: string | null;
  /** Where the provider was called: its address without a query. */
  readonly apiBase: string | null;
  /** What the client was told went wrong; null when nothing did, or nobody was left to tell. */
  readonly failure: FailureRecord | null;
}

/** A failure as it was answered. */
export interface FailureRecord {
  readonly kind: ErrorKind;
  readonly status: number;
  /** Free of credentials, cut to `MOST_FAILURE_TEXT`. */
  readonly message: string;
}

/** Characters of a failure's message that are kept. */
export const MOST_FAILURE_TEXT = 500;

/** What is noted of a request before its upstream is called, so that it leaves a trace if the process dies. */
export interface BegunRequest
  extends Pick<
    LedgerEntry,
    | 'requestId'
    | 'callId'
    | 'principal'
    | 'endpoint'
    | 'requestedModel'
    | 'isStreaming'
    | 'startedAt'
    | 'user'
    | 'tags'
    | 'payer'
    | 'requesterAddress'
    | 'session'
  > {
  /** The most that it may cost: what was reserved. */
  readonly estimate: NanoUsd;
}

/** One try, for the request's own list of attempts. */
export interface AttemptRecord {
  readonly deployment: DeploymentId;
  readonly group: string;
  readonly outcome: string;
  readonly delay: Millis;
  readonly duration: Millis;
}
