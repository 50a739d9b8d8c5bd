import type { JsonObject } from '../core/json.ts';
import type { Failure, ProviderWords, RejectReason } from '../core/outcome.ts';
import { type Millis, seconds } from '../core/units.ts';
import {
  isContentPolicy,
  isContextWindow,
  isCredentialRefused,
  isModelMissing,
  isQuotaExhausted,
  isRateLimit,
} from './phrases.ts';
import type { ReplyHead } from './provider.ts';
import { retryAfterIn } from './retry-after.ts';
import { type ErrorWords, wordsIn, wordsInJson } from './words.ts';

export { isContentPolicy, isContextWindow, isRateLimit } from './phrases.ts';
export { goDuration, retryAfterIn } from './retry-after.ts';

/**
 * The wait when an account's quota is used up: no provider says how long, and seconds never help.
 *
 * Longer than what is slept inline (60 s), so that the same deployment is not tried again in the same request; short
 * enough that a topped-up account is back without a restart.
 */
export const QUOTA_WAIT: Millis = seconds(300);

/**
 * What an error answer of OpenAI, Azure or a host that looks like them means.
 *
 * @param body the answer's bytes in any shape `wordsIn` knows, HTML and nothing included
 */
export function classifyReply(head: ReplyHead, body: Uint8Array): Failure {
  return failureOf(wordsIn(head.status, body), head);
}

/** What an error object inside a 200 answer, or inside a stream, means; `head` is null inside a stream. */
export function classifyObject(root: JsonObject, head: ReplyHead | null = null): Failure {
  return failureOf(wordsInJson(200, root), head);
}

/**
 * The failure that words and status stand for, first match wins (errors.md §2, litellm.md §4.3).
 *
 * Words decide only within what the status allows: a 429 or 5xx that speaks of context length stays what it is, since
 * over-long prompts are answered so for other reasons (a tokens-per-minute limit), and other deployments may help.
 */
export function failureOf(found: ErrorWords, head: ReplyHead | null): Failure {
  const text = `${found.message} ${found.code ?? ''} ${found.type ?? ''} ${found.hints}`;
  const words = publicWords(found);
  const retryAfter = head === null ? null : retryAfterIn(head, found.message, found.retryDelay);
  if (found.status === 429 || isQuotaExhausted(text)) {
    return { kind: 'rate-limited', retryAfter: isQuotaExhausted(text) ? QUOTA_WAIT : retryAfter, words };
  }
  if (limitedDespiteStatus(found, text)) return { kind: 'rate-limited', retryAfter, words };
  const reason = rejectReason(found, text);
  if (reason !== null) return { kind: 'rejected', reason, words };
  // On other statuses the header means something else (Anthropic sends it with successes, recorded 2026).
  const waits = found.status === 503 || found.status === 529;
  return { kind: 'upstream-error', retryAfter: waits ? retryAfter : null, words };
}

/** Rate limits told by words; never of an `invalid_request_error`, whose message may quote anything. */
function limitedDespiteStatus(words: ErrorWords, text: string): boolean {
  if (words.type?.startsWith('invalid_request')) return false;
  const possible = words.status === 425 || words.status === 403 || words.status === 400 || words.status >= 500;
  return words.status === 425 || (possible && isRateLimit(text));
}

/** Null for what another try, or another deployment, may cure without any chain. */
function rejectReason(words: ErrorWords, text: string): RejectReason | null {
  const { status } = words;
  // 3xx: nothing is followed; 408, 409 and 424 (Azure's failed dependency) are worth another try.
  if (status < 400 || status >= 500 || status === 408 || status === 409 || status === 424 || status === 499)
    return null;
  if (isContextWindow(text, words.param)) return 'context-window';
  if (isContentPolicy(text)) return 'content-policy';
  if (isModelMissing(text)) return 'not-found';
  if (isCredentialRefused(text)) return 'credential';
  return REASONS[status] ?? 'invalid-request';
}

const REASONS: Readonly<Record<number, RejectReason>> = {
  401: 'credential',
  402: 'payment',
  403: 'credential',
  404: 'not-found',
  // Baseten and others answer 410 for a model that was taken away.
  410: 'not-found',
};

function publicWords(words: ErrorWords): ProviderWords {
  return { status: words.status, message: words.message, type: words.type, param: words.param, code: words.code };
}
