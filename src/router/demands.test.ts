import { describe, expect, test } from 'bun:test';
import { deploymentOf, requestOf, snapshotOf } from '../../test/support/routing.ts';
import { Story } from '../../test/support/story.ts';
import { planRoute } from './route.ts';

describe('B14: pre-call checks', () => {
  const deployments = [
    deploymentOf('small', { group: 'g', order: 1, maxInputTokens: 100 }),
    deploymentOf('large', { group: 'g', order: 2, maxInputTokens: 1000 }),
    deploymentOf('huge', { maxInputTokens: 10_000 }),
    deploymentOf('other', { maxInputTokens: 100 }),
  ];
  const checks = { preCallChecks: true };
  const chain = { ...checks, contextWindowFallbacks: new Map([['g', ['other', 'huge']]]) };
  const run = (settings: object, promptTokens?: number) => {
    const story = new Story({ deployments, settings });
    return story.ask(promptTokens === undefined ? 'g' : { model: 'g', promptTokens });
  };

  test.each<[string, object, number | undefined, string]>([
    ['a prompt that fits changes nothing', checks, 100, '0 small ok'],
    ['one that does not skips the small deployment', checks, 101, '0 large ok'],
    ['an uncounted one changes nothing', checks, undefined, '0 small ok'],
    ['without the checks nobody looks', {}, 5000, '0 small ok'],
    ['too long for all of the group: the context chain, before any call', chain, 5000, '0 huge ok'],
    [
      'context_window_fallbacks: true uses the ordinary chain',
      { ...checks, contextUsesOrdinaryChain: true, fallbacks: new Map([['g', ['huge']]]) },
      5000,
      '0 huge ok',
    ],
  ])('%s', (_name, settings, tokens, line) => {
    expect(run(settings, tokens).lines).toEqual([line]);
  });

  test.each<[string, object, number]>([
    ['no chain', checks, 5000],
    ['an ordinary chain only', { ...checks, fallbacks: new Map([['g', ['huge']]]) }, 5000],
    ['a chain that is too small as well', chain, 50_000],
  ])('%s: refused before any call', (_name, settings, tokens) => {
    const telling = run(settings, tokens);
    expect([telling.lines, telling.end]).toEqual([[], 'context-window']);
  });

  test('the refusal says how large the prompt is and how large it may be', () => {
    const route = planRoute(snapshotOf(deployments, checks), requestOf({ model: 'g', promptTokens: 5000 }));
    expect(route).toEqual({ kind: 'context-window', model: 'g', promptTokens: 5000, largest: 1000 });
  });

  test('a deployment without a known window stays in', () => {
    const unknown = [...deployments, deploymentOf('unknown', { group: 'g', order: 3 })];
    const story = new Story({ deployments: unknown, settings: checks });
    expect(story.ask({ model: 'g', promptTokens: 5000 }).lines).toEqual(['0 unknown ok']);
  });
});

describe('tag routing', () => {
  const deployments = [
    deploymentOf('free', { group: 'g', tags: ['free'] }),
    deploymentOf('paid', { group: 'g', tags: ['paid', 'fast'] }),
    deploymentOf('usual', { group: 'g', tags: ['default'] }),
    deploymentOf('strict', { tags: ['vip'] }),
    deploymentOf('plain'),
  ];
  const ask = (model: string, tags: string[], more: object = {}) => {
    const story = new Story({ deployments, settings: { tagFiltering: true, ...more } });
    const telling = story.ask({ model, tags });
    return telling.lines[0] ?? telling.end;
  };

  test.each<[string, () => string, string]>([
    ['any tag in common', () => ask('g', ['slow', 'fast']), '0 paid ok'],
    ['all of them where all must match', () => ask('g', ['paid', 'fast'], { tagMatch: 'all' }), '0 paid ok'],
    ['else those tagged default', () => ask('g', ['paid', 'slow'], { tagMatch: 'all' }), '0 usual ok'],
    ['no tags: the default ones', () => ask('g', []), '0 usual ok'],
    ['no tags and no default: all', () => ask('plain', []), '0 plain ok'],
    ['none at all: refused', () => ask('strict', ['free']), 'tag-not-allowed'],
    [
      'a fallback that is allowed answers',
      () => ask('strict', ['free'], { fallbacks: new Map([['strict', ['g']]]) }),
      '0 free ok',
    ],
    ['switched off: nobody looks', () => ask('strict', ['free'], { tagFiltering: false }), '0 strict ok'],
  ])('%s', (_name, result, expected) => {
    expect(result()).toBe(expected);
  });
});
