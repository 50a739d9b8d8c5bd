import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { type Answer, deploymentOf, outcomeOf, SETTINGS } from '../../test/support/routing.ts';
import { Story } from '../../test/support/story.ts';
import type { Deployment, RoutingSettings } from '../core/snapshot.ts';
import { type Millis, millis, seconds } from '../core/units.ts';
import { HealthTable } from './health.ts';

const D = deploymentOf('d');

/** Reports answers at one-second steps from 0 and tells the state as `kind until`. */
function after(
  answers: readonly Answer[],
  { groupSize = 2, deployment = D, settings = {} }: HealthCase = {},
): { readonly table: HealthTable; readonly state: string } {
  const table = new HealthTable();
  const all = { ...SETTINGS, ...settings };
  for (const [at, answer] of answers.entries())
    table.record(deployment, groupSize, outcomeOf(answer), all, seconds(at));
  return { table, state: stateOf(table, deployment) };
}

interface HealthCase {
  readonly groupSize?: number;
  readonly deployment?: Deployment;
  readonly settings?: Partial<RoutingSettings>;
}

function stateOf(table: HealthTable, deployment = D): string {
  const state = table.state(deployment.id, millis(0));
  if (state.kind === 'available') return `available ${state.failures}`;
  return state.kind === 'probing' ? 'probing' : `${state.kind} ${state.until / 1000}`;
}

describe('B12: when a deployment leaves rotation', () => {
  test.each<[string, Answer[], HealthCase, string]>([
    ['two failures do not', [500, 500], {}, 'available 2'],
    ['three in a row do, for cooldown_time', [500, 'timeout', 'refused'], {}, 'ejected 7'],
    ['a success between starts the count again', [500, 500, 'ok', 500, 500], {}, 'available 2'],
    ['a stream cut after its commit counts', ['cut-after-commit', 'cut', 'cut'], {}, 'ejected 7'],
    ['caller errors do not count', [500, 500, 400, 422, 'context', 'content', 402], {}, 'available 2'],
    ['nor do clients that leave', [500, 500, 'gone', 'gone'], {}, 'available 2'],
    ["nor the request's own deadline", [500, 500, 'out-of-time'], {}, 'available 2'],
    ['429 does at once, cooling', [429], {}, 'cooling 5'],
    ['429 for as long as the provider asks', [{ status: 429, retryAfter: 30 }], {}, 'cooling 30'],
    ['but at most an hour', [{ status: 429, retryAfter: 86_400 }], {}, 'cooling 3600'],
    ['401 at once', [401], {}, 'ejected 5'],
    ['403 at once', [403], {}, 'ejected 5'],
    ['404 at once', [404], {}, 'ejected 5'],
    ['429 alone in its group counts as one failure', [429], { groupSize: 1 }, 'available 1'],
    ['401 alone in its group too', [401, 401, 401], { groupSize: 1 }, 'ejected 7'],
    ['allowed_fails: 1', [500], { settings: { allowedFails: 1 } }, 'ejected 5'],
    ['allowed_fails: 0 is as strict as can be', [500], { settings: { allowedFails: 0 } }, 'ejected 5'],
    ["the deployment's own allowed_fails first", [500], { deployment: { ...D, allowedFails: 1 } }, 'ejected 5'],
    ['a policy for the class', ['timeout'], { settings: { allowedFailsPolicy: { timeout: 1 } } }, 'ejected 5'],
    [
      'a policy for another class says nothing',
      [500],
      { settings: { allowedFailsPolicy: { timeout: 1 } } },
      'available 1',
    ],
    [
      'a policy makes 429 a matter of counting',
      [429],
      { settings: { allowedFailsPolicy: { 'rate-limit': 2 } } },
      'available 1',
    ],
    [
      "the deployment's cooldown_time before Retry-After",
      [{ status: 429, retryAfter: 30 }],
      { deployment: { ...D, cooldown: seconds(8) } },
      'cooling 8',
    ],
    ['cooldown_time: 0 switches it off', [500, 500, 500, 429], { settings: { cooldown: seconds(0) } }, 'available 0'],
    ['disable_cooldowns too', [429, 401], { settings: { cooldownsEnabled: false } }, 'available 0'],
    [
      'wildcard deployments never leave',
      [429, 401, 500, 500, 500],
      { deployment: { ...D, isWildcard: true } },
      'available 0',
    ],
    [
      'a later, longer Retry-After extends it',
      [
        { status: 429, retryAfter: 10 },
        { status: 429, retryAfter: 30 },
      ],
      {},
      'cooling 31',
    ],
    [
      'a later, shorter one does not shorten it',
      [
        { status: 429, retryAfter: 30 },
        { status: 429, retryAfter: 1 },
      ],
      {},
      'cooling 30',
    ],
    ['late failures of attempts begun before do not extend it', [500, 500, 500, 500, 500], {}, 'ejected 7'],
    ['a late success does not bring it back', [500, 500, 500, 'ok'], {}, 'ejected 7'],
  ])('%s', (_name, answers, more, expected) => {
    expect(after(answers, more).state).toBe(expected);
  });
});

describe('B12: how it comes back', () => {
  const out = () => after([500, 500, 500]).table;

  test('one probe at a time, once its time has passed', () => {
    const table = out();
    expect(table.isReady(D.id, seconds(6.999))).toBe(false);
    expect(table.isReady(D.id, seconds(7))).toBe(true);
    expect(table.begin(D, seconds(7))).toBe('probe');
    expect(table.isReady(D.id, seconds(8))).toBe(false);
    expect(table.begin(D, seconds(8))).toBe('ordinary');
  });

  test.each<[string, Answer, string, boolean]>([
    ['a success brings it back', 'ok', 'available 0', true],
    ['a failure keeps it out for twice as long', 500, 'ejected 18', false],
    ['a 429 cools it', 429, 'cooling 13', false],
    ['a client that left frees the place for the next probe', 'gone', 'ejected 7', true],
    ["a caller's mistake too", 400, 'ejected 7', true],
  ])('%s', (_name, answer, state, isReady) => {
    const table = out();
    table.begin(D, seconds(7));
    table.record(D, 2, outcomeOf(answer), SETTINGS, seconds(8));
    expect(stateOf(table)).toBe(state);
    expect(table.isReady(D.id, seconds(8))).toBe(isReady);
  });

  test('a probe that is never reported gives its place up', () => {
    const table = out();
    table.begin(D, seconds(7));
    expect(table.isReady(D.id, seconds(66))).toBe(false);
    expect(table.isReady(D.id, seconds(67))).toBe(true);
    expect(table.begin(D, seconds(67))).toBe('probe');
  });

  test('a stream that begins to speak ends the probe, but is no success', () => {
    const table = out();
    table.begin(D, seconds(7));
    table.answered(D, seconds(8));
    expect(stateOf(table)).toBe('available 0');
    const breaking = after([500, 500]).table;
    breaking.answered(D, seconds(3));
    breaking.record(D, 2, outcomeOf('cut-after-commit'), SETTINGS, seconds(4));
    expect(stateOf(breaking)).toBe('ejected 9');
  });

  test('ejections grow up to five minutes', () => {
    const table = out();
    const until = (): Millis => table.benched(D.id)?.until ?? millis(0);
    const lengths = Array.from({ length: 8 }, () => {
      const now = until();
      table.begin(D, now);
      table.record(D, 2, outcomeOf(500), SETTINGS, now);
      return (until() - now) / 1000;
    });
    expect(lengths).toEqual([10, 20, 40, 80, 160, 300, 300, 300]);
  });

  test('a deployment that flaps is out longer each time, one that was well for ten minutes is forgiven', () => {
    const flap = (pause: number): number => {
      const table = out();
      table.begin(D, seconds(7));
      table.record(D, 2, outcomeOf('ok'), SETTINGS, seconds(7));
      for (let i = 0; i < 3; i += 1) table.record(D, 2, outcomeOf(500), SETTINGS, seconds(7 + pause));
      return ((table.benched(D.id)?.until ?? 0) - seconds(7 + pause)) / 1000;
    };
    expect([flap(1), flap(600)]).toEqual([10, 5]);
  });

  test('prune forgets what left the configuration', () => {
    const table = out();
    table.prune([]);
    expect(stateOf(table)).toBe('available 0');
  });

  test('whatever happens, `until` moves back only by a success and a probe never blocks for ever', () => {
    const step = fc.record({
      act: fc.constantFrom<Answer | 'begin'>('begin', 'ok', 500, 429, 401, 400, 'gone', 'timeout', {
        status: 429,
        retryAfter: 40,
      }),
      pause: fc.integer({ min: 0, max: 20 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new HealthTable();
        let now = 0;
        for (const { act, pause } of steps) {
          now += pause;
          const before = table.benched(D.id)?.until ?? 0;
          if (act === 'begin') table.begin(D, seconds(now));
          else table.record(D, 2, outcomeOf(act), SETTINGS, seconds(now));
          const state = table.benched(D.id);
          if (act !== 'ok') expect(state?.until ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(before);
        }
        expect(table.isReady(D.id, seconds(now + 3600))).toBe(true);
      }),
    );
  });
});

describe('outages as stories', () => {
  const pair = [deploymentOf('a', { group: 'g', order: 1 }), deploymentOf('b', { group: 'g', order: 2 })];

  test('after three failures the next request goes to the next deployment at once, and one probe brings the first back', () => {
    const story = new Story({ deployments: pair, script: { a: [500, 500, 500, { answer: 'ok', after: 1 }] } });
    const first = [1, 2, 3].map(() => story.ask('g').lines.length);
    expect(first).toEqual([2, 2, 2]);
    expect(story.ask('g').lines).toEqual(['0 b ok']);
    story.wait(5);
    const probe = story.start('g');
    const meanwhile = story.start('g');
    story.clock.runAll();
    expect(probe.lines).toEqual(['5 a ok']);
    expect(meanwhile.lines).toEqual(['5 b ok']);
    expect(story.ask('g').lines).toEqual(['6 a ok']);
  });

  test('a cooling group is passed over for its fallback without delay', () => {
    const story = new Story({
      deployments: [...pair, deploymentOf('z')],
      settings: { fallbacks: new Map([['g', ['z']]]) },
      script: { a: [{ status: 429, retryAfter: 20 }, 'ok'], b: [{ status: 429, retryAfter: 20 }, 'ok'] },
    });
    expect(story.ask('g').lines).toEqual(['0 a 429', '0 b 429', '0 z ok']);
    expect(story.ask('g').lines).toEqual(['0 z ok']);
    story.wait(20);
    expect(story.ask('g').lines).toEqual(['20 a ok']);
  });

  test('when everything is benched the least bad one is tried rather than refusing', () => {
    const story = new Story({
      deployments: pair,
      script: { a: [{ status: 429, retryAfter: 50 }, 'ok'], b: [{ status: 429, retryAfter: 40 }, 401, 'ok'] },
      settings: { numRetries: 0 },
    });
    expect(story.ask('g').lines).toEqual(['0 a 429', '0 b 429']);
    expect(story.ask('g').lines).toEqual(['0 b 401', '0 a ok']);
  });

  test('of two that are out equally long, the one that failed less often is the less bad', () => {
    const story = new Story({ deployments: pair, settings: { allowedFails: 1, numRetries: 0 } });
    const [a, b] = pair as [Deployment, Deployment];
    const fail = (deployment: Deployment, at: number) => {
      story.health.begin(deployment, seconds(at));
      story.health.record(deployment, 2, outcomeOf(500), story.snapshot.routing, seconds(at));
    };
    fail(a, 0);
    fail(a, 5);
    fail(b, 10);
    expect([a, b].map(({ id }) => story.health.benched(id)?.until)).toEqual([seconds(15), seconds(15)]);
    story.wait(10);
    expect(story.ask('g').lines).toEqual(['10 b ok']);
  });

  test('a success against all odds brings a benched deployment back', () => {
    const story = new Story({
      deployments: [deploymentOf('a')],
      script: { a: [500, 500, 500, 'ok'] },
      settings: { numRetries: 0, cooldown: seconds(60) },
    });
    for (let i = 0; i < 3; i += 1) story.ask('a');
    expect(story.health.state(deploymentOf('a').id, millis(0)).kind).toBe('ejected');
    expect(story.ask('a').lines).toEqual(['0 a ok']);
    expect(story.health.state(deploymentOf('a').id, millis(0)).kind).toBe('available');
  });

  test('a client that hangs up does not count against the deployment', () => {
    const story = new Story({ deployments: pair, script: { a: ['gone'] } });
    for (let i = 0; i < 10; i += 1) story.ask('g');
    expect(story.ask('g').lines).toEqual(['0 a gone']);
  });

  test('a healthy tried deployment is waited for before a benched one is called', () => {
    const story = new Story({
      deployments: pair,
      script: { a: [{ status: 429, retryAfter: 50 }], b: ['ok', 500, 'ok'] },
    });
    story.ask('g');
    expect(story.ask('g').lines).toEqual(['0 b 500', '0.5 b ok']);
  });
});
