import { describe, expect, test } from 'bun:test';
import { type Answer, outcomeOf } from '../../test/support/routing.ts';
import { errorClass, type Failure, isTriggeredBy, verdict } from './outcome.ts';
import type { FallbackTrigger } from './snapshot.ts';

/** BRIEF B9 to B12 and errors.md §1, row by row: elsewhere, again, health, LiteLLM's class. */
test.each<[string, Answer, string]>([
  ['success', 'ok', 'stop never healthy null'],
  ['429', 429, 'fallback retry bench rate-limit'],
  ['429 of an empty account', { status: 429, code: 'insufficient_quota' }, 'fallback never bench rate-limit'],
  ['408', 408, 'fallback retry count timeout'],
  ['500', 500, 'fallback retry count internal-server'],
  ['502', 502, 'fallback retry count bad-gateway'],
  ['503', 503, 'fallback retry count service-unavailable'],
  ['504', 504, 'fallback retry count timeout'],
  ['529', 529, 'fallback retry count internal-server'],
  ['a timeout', 'timeout', 'fallback retry count timeout'],
  ["the request's own deadline", 'out-of-time', 'stop never neutral timeout'],
  ['a refused connection', 'refused', 'fallback retry count null'],
  ['a stream cut before its first content', 'cut', 'fallback retry count null'],
  ['a stream cut after it', 'cut-after-commit', 'stop never count null'],
  ['400', 400, 'stop never neutral bad-request'],
  ['422', 422, 'stop never neutral bad-request'],
  ['402', 402, 'stop never neutral null'],
  ['401', 401, 'fallback never bench authentication'],
  ['403', 403, 'fallback never bench authentication'],
  ['404', 404, 'fallback never bench not-found'],
  ['a prompt too long', 'context', 'context-chain never neutral bad-request'],
  ['a prompt against the rules', 'content', 'content-chain never neutral content-policy'],
  ['a client that left', 'gone', 'stop never neutral null'],
])('%s', (_name, answer, expected) => {
  const outcome = outcomeOf(answer);
  const { elsewhere, again, health } = verdict(outcome);
  expect(`${elsewhere} ${again} ${health} ${errorClass(outcome)}`).toBe(expected);
});

describe('words of fallback_on', () => {
  test.each<[FallbackTrigger, Answer[], Answer[]]>([
    [429, [429], [500, 'timeout']],
    ['timeout', ['timeout', 408, 504], [500, 'refused']],
    ['connection', ['refused', 'cut'], [502, 'timeout']],
    ['context-window', ['context'], [400, 'content']],
    ['content-policy', ['content'], [400, 'context']],
    ['any', [400, 'refused', 'gone'], []],
  ])('%p', (trigger, named, others) => {
    for (const answer of named) expect(isTriggeredBy(outcomeOf(answer) as Failure, trigger)).toBe(true);
    for (const answer of others) expect(isTriggeredBy(outcomeOf(answer) as Failure, trigger)).toBe(false);
  });
});
