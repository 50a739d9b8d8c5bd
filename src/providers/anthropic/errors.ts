import { isObject, type JsonObject, objectMember, stringMember } from '../../core/json.ts';
import type { Failure, ProviderWords, RejectReason } from '../../core/outcome.ts';
import type { Millis } from '../../core/units.ts';
import { QUOTA_WAIT } from '../classify.ts';
import { isContentPolicy, isContextWindow, isQuotaExhausted } from '../phrases.ts';
import type { ReplyHead } from '../provider.ts';
import { retryAfterIn } from '../retry-after.ts';
import { clean, wordsIn } from '../words.ts';
import { parsedOr } from './answer.ts';

/** Statuses of the error types, for errors that come without one: inside a stream (specs/anthropic.md §10). */
const STATUS_OF_TYPE: ReadonlyMap<string, number> = new Map([
  ['invalid_request_error', 400],
  ['authentication_error', 401],
  ['billing_error', 402],
  ['permission_error', 403],
  ['not_found_error', 404],
  ['conflict_error', 409],
  ['request_too_large', 413],
  ['rate_limit_error', 429],
  ['api_error', 500],
  ['timeout_error', 504],
  ['overloaded_error', 529],
]);

/** An account without money gets a 400 with these words, or a 402. */
const OUT_OF_CREDIT = /credit balance is too low|spend(?:ing)?[ _]limit/i;

/**
 * What an answer with this status and body means.
 *
 * The body may also be empty or HTML, from a proxy in between; then the status decides.
 */
export function classify(head: ReplyHead, body: Uint8Array): Failure {
  return failure(wordsOfBody(head.status, body), head);
}

/** What an `error` event inside a stream means; its type stands for the status that it would have had. */
export function classifyEvent(event: JsonObject): Failure {
  const error = objectMember(event, 'error') ?? {};
  const status = STATUS_OF_TYPE.get(stringMember(error, 'type') ?? '') ?? 500;
  return failure(wordsOf(error, status), null);
}

/** What the body says; one that is not Anthropic's own is read like anybody's. */
function wordsOfBody(status: number, body: Uint8Array): ProviderWords {
  const parsed = parsedOr(new TextDecoder().decode(body), null);
  const error = isObject(parsed) ? objectMember(parsed, 'error') : null;
  if (error !== null) return wordsOf(error, status);
  const { message, type, param, code } = wordsIn(status, body);
  return { status, message, type, param, code };
}

function wordsOf(error: JsonObject, status: number): ProviderWords {
  const details = objectMember(error, 'details');
  return {
    status,
    message: clean(stringMember(error, 'message') || 'no message'),
    type: stringMember(error, 'type'),
    param: null,
    code: details === null ? null : stringMember(details, 'error_code'),
  };
}

function failure(words: ProviderWords, head: ReplyHead | null): Failure {
  if (words.status === 429) return { kind: 'rate-limited', retryAfter: waitOf(words, head), words };
  // 408 and 409 are the two of the four hundreds that a second try may cure (errors.md §1).
  if (words.status >= 500 || words.status < 400 || words.status === 408 || words.status === 409) {
    return { kind: 'upstream-error', retryAfter: waitOf(words, head), words };
  }
  return { kind: 'rejected', reason: rejectReason(words), words };
}

/** On other statuses `retry-after` means something else: it comes with successes as well (recorded 2026). */
function waitOf(words: ProviderWords, head: ReplyHead | null): Millis | null {
  if (words.status !== 429 && words.status !== 503 && words.status !== 529) return null;
  const said = head === null ? null : retryAfterIn(head, words.message);
  return said ?? (isOutOfMoney(words) ? QUOTA_WAIT : null);
}

function rejectReason(words: ProviderWords): RejectReason {
  const text = textOf(words);
  if (isContextWindow(text)) return 'context-window';
  if (isContentPolicy(text)) return 'content-policy';
  if (words.status === 402 || isOutOfMoney(words)) return 'payment';
  if (words.status === 401 || words.status === 403) return 'credential';
  return words.status === 404 ? 'not-found' : 'invalid-request';
}

function isOutOfMoney(words: ProviderWords): boolean {
  const text = textOf(words);
  return OUT_OF_CREDIT.test(text) || isQuotaExhausted(text);
}

function textOf(words: ProviderWords): string {
  return `${words.type ?? ''} ${words.code ?? ''} ${words.message}`;
}
