import { describe, expect, test } from 'bun:test';
import { type Answer, deploymentOf, outcomeOf } from '../../test/support/routing.ts';
import { Story } from '../../test/support/story.ts';

/** The conformance checklist of litellm.md §13, items 4 to 12, where the brief does not decide otherwise. */
describe("LiteLLM's checklist", () => {
  const two = [deploymentOf('a', { group: 'g' }), deploymentOf('b', { group: 'g' })];

  test('4: two deployments, one answers 500: one retry, no sleep', () => {
    const telling = new Story({ deployments: two, script: { a: [500] } }).ask('g');
    expect(telling.lines).toEqual(['0 a 500', '0 b ok']);
    expect(telling.decisions.at(-1)?.retries).toBe(1);
  });

  test.each([
    [0, [0, 0.5, 1, 2]],
    [0.999999, [0, 1.25, 1.75, 2.75]],
  ])('5: one deployment, 500 four times: 0.5–1.25, 1–1.75, 2–2.75 s (random %p)', (random, expected) => {
    const telling = new Story({ deployments: [deploymentOf('a')], script: { a: [500] }, random: () => random }).ask(
      'a',
    );
    expect(telling.delays.map((delay) => Math.round(delay * 1000) / 1000)).toEqual(expected);
    expect(telling.attempts[0]?.outcome).toEqual(outcomeOf(500));
  });

  test.each([
    [2, 0, 2],
    [2, 0.999999, 2.75],
    [120, 0, 0.5],
  ])('6: Retry-After %p with one deployment', (retryAfter, random, expected) => {
    const script: Record<string, Answer[]> = { a: [{ status: 429, retryAfter }, 'ok'] };
    const telling = new Story({ deployments: [deploymentOf('a')], script, random: () => random }).ask('a');
    expect(Math.round(telling.delays[1]! * 1000) / 1000).toBe(expected);
  });

  test('7: 429 in a group of two cools the deployment, in a group of one it does not', () => {
    const pair = new Story({ deployments: two, script: { a: [429] } });
    pair.ask('g');
    expect(pair.health.isReady(two[0]!.id, pair.clock.now())).toBe(false);
    const alone = new Story({ deployments: [deploymentOf('a')], script: { a: [429, 'ok'] } });
    alone.ask('a');
    expect(alone.health.isReady(deploymentOf('a').id, alone.clock.now())).toBe(true);
  });

  test('8: 401 in a group of two: the second answers, the first is benched; in a group of one it is the answer', () => {
    const pair = new Story({ deployments: two, script: { a: [401] } });
    expect(pair.ask('g').lines).toEqual(['0 a 401', '0 b ok']);
    expect(pair.ask('g').lines).toEqual(['0 b ok']);
    const alone = new Story({ deployments: [deploymentOf('a')], script: { a: [401] } }).ask('a');
    expect([alone.lines, alone.end]).toEqual([['0 a 401'], 'exhausted']);
  });

  test("9: 400 is not retried; LiteLLM's fallback for it is one line of configuration, disable_fallbacks takes it away", () => {
    const deployments = [...two, deploymentOf('z')];
    const settings = { fallbacks: new Map([['g', ['z']]]), fallbackOn: ['any'] } as const;
    const story = new Story({ deployments, settings, script: { a: [400] } });
    expect(story.ask('g').lines).toEqual(['0 a 400', '0 z ok']);
    expect(story.ask({ model: 'g', controls: { disableFallbacks: true } }).lines).toEqual(['0 a 400']);
  });

  test('10: a context phrase goes to the context-window fallback only when one is configured for the group', () => {
    const deployments = [deploymentOf('a'), deploymentOf('b'), deploymentOf('long')];
    const settings = { contextWindowFallbacks: new Map([['a', ['long']]]), fallbacks: new Map([['*', ['long']]]) };
    const story = new Story({ deployments, settings, script: { a: ['context'], b: ['context'] } });
    expect(story.ask('a').lines).toEqual(['0 a context', '0 long ok']);
    expect(story.ask('b').lines).toEqual(['0 b context']);
  });

  test('11: `*`, provider-stripped keys, a nested chain in the order a, b, d, c, and the depth limit', () => {
    const deployments = 'abcdefghi'.split('').map((id) => deploymentOf(id));
    const failing = Object.fromEntries(deployments.map(({ id }) => [id, [500]]));
    const order = (map: [string, string[]][], more: object = {}, model = 'a'): string =>
      new Story({
        deployments: [...deployments, deploymentOf('openai/a')],
        settings: { fallbacks: new Map(map), numRetries: 0, ...more },
        script: { ...failing, 'openai/a': [500] },
      })
        .ask(model)
        .lines.map((line) => line.split(' ')[1])
        .join(' ');
    expect(
      order([
        ['a', ['b', 'c']],
        ['b', ['d']],
      ]),
    ).toBe('a b d c');
    expect(order([['*', ['c']]])).toBe('a c');
    expect(order([['a', ['c']]], {}, 'openai/a')).toBe('openai/a c');
    expect(
      order([
        ['a', ['b']],
        ['b', ['a', 'c']],
      ]),
    ).toBe('a b c');
    const long = 'abcdefgh'.split('').map((id, i): [string, string[]] => [id, ['bcdefghi'[i]!]]);
    expect(order(long)).toBe('a b c d e f');
    expect(order(long, { maxFallbacks: 1 })).toBe('a b');
    expect(order(long, { maxFallbacks: 0 })).toBe('a');
    expect(order([], { defaultFallbacks: ['d'] })).toBe('a d');
    expect(order([], { defaultFallbacks: ['d', 'e'] }, 'unknown')).toBe('d e');
  });

  test('12: order 1, 2, 3 escalate within one request', () => {
    const deployments = [1, 2, 3].map((order) => deploymentOf(`o${order}`, { group: 'g', order }));
    const telling = new Story({ deployments, script: { o1: [500], o2: [500] } }).ask('g');
    expect(telling.lines).toEqual(['0 o1 500', '0 o2 500', '0 o3 ok']);
  });
});
