import { describe, expect, test } from 'bun:test';
import { type Answer, deploymentOf, SETTINGS } from '../../test/support/routing.ts';
import { Story } from '../../test/support/story.ts';
import { describe as describeOutcome } from '../core/outcome.ts';
import { millis, seconds } from '../core/units.ts';

const BRIEF = { base: seconds(2), factor: 2, max: seconds(8), jitter: millis(0) };

describe('B11: returning to the same deployment', () => {
  test.each<[string, Answer]>([
    ['429', 429],
    ['500', 500],
    ['a timeout', 'timeout'],
    ['a refused connection', 'refused'],
    ['a cut stream', 'cut'],
  ])('alone, %s gets 1 + num_retries tries with delays, and none after the last', (_name, answer) => {
    const telling = new Story({
      deployments: [deploymentOf('a')],
      settings: { backoff: BRIEF },
      script: { a: [answer] },
    }).ask('a');
    expect(telling.delays).toEqual([0, 2, 4, 8]);
    expect([telling.end, telling.endedAt]).toEqual(['exhausted', 14]);
    expect(telling.decisions.map((each) => each.retries)).toEqual([0, 1, 2, 3]);
  });

  test('with a fallback the first retry comes after it', () => {
    const telling = new Story({
      deployments: [deploymentOf('a'), deploymentOf('b')],
      settings: { fallbacks: new Map([['a', ['b']]]), backoff: BRIEF },
      script: { a: [500, 'ok'], b: [500] },
    }).ask('a');
    expect(telling.lines).toEqual(['0 a 500', '0 b 500', '2 a ok']);
    expect(telling.decisions.map((each) => [each.retries, each.fallbacks])).toEqual([
      [0, 0],
      [0, 1],
      [1, 1],
    ]);
  });

  test('the deployment that may be called first is returned to', () => {
    const telling = new Story({
      deployments: [deploymentOf('a'), deploymentOf('b')],
      settings: { fallbacks: new Map([['a', ['b']]]) },
      script: { a: [{ status: 429, retryAfter: 9 }], b: [{ status: 429, retryAfter: 3 }, 'ok'] },
    }).ask('a');
    expect(telling.lines).toEqual(['0 a 429', '0 b 429', '3 b ok']);
  });

  test.each<[string, Answer, number]>([
    ['is honoured up to 60 s', { status: 429, retryAfter: 60 }, 60],
    ['is ignored beyond', { status: 429, retryAfter: 61 }, 0.5],
    ['is honoured on 503', { status: 503, retryAfter: 1.5 }, 1.5],
    ['of zero is none', { status: 429, retryAfter: 0 }, 0.5],
  ])('Retry-After %s', (_name, answer, delay) => {
    const telling = new Story({ deployments: [deploymentOf('a')], script: { a: [answer, 'ok'] } }).ask('a');
    expect(telling.delays).toEqual([0, delay]);
  });

  test.each<[string, Answer]>([
    ['a refused credential', 401],
    ['a missing model', 404],
    ['an empty account', { status: 429, code: 'insufficient_quota' }],
  ])('%s is not tried again', (_name, answer) => {
    const telling = new Story({ deployments: [deploymentOf('a')], script: { a: [answer] } }).ask('a');
    expect([telling.lines.length, telling.end]).toEqual([1, 'exhausted']);
  });

  test('a deployment that cannot be returned to does not keep another from it', () => {
    const telling = new Story({
      deployments: [deploymentOf('a', { group: 'g', order: 1 }), deploymentOf('b', { group: 'g', order: 2 })],
      script: { a: [401], b: [500, 'ok'] },
    }).ask('g');
    expect(telling.lines).toEqual(['0 a 401', '0 b 500', '0.5 b ok']);
  });
});

describe('how many retries', () => {
  const tries = (answer: Answer, more: object = {}, d: object = {}, controls: object = {}): number =>
    new Story({ deployments: [deploymentOf('a', d)], settings: more, script: { a: [answer] } }).ask({
      model: 'a',
      controls,
    }).lines.length - 1;

  test.each<[string, () => number, number]>([
    ['the router', () => tries(500), 3],
    ['the request before it', () => tries(500, {}, {}, { numRetries: 1 }), 1],
    ['which cannot ask for any number', () => tries(500, { totalTimeout: seconds(1e6) }, {}, { numRetries: 1e9 }), 20],
    ['none if it says so', () => tries(500, {}, {}, { numRetries: 0 }), 0],
    ['the deployment before the request', () => tries(500, {}, { numRetries: 2 }, { numRetries: 1 }), 2],
    [
      'the policy before the deployment',
      () => tries(500, { retryCounts: { 'internal-server': 1 } }, { numRetries: 2 }),
      1,
    ],
    [
      "the group's policy first",
      () =>
        tries(500, {
          retryCounts: { 'internal-server': 1 },
          groupRetryCounts: new Map([['a', { 'internal-server': 4 }]]),
        }),
      4,
    ],
    ['a policy for another class says nothing', () => tries(500, { retryCounts: { timeout: 0 } }), 3],
    ['a policy of zero', () => tries(429, { retryCounts: { 'rate-limit': 0 } }), 0],
    ['a policy makes a refused credential worth a try', () => tries(401, { retryCounts: { authentication: 2 } }), 2],
    ['a policy makes a bad request worth a try', () => tries(400, { retryCounts: { 'bad-request': 2 } }), 2],
  ])('%s', (_name, counted, expected) => {
    expect(counted()).toBe(expected);
  });

  test('a bad request that retry_policy insists on waits, then stays final', () => {
    const settings = { retryCounts: { 'bad-request': 1 } };
    const telling = new Story({ deployments: [deploymentOf('a')], settings, script: { a: [400] } }).ask('a');
    expect([telling.lines, telling.end]).toEqual([['0 a 400', '0.5 a 400'], 'final-outcome']);
  });

  test('B13: what was tried and why each failed is in the list of attempts, in order', () => {
    const telling = new Story({
      deployments: [deploymentOf('a'), deploymentOf('b')],
      settings: { fallbacks: new Map([['a', ['b']]]), numRetries: 1 },
      script: { a: [{ answer: 'timeout', after: 30 }, 429], b: [401] },
    }).ask('a');
    expect(telling.end).toBe('exhausted');
    expect(
      telling.attempts.map(({ deployment, outcome, startedAt, endedAt, delay }) => [
        `${deployment.id}: ${describeOutcome(outcome)}`,
        ...[startedAt, endedAt, delay].map((time) => time / 1000),
      ]),
    ).toEqual([
      ['a: timeout (first-byte, 30 s)', 0, 30, 0],
      ['b: 401 credential: no', 30, 30, 0],
      ['a: 429 rate limited: no', 30.5, 30.5, 0.5],
    ]);
  });

  test('they are counted for the whole request, not for each deployment', () => {
    const deployments = ['a', 'b', 'c'].map((id) => deploymentOf(id, { group: 'g' }));
    const telling = new Story({ deployments, script: { a: [500], b: [500], c: [500] } }).ask('g');
    expect(telling.lines.length).toBe(3 + SETTINGS.numRetries);
  });
});
