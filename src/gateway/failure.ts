import { ERRORS, type ErrorKind, errorStatus, type GatewayError, gatewayError } from '../core/errors.ts';
import { describe, type Failure, type Outcome, type ProviderWords, retryAfterOf, statusOf } from '../core/outcome.ts';
import { redact } from '../core/secret.ts';
import type { ServerSettings } from '../core/snapshot.ts';
import { type Millis, seconds } from '../core/units.ts';
import type { Attempt } from '../router/route.ts';

/** The status a client sees for an error, in the profile that the operator chose. */
export function statusFor(error: GatewayError, profile: ServerSettings['errorProfile']): number {
  // LiteLLM's timeouts are 408, but for a provider that said 504 itself.
  return errorStatus(error.kind, error.provider?.status === 504 ? 'tollgate' : profile);
}

/**
 * A failed attempt in the client's terms: LiteLLM's class, then the provider's own words.
 *
 * @param providerName as in LiteLLM's messages, `OpenAI` in `OpenAIException`
 */
export function errorOf(outcome: Failure, providerName: string): GatewayError {
  const kind = errorKind(outcome);
  const { className } = ERRORS[kind];
  const said = 'words' in outcome ? outcome.words.message : explainFailure(outcome);
  const prefix = className === null ? '' : `litellm.${className}: ${className}: ${providerName}Exception - `;
  return gatewayError(kind, redact(prefix + said), {
    param: 'words' in outcome ? outcome.words.param : null,
    retryAfter: retryAfterOf(outcome),
    provider: 'words' in outcome ? providerCodes(outcome.words) : null,
  });
}

function providerCodes(words: ProviderWords): NonNullable<GatewayError['provider']> {
  return { status: words.status, type: words.type, code: words.code };
}

function explainFailure(outcome: Exclude<Failure, { words: ProviderWords }>): string {
  switch (outcome.kind) {
    case 'connect-failed':
      return `Connection to the provider failed (${outcome.code}). Check api_base and the network.`;
    case 'timeout':
      return outcome.phase === 'total'
        ? `The request reached its deadline of ${outcome.limit / 1000} s.`
        : `The provider did not answer in time (${outcome.phase} limit, ${outcome.limit / 1000} s).`;
    case 'broken-stream':
      return `The provider's answer broke off: ${outcome.detail}.`;
    case 'client-gone':
      return 'The client went away.';
  }
}

function errorKind(outcome: Failure): ErrorKind {
  switch (outcome.kind) {
    case 'rate-limited':
      return 'upstream-rate-limited';
    case 'upstream-error':
      return upstreamErrorKind(outcome.words.status);
    case 'connect-failed':
      return 'upstream-unreachable';
    case 'timeout':
      return outcome.phase === 'total' ? 'request-timeout' : 'upstream-timeout';
    case 'broken-stream':
    case 'client-gone':
      return 'upstream-broken';
    case 'rejected':
      return rejectedKind(outcome.reason, outcome.words.status);
  }
}

function upstreamErrorKind(status: number): ErrorKind {
  if (status === 408 || status === 504) return 'upstream-timeout';
  // Nothing is followed: a redirect is an address that is wrong in the configuration.
  if (status === 409) return 'upstream-conflict';
  if (status === 502 || status < 400) return 'upstream-bad-gateway';
  return status === 503 || status === 529 ? 'upstream-unavailable' : 'upstream-error';
}

function rejectedKind(reason: Extract<Failure, { kind: 'rejected' }>['reason'], status: number): ErrorKind {
  switch (reason) {
    case 'context-window':
      return 'context-window';
    case 'content-policy':
      return 'content-policy';
    case 'credential':
      return status === 403 ? 'upstream-permission' : 'upstream-credential';
    case 'not-found':
      return 'upstream-not-found';
    case 'payment':
      return 'payment-required';
    case 'invalid-request':
      if (status === 413) return 'request-too-large';
      return status === 422 ? 'unprocessable-request' : 'bad-request';
  }
}

/**
 * The answer when nothing is left to try (B13): the decisive failure, then everything that was tried and why it failed.
 *
 * A final outcome speaks for itself; after a plan that ran out, the first failure does, as in LiteLLM.
 *
 * @param providerName the name of the provider behind a deployment's attempt
 */
export function exhaustedError(
  attempts: readonly Attempt[],
  requestedModel: string,
  fallbackGroups: readonly string[],
  decisive: 'first' | 'last',
  providerName: (attempt: Attempt) => string,
): GatewayError {
  const attempt = decisive === 'last' ? attempts.at(-1) : attempts[0];
  if (attempt === undefined || attempt.outcome.kind === 'success') {
    // Every deployment has used up its rpm or tpm, whose windows are minutes.
    const message = `No deployments available for selected model, Try again in 60 seconds. Passed model=${requestedModel}.`;
    return gatewayError('no-deployment', message, { retryAfter: seconds(60) });
  }
  const error = errorOf(attempt.outcome, providerName(attempt));
  const groups = fallbackGroups.length === 0 ? 'None' : `[${fallbackGroups.map((name) => `'${name}'`).join(', ')}]`;
  const tried = attempts.map((each) => `${each.deployment.id} (${each.group}): ${redact(describe(each.outcome))}`);
  const message =
    `${error.message.replace(/\.$/, '')}. Received Model Group=${requestedModel}\nAvailable Model Group Fallbacks=${groups}` +
    (attempts.length > 1 ? `\nTried: ${tried.join('; ')}` : '');
  return { ...error, message, retryAfter: shortestRetryAfter(attempts) };
}

function shortestRetryAfter(attempts: readonly Attempt[]): Millis | null {
  let shortest: Millis | null = null;
  for (const { outcome } of attempts) {
    const wait = retryAfterOf(outcome);
    if (wait !== null && (shortest === null || wait < shortest)) shortest = wait;
  }
  return shortest;
}

/** The upstream's status of an outcome for metrics, or null. */
export function meterStatus(outcome: Outcome): number | null {
  return outcome.kind === 'success' ? 200 : statusOf(outcome);
}
