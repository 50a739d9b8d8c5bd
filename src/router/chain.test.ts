import { describe, expect, test } from 'bun:test';
import { deploymentOf, requestOf, snapshotOf } from '../../test/support/routing.ts';
import type { RoutingSettings } from '../core/snapshot.ts';
import { planRoute, type RoutingControls } from './route.ts';

type Entries = readonly (readonly [string, readonly string[]])[];

/** The groups of the plan for `a`, in order. */
function plan(
  fallbacks: Entries,
  more: Partial<RoutingSettings> = {},
  controls: Partial<RoutingControls> = {},
): string {
  const deployments = 'abcdef'.split('').map((id) => deploymentOf(id));
  const snapshot = snapshotOf(deployments, { fallbacks: new Map(fallbacks), ...more }, { alias: 'b' });
  const route = planRoute(snapshot, requestOf({ model: 'a', controls }));
  return route.kind === 'route' ? route.legs.map((leg) => leg.group).join(' ') : route.kind;
}

describe('the fallback chain flattened', () => {
  test.each<[string, Entries, Partial<RoutingSettings>, string]>([
    [
      'depth first',
      [
        ['a', ['b', 'c']],
        ['b', ['d']],
      ],
      {},
      'a b d c',
    ],
    [
      'a circle is walked once',
      [
        ['a', ['b']],
        ['b', ['c', 'a']],
        ['c', ['a', 'b', 'c']],
      ],
      {},
      'a b c',
    ],
    ['an alias and its group are one', [['a', ['alias', 'b', 'c']]], {}, 'a b c'],
    [
      '`*` stands for groups without an entry, in the middle too',
      [
        ['a', ['b']],
        ['*', ['c']],
      ],
      {},
      'a b c',
    ],
    [
      'an entry without targets beats `*`',
      [
        ['a', []],
        ['*', ['c']],
      ],
      {},
      'a',
    ],
    ['defaults come last', [['b', ['c']]], { defaultFallbacks: ['b'] }, 'a b c'],
    ['targets that nothing serves are left out', [['a', ['nobody', 'b']]], {}, 'a b'],
    [
      'the depth limit stops expansion, not siblings',
      [
        ['a', ['b', 'c', 'd']],
        ['d', ['e']],
      ],
      { maxFallbacks: 2 },
      'a b c d',
    ],
    [
      'and siblings count for it',
      [
        ['a', ['b', 'c']],
        ['b', ['e']],
        ['c', ['f']],
      ],
      { maxFallbacks: 2 },
      'a b e c',
    ],
  ])('%s', (_name, fallbacks, more, expected) => {
    expect(plan(fallbacks, more)).toBe(expected);
  });

  test("a client's map takes the place of the configured one and of the defaults", () => {
    const more = { defaultFallbacks: ['d'] };
    expect(plan([['a', ['b']]], more, { fallbacks: new Map([['x', ['c']]]) })).toBe('a');
    expect(plan([['a', ['b']]], more, { fallbacks: new Map([['a', ['c']]]) })).toBe('a c');
  });
});
