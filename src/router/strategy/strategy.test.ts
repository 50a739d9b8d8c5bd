import { describe, expect, test } from 'bun:test';
import { type DeploymentWords, deploymentOf, outcomeOf, SETTINGS } from '../../../test/support/routing.ts';
import { Story } from '../../../test/support/story.ts';
import { NO_RATES } from '../../core/price.ts';
import type { Deployment, RoutingSettings, RoutingStrategy } from '../../core/snapshot.ts';
import { millis, picoUsd, seconds } from '../../core/units.ts';
import { LoadTable } from '../load.ts';
import { STRATEGIES } from './registry.ts';

const group = (words: Record<string, DeploymentWords>): Deployment[] =>
  Object.entries(words).map(([id, more]) => deploymentOf(id, { ...more, group: 'g' }));

/** The same numbers every run: a linear congruential generator. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Shares of picks by id, rounded to percent. */
function shares(deployments: readonly Deployment[], picks = 10_000): Record<string, number> {
  const story = new Story({ deployments, random: seeded(7) });
  const counts: Record<string, number> = {};
  for (let i = 0; i < picks; i += 1) {
    const id = story.ask('g').lines[0]?.split(' ')[1] ?? '';
    counts[id] = (counts[id] ?? 0) + 100 / picks;
  }
  return counts;
}

describe('simple-shuffle', () => {
  test.each<[string, Record<string, DeploymentWords>, Record<string, number>]>([
    ['weights 3:1', { a: { weight: 3 }, b: { weight: 1 } }, { a: 75, b: 25 }],
    ['no numbers: alike', { a: {}, b: {}, c: {}, d: {} }, { a: 25, b: 25, c: 25, d: 25 }],
    ['rpm when the first has no weight', { a: { rpm: 900, tpm: 1 }, b: { rpm: 100, tpm: 9 } }, { a: 90, b: 10 }],
    ['tpm last', { a: { tpm: 60 }, b: { tpm: 40 } }, { a: 60, b: 40 }],
    ['a missing weight counts zero', { a: { weight: 1 }, b: {}, c: { weight: 1 } }, { a: 50, c: 50 }],
    ['only the first decides which number', { a: {}, b: { weight: 9 } }, { a: 50, b: 50 }],
    ['weights of zero altogether: alike', { a: { weight: 0 }, b: { weight: 0 } }, { a: 50, b: 50 }],
  ])('%s, within 2 %% over 10,000 picks', (_name, words, expected) => {
    const found = shares(group(words));
    expect(Object.keys(found).sort()).toEqual(Object.keys(expected));
    for (const [id, share] of Object.entries(expected)) expect(Math.abs((found[id] ?? 0) - share)).toBeLessThan(2);
  });

  test('it enforces neither rpm nor tpm', () => {
    const story = new Story({ deployments: group({ a: { rpm: 1 } }) });
    expect([story.ask('g'), story.ask('g')].map((each) => each.lines[0])).toEqual(['0 a ok', '0 a ok']);
  });

  test('with pre-call checks a deployment that used up its rpm is passed over until the next minute', () => {
    const story = new Story({
      deployments: group({ a: { rpm: 2, order: 1 }, b: { order: 2 } }),
      settings: { preCallChecks: true },
    });
    const run = () => story.ask('g').lines[0]?.split(' ')[1];
    expect([run(), run(), run()]).toEqual(['a', 'a', 'b']);
    story.wait(60);
    expect(run()).toBe('a');
  });
});

/** Which deployment a strategy picks after a table was filled. */
function picked(
  strategy: RoutingStrategy,
  deployments: readonly Deployment[],
  fill: (load: LoadTable, settings: RoutingSettings) => void = () => {},
  more: Partial<RoutingSettings> & { readonly isStreaming?: boolean; readonly promptTokens?: number } = {},
): readonly string[] {
  const settings = { ...SETTINGS, strategy, ...more };
  const load = new LoadTable();
  fill(load, settings);
  const random = seeded(3);
  const { isStreaming = false, promptTokens = 0 } = more;
  const view = { settings, load, now: seconds(30), random, isStreaming, promptTokens };
  const inLimits = deployments.filter((each) => !STRATEGIES[strategy].isOverLimit(each, view));
  if (inLimits.length === 0) return [];
  return [...new Set(Array.from({ length: 50 }, () => STRATEGIES[strategy].pick(inLimits, view).id))].sort();
}

const [a, b, c] = group({ a: {}, b: {}, c: {} }) as [Deployment, Deployment, Deployment];

function used(load: LoadTable, id: Deployment['id'], requests: number, tokens: number, settings = SETTINGS): void {
  for (let i = 0; i < requests; i += 1) {
    load.begin(id, seconds(10));
    const sample = { elapsed: seconds(1), firstToken: null, completionTokens: 1, totalTokens: tokens / requests };
    load.end(id, { outcome: outcomeOf('ok'), ...sample }, settings, seconds(11));
  }
}

describe('least-busy', () => {
  test('fewest in flight, ties at random', () => {
    const fill = (load: LoadTable) => load.begin(a.id, seconds(1));
    expect(picked('least-busy', [a, b, c], fill)).toEqual(['b', 'c']);
    expect(picked('least-busy', [a, b, c])).toEqual(['a', 'b', 'c']);
  });

  test('an attempt that ended counts no more, however it ended', () => {
    const story = new Story({
      deployments: group({ a: {}, b: {} }),
      settings: { strategy: 'least-busy' },
      script: { a: [{ answer: 'ok', after: 10 }] },
    });
    const slow = story.start('g');
    expect(slow.lines).toEqual(['0 a ok']);
    expect(story.start('g').lines).toEqual(['0 b ok']);
    story.clock.runAll();
    expect(story.load.inFlight(a.id)).toBe(0);
  });
});

describe('latency-based-routing', () => {
  const sample = (
    load: LoadTable,
    id: Deployment['id'],
    elapsed: number,
    settings: RoutingSettings,
    tokens = 1,
    ttft: number | null = null,
  ) => {
    load.begin(id, millis(0));
    const firstToken = ttft === null ? null : seconds(ttft);
    const words = { firstToken, completionTokens: tokens, totalTokens: tokens, elapsed: seconds(elapsed) };
    load.end(id, { outcome: outcomeOf('ok'), ...words }, settings, seconds(1));
  };

  test.each<[string, (load: LoadTable, settings: RoutingSettings) => void, object, string[]]>([
    ['never used is tried first', (load, s) => sample(load, a.id, 1, s), {}, ['b']],
    [
      'the fastest by completion token',
      (load, s) => [sample(load, a.id, 10, s, 100), sample(load, b.id, 2, s, 2)],
      {},
      ['a'],
    ],
    ['no tokens: seconds alone', (load, s) => [sample(load, a.id, 3, s, 0), sample(load, b.id, 2, s, 0)], {}, ['b']],
    [
      'a buffer lets slower ones in',
      (load, s) => [sample(load, a.id, 1, s), sample(load, b.id, 1.4, s)],
      { latencyBuffer: 0.5 },
      ['a', 'b'],
    ],
    [
      'time to the first token for streams',
      (load, s) => [sample(load, a.id, 1, s, 1, 0.9), sample(load, b.id, 9, s, 1, 0.2)],
      { isStreaming: true },
      ['b'],
    ],
    [
      'samples older than the window are forgotten',
      (load, s) => [sample(load, a.id, 9, s), sample(load, b.id, 1, s)],
      { latencyWindow: seconds(5) },
      ['a', 'b'],
    ],
    [
      'only the last samples count',
      (load, s) => [sample(load, a.id, 100, s), sample(load, a.id, 1, s), sample(load, b.id, 2, s)],
      { latencySamples: 1 },
      ['a'],
    ],
  ])('%s', (_name, fill, more, expected) => {
    expect(picked('latency-based-routing', [a, b], fill, more)).toEqual(expected);
  });

  test('a timeout counts as a thousand seconds, other failures as nothing', () => {
    const settings: RoutingSettings = { ...SETTINGS, strategy: 'latency-based-routing' };
    const load = new LoadTable();
    for (const [id, answer] of [
      [a.id, 'timeout'],
      [b.id, 500],
    ] as const) {
      load.begin(id, millis(0));
      const sampled = { elapsed: seconds(1), firstToken: null, completionTokens: null, totalTokens: null };
      load.end(id, { outcome: outcomeOf(answer), ...sampled }, settings, seconds(1));
    }
    const latencies = [a, b].map(({ id }) => load.latency(id, 'reply', settings, seconds(2)));
    expect(latencies).toEqual([1000, 0]);
  });

  test('a deployment over its rpm is out', () => {
    const [limited] = group({ a: { rpm: 2 } }) as [Deployment];
    expect(picked('latency-based-routing', [limited], (load, s) => used(load, limited.id, 1, 5, s))).toEqual(['a']);
    expect(picked('latency-based-routing', [limited], (load, s) => used(load, limited.id, 2, 5, s))).toEqual([]);
  });
});

describe.each(['usage-based-routing', 'usage-based-routing-v2'] as const)('%s', (strategy) => {
  test('fewest tokens this minute', () => {
    const fill = (load: LoadTable) => [used(load, a.id, 1, 100), used(load, b.id, 5, 50)];
    expect(picked(strategy, [a, b], fill)).toEqual(['b']);
    expect(picked(strategy, [a, b, c], fill)).toEqual(['c']);
  });

  test.each<[string, DeploymentWords, number, number, number, boolean]>([
    ['tokens and prompt within tpm', { tpm: 100 }, 1, 90, 10, true],
    ['over it', { tpm: 100 }, 1, 90, 11, false],
    ['requests + 1 below rpm', { rpm: 3 }, 1, 5, 0, true],
    ["requests + 1 at rpm: LiteLLM's arithmetic", { rpm: 3 }, 2, 5, 0, false],
    ['rpm 1 lets one through', { rpm: 1 }, 0, 0, 0, true],
  ])('%s', (_name, words, requests, tokens, promptTokens, isIn) => {
    const [limited] = group({ a: words }) as [Deployment];
    const fill = (load: LoadTable) => used(load, limited.id, requests, tokens);
    expect(picked(strategy, [limited], fill, { promptTokens })).toEqual(isIn ? ['a'] : []);
  });

  test('when all are used up nothing is called', () => {
    const story = new Story({ deployments: group({ a: { rpm: 1 } }), settings: { strategy } });
    expect([story.ask('g').end, story.ask('g').end]).toEqual(['success', 'exhausted']);
  });
});

/** A deployment at these US dollars for a token. */
function costing(input: number, output: number | null): DeploymentWords {
  const rate = (usd: number | null) => (usd === null ? null : picoUsd(usd * 1e12));
  const base = { ...NO_RATES, input: rate(input), output: rate(output) };
  const standard = { base, tiers: [] };
  return { price: { sheets: [{ when: null, standard, flex: null, priority: null, batch: null }] } };
}

describe('cost-based-routing', () => {
  test.each<[string, Record<string, DeploymentWords>, string[]]>([
    ['the lowest sum', { a: costing(3, 1), b: costing(1, 2) }, ['b']],
    ['an unknown price is 5 + 5', { a: {}, b: costing(6, 5) }, ['a']],
    ['half of it may be known', { a: costing(1, null), b: costing(4, 1) }, ['b']],
  ])('%s', (_name, words, expected) => {
    expect(picked('cost-based-routing', group(words))).toEqual(expected);
  });
});

describe('max_parallel_requests', () => {
  test('a full deployment is passed over while another of its level has room, and used when none has', () => {
    const story = new Story({
      deployments: group({ a: { maxParallel: 1, order: 1 }, b: { maxParallel: 1, order: 1 }, c: { order: 2 } }),
      script: { a: [{ answer: 'ok', after: 9 }], b: [{ answer: 'ok', after: 9 }] },
    });
    expect([1, 2, 3].map(() => story.start('g').lines[0])).toEqual(['0 a ok', '0 b ok', '0 a ok']);
  });
});
