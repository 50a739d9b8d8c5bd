import { describe, expect, test } from 'bun:test';
import { deploymentOf } from '../../test/support/routing.ts';
import { Story } from '../../test/support/story.ts';
import { millis, seconds } from '../core/units.ts';

const THREE = [
  deploymentOf('third', { group: 'g', order: 3 }),
  deploymentOf('first', { group: 'g', order: 1 }),
  deploymentOf('unordered', { group: 'g' }),
  deploymentOf('second', { group: 'g', order: 2 }),
];

describe('B8: the plan of one request', () => {
  test('order levels are tried lowest first within one request, unordered deployments last', () => {
    const story = new Story({
      deployments: THREE,
      script: { first: [500], second: [500], third: [500] },
    });
    const telling = story.ask('g');
    expect(telling.lines).toEqual(['0 first 500', '0 second 500', '0 third 500', '0 unordered ok']);
    expect(telling.delays).toEqual([0, 0, 0, 0]);
  });

  test('a level is exhausted before the next one, and the group before its fallbacks', () => {
    const story = new Story({
      deployments: [
        deploymentOf('a1', { group: 'g', order: 1 }),
        deploymentOf('b1', { group: 'g', order: 1 }),
        deploymentOf('c2', { group: 'g', order: 2 }),
        deploymentOf('other'),
      ],
      settings: { fallbacks: new Map([['g', ['other']]]) },
      script: { a1: [503], b1: [503], c2: [503] },
    });
    expect(story.ask('g').lines).toEqual(['0 a1 503', '0 b1 503', '0 c2 503', '0 other ok']);
  });

  test('no deployment is tried twice while an untried one is left anywhere in the chain', () => {
    const story = new Story({
      deployments: [deploymentOf('a'), deploymentOf('b'), deploymentOf('c')],
      settings: { fallbacks: new Map([['a', ['b', 'c']]]), numRetries: 2 },
      script: { a: [500], b: [500], c: [500] },
    });
    expect(story.ask('a').lines).toEqual(['0 a 500', '0 b 500', '0 c 500', '0.5 a 500', '1.5 b 500']);
  });

  test('a deployment that two groups of the chain share is visited once', () => {
    const story = new Story({
      deployments: [deploymentOf('a', { group: 'g' }), deploymentOf('b', { group: 'g' })],
      settings: { fallbacks: new Map([['g', ['b', 'a']]]), numRetries: 0 },
      script: { a: [500], b: [500] },
    });
    expect(story.ask('g').lines).toEqual(['0 a 500', '0 b 500']);
  });

  test('nothing starts at or after the total deadline', () => {
    const story = new Story({
      deployments: [deploymentOf('a'), deploymentOf('b'), deploymentOf('c')],
      settings: { fallbacks: new Map([['a', ['b', 'c']]]), totalTimeout: seconds(60) },
      script: { a: [{ answer: 'timeout', after: 30 }], b: [{ answer: 'timeout', after: 30 }] },
    });
    const telling = story.ask('a');
    expect(telling.lines).toEqual(['0 a timeout', '30 b timeout']);
    expect(telling.end).toBe('deadline');
  });

  test('a wait that would pass the deadline is not begun', () => {
    const story = new Story({
      deployments: [deploymentOf('a')],
      settings: { totalTimeout: seconds(10) },
      script: { a: [{ status: 429, retryAfter: 20 }] },
    });
    const telling = story.ask('a');
    expect(telling.lines).toEqual(['0 a 429']);
    expect([telling.end, telling.endedAt]).toEqual(['deadline', 0]);
  });

  test('the client may shorten the total deadline, not lengthen it', () => {
    const story = new Story({ deployments: [deploymentOf('a')], settings: { totalTimeout: seconds(10) } });
    const limits = [5, 50].map(
      (total) => story.ask({ model: 'a', controls: { totalTimeout: seconds(total) } }).decisions[0]?.limits.deadline,
    );
    expect(limits).toEqual([seconds(5), seconds(10)]);
  });

  test('disabled deployments are never in a plan', () => {
    const disabled = { missingVariables: ['AZURE_API_KEY'], message: 'unset' };
    const story = new Story({
      deployments: [
        deploymentOf('off', { group: 'g', order: 1, disabled }),
        deploymentOf('on', { group: 'g', order: 2 }),
      ],
    });
    expect(story.ask('g').lines).toEqual(['0 on ok']);
  });

  test('a group that is all disabled goes to its fallbacks, or says which variables it needs', () => {
    const disabled = { missingVariables: ['OPENAI_API_KEY'], message: 'unset' };
    const deployments = [deploymentOf('off', { disabled }), deploymentOf('on')];
    const with_ = new Story({ deployments, settings: { fallbacks: new Map([['off', ['on']]]) } }).ask('off');
    expect(with_.lines).toEqual(['0 on ok']);
    expect([with_.decisions[0]?.fallbacks, with_.decisions[0]?.retries]).toEqual([1, 0]);
    expect(new Story({ deployments }).ask('off').end).toBe('all-disabled');
  });
});

describe('time limits of an attempt', () => {
  const d = deploymentOf('d', { timeout: seconds(20), streamTimeout: seconds(7) });
  const limitsOf = (ask: object) =>
    new Story({ deployments: [d, deploymentOf('plain')], settings: { streamTimeout: seconds(9) } }).ask({
      model: 'd',
      ...ask,
    }).decisions[0]?.limits;

  test.each([
    ['the deployment before the router', {}, 20],
    ['the body before the deployment', { controls: { timeout: seconds(3) } }, 3],
    ['stream timeout of the deployment for streams', { isStreaming: true }, 7],
    ['stream timeout of the body first', { isStreaming: true, controls: { streamTimeout: seconds(2) } }, 2],
    ['the router for streams before any reply timeout', { model: 'plain', isStreaming: true }, 9],
    ['the router last', { model: 'plain' }, 30],
  ])('%s', (_name, ask, expected) => {
    const limits = limitsOf(ask);
    expect(limits?.firstByte).toBe(seconds(expected));
    expect(limits?.idle).toBe(seconds(expected));
    expect(limits?.connect).toBe(millis(Math.min(10_000, expected * 1000)));
    expect(limits?.deadline).toBe(seconds(600));
  });
});
