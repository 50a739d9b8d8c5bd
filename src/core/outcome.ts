import type { ErrorClass, FallbackTrigger } from './snapshot.ts';
import type { Millis } from './units.ts';

/**
 * How one attempt ended.
 *
 * This file answers for each kind: may another deployment be tried, whose fault was it, what does the client see?
 * Nothing else in the code asks about statuses.
 */
export type Outcome =
  | { readonly kind: 'success' }
  | { readonly kind: 'rate-limited'; readonly retryAfter: Millis | null; readonly words: ProviderWords }
  | { readonly kind: 'upstream-error'; readonly retryAfter: Millis | null; readonly words: ProviderWords }
  | { readonly kind: 'connect-failed'; readonly code: string }
  | { readonly kind: 'timeout'; readonly phase: TimeoutPhase; readonly limit: Millis }
  | { readonly kind: 'broken-stream'; readonly committed: boolean; readonly detail: string }
  | { readonly kind: 'rejected'; readonly reason: RejectReason; readonly words: ProviderWords }
  | { readonly kind: 'client-gone' };

/** Any outcome but success. */
export type Failure = Exclude<Outcome, { kind: 'success' }>;

/** Which limit was hit: opening the connection, the first answer, a gap between bytes, or the request's deadline. */
export type TimeoutPhase = 'connect' | 'first-byte' | 'idle' | 'total';

/** Why a provider refused a request that it understood. */
export type RejectReason =
  | 'invalid-request'
  | 'context-window'
  | 'content-policy'
  | 'credential'
  | 'not-found'
  | 'payment';

/** What the provider said, kept beside what we made of it. */
export interface ProviderWords {
  readonly status: number;
  /** Human text; already free of credentials. */
  readonly message: string;
  readonly type: string | null;
  readonly param: string | null;
  readonly code: string | null;
}

/**
 * Whether another deployment may be tried after this outcome.
 *
 * `fallback`: at once, with the next of the plan. `context-chain` / `content-chain`: only along that chain, when the
 * operator set one. `stop`: the answer is final.
 */
export type Elsewhere = 'fallback' | 'context-chain' | 'content-chain' | 'stop';

/**
 * What the outcome says about the deployment.
 *
 * `healthy`: it works. `count`: one more consecutive failure. `bench`: out of rotation at once if the group has
 * another. `neutral`: says nothing, as with a caller's mistake or a client that left.
 */
export type HealthVerdict = 'healthy' | 'count' | 'bench' | 'neutral';

/**
 * Whether the same deployment may be tried again once nothing else is left.
 *
 * `retry`: waiting may help. `never`: the answer will be the same.
 */
export type Again = 'retry' | 'never';

/** The answers of the table for one outcome. */
export interface Verdict {
  readonly elsewhere: Elsewhere;
  readonly again: Again;
  readonly health: HealthVerdict;
}

/** BRIEF B9, B10, B11 and B12 as one table. */
export function verdict(outcome: Outcome): Verdict {
  switch (outcome.kind) {
    case 'success':
      return { elsewhere: 'stop', again: 'never', health: 'healthy' };
    case 'rate-limited':
      return { elsewhere: 'fallback', again: isOutOfQuota(outcome.words) ? 'never' : 'retry', health: 'bench' };
    case 'upstream-error':
    case 'connect-failed':
      return { elsewhere: 'fallback', again: 'retry', health: 'count' };
    case 'timeout':
      // The request's own deadline says nothing about the deployment that happened to be running.
      return outcome.phase === 'total'
        ? { elsewhere: 'stop', again: 'never', health: 'neutral' }
        : { elsewhere: 'fallback', again: 'retry', health: 'count' };
    case 'broken-stream':
      return outcome.committed
        ? { elsewhere: 'stop', again: 'never', health: 'count' }
        : { elsewhere: 'fallback', again: 'retry', health: 'count' };
    case 'client-gone':
      return { elsewhere: 'stop', again: 'never', health: 'neutral' };
    case 'rejected':
      return rejectVerdict(outcome.reason);
  }
}

function rejectVerdict(reason: RejectReason): Verdict {
  switch (reason) {
    case 'credential':
    case 'not-found':
      // The deployment's own fault: its key is refused or its model is missing (B9).
      return { elsewhere: 'fallback', again: 'never', health: 'bench' };
    case 'context-window':
      return { elsewhere: 'context-chain', again: 'never', health: 'neutral' };
    case 'content-policy':
      return { elsewhere: 'content-chain', again: 'never', health: 'neutral' };
    case 'invalid-request':
    case 'payment':
      return { elsewhere: 'stop', again: 'never', health: 'neutral' };
  }
}

/** Codes, or types, of 429 answers that no wait within one request cures (errors.md §2). */
const QUOTA_CODES: ReadonlySet<string> = new Set([
  'insufficient_quota',
  'billing_hard_limit_reached',
  'credit_balance_exhausted',
]);

function isOutOfQuota(words: ProviderWords): boolean {
  return QUOTA_CODES.has(words.code ?? '') || QUOTA_CODES.has(words.type ?? '');
}

/**
 * The class under which LiteLLM's `retry_policy` and `allowed_fails_policy` count an outcome.
 *
 * @returns null for successes and for failures that the policies have no name for (connections, 402, 409)
 * @see litellm.md §1.7; errors.md §1 and §2 for 529
 */
export function errorClass(outcome: Outcome): ErrorClass | null {
  switch (outcome.kind) {
    case 'rate-limited':
      return 'rate-limit';
    case 'timeout':
      return 'timeout';
    case 'upstream-error':
      return statusClass(outcome.words.status);
    case 'rejected':
      return REJECT_CLASSES[outcome.reason];
    case 'success':
    case 'connect-failed':
    case 'broken-stream':
    case 'client-gone':
      return null;
  }
}

function statusClass(status: number): ErrorClass | null {
  if (status === 408 || status === 504) return 'timeout';
  if (status === 502) return 'bad-gateway';
  if (status === 503) return 'service-unavailable';
  return status >= 500 ? 'internal-server' : null;
}

const REJECT_CLASSES = {
  'invalid-request': 'bad-request',
  'context-window': 'bad-request',
  'content-policy': 'content-policy',
  credential: 'authentication',
  'not-found': 'not-found',
  payment: null,
} as const satisfies Record<RejectReason, ErrorClass | null>;

/** Whether a word of `fallback_on` or `no_fallback_on` names this failure. */
export function isTriggeredBy(outcome: Failure, trigger: FallbackTrigger): boolean {
  switch (trigger) {
    case 'any':
      return true;
    case 'timeout':
      return outcome.kind === 'timeout' || errorClass(outcome) === 'timeout';
    case 'connection':
      return outcome.kind === 'connect-failed' || outcome.kind === 'broken-stream';
    case 'context-window':
    case 'content-policy':
      return outcome.kind === 'rejected' && outcome.reason === trigger;
    default:
      return statusOf(outcome) === trigger;
  }
}

/** The provider's Retry-After, when the outcome carries one. */
export function retryAfterOf(outcome: Outcome): Millis | null {
  return outcome.kind === 'rate-limited' || outcome.kind === 'upstream-error' ? outcome.retryAfter : null;
}

/** The upstream's HTTP status, when there was one. */
export function statusOf(outcome: Outcome): number | null {
  return 'words' in outcome ? outcome.words.status : null;
}

/** A short phrase for logs and for the list of what was tried: `429 rate limited`, `timeout (first-byte, 30 s)`. */
export function describe(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'success':
      return 'success';
    case 'rate-limited':
      return `${outcome.words.status} rate limited: ${outcome.words.message}`;
    case 'upstream-error':
      return `${outcome.words.status} upstream error: ${outcome.words.message}`;
    case 'connect-failed':
      return `connection failed (${outcome.code})`;
    case 'timeout':
      return `timeout (${outcome.phase}, ${outcome.limit / 1000} s)`;
    case 'broken-stream':
      return `broken answer: ${outcome.detail}`;
    case 'rejected':
      return `${outcome.words.status} ${outcome.reason}: ${outcome.words.message}`;
    case 'client-gone':
      return 'client gone';
  }
}
