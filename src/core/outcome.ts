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

/** The answers of the table for one outcome. */
export interface Verdict {
  readonly elsewhere: Elsewhere;
  readonly health: HealthVerdict;
}

/** BRIEF B9, B10 and B12 as one table. */
export function verdict(outcome: Outcome): Verdict {
  switch (outcome.kind) {
    case 'success':
      return { elsewhere: 'stop', health: 'healthy' };
    case 'rate-limited':
      return { elsewhere: 'fallback', health: 'bench' };
    case 'upstream-error':
    case 'connect-failed':
      return { elsewhere: 'fallback', health: 'count' };
    case 'timeout':
      // The request's own deadline says nothing about the deployment that happened to be running.
      return outcome.phase === 'total'
        ? { elsewhere: 'stop', health: 'neutral' }
        : { elsewhere: 'fallback', health: 'count' };
    case 'broken-stream':
      return { elsewhere: outcome.committed ? 'stop' : 'fallback', health: 'count' };
    case 'client-gone':
      return { elsewhere: 'stop', health: 'neutral' };
    case 'rejected':
      return rejectVerdict(outcome.reason);
  }
}

function rejectVerdict(reason: RejectReason): Verdict {
  switch (reason) {
    case 'credential':
    case 'not-found':
      // The deployment's own fault: its key is refused or its model is missing (B9).
      return { elsewhere: 'fallback', health: 'bench' };
    case 'context-window':
      return { elsewhere: 'context-chain', health: 'neutral' };
    case 'content-policy':
      return { elsewhere: 'content-chain', health: 'neutral' };
    case 'invalid-request':
    case 'payment':
      return { elsewhere: 'stop', health: 'neutral' };
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
