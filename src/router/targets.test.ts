import { describe, expect, test } from 'bun:test';
import { deploymentOf, requestOf, snapshotOf } from '../../test/support/routing.ts';
import { Story } from '../../test/support/story.ts';
import { planRoute } from './route.ts';

const disabled = { missingVariables: ['OPENAI_API_KEY'], message: 'unset' };
const snapshot = snapshotOf(
  [
    deploymentOf('exact', { group: 'openai/gpt-4o', model: 'gpt-4o', configuredModel: 'azure/gpt-4o-eu' }),
    deploymentOf('mini', { group: 'openai/gpt-*-mini', model: 'gpt-*-mini', isWildcard: true }),
    deploymentOf('wild', { group: 'openai/*', model: '*', configuredModel: 'openai/*', isWildcard: true }),
    deploymentOf('pair', { group: 'team/*/model/*', model: '*-*', isWildcard: true }),
    deploymentOf('crossed', { group: 'x-*-*', model: 'only-*', isWildcard: true }),
    deploymentOf('starless', { group: 'fixed-*', model: 'gpt-4o', isWildcard: true }),
    deploymentOf('off', { disabled }),
    deploymentOf('off2', { group: 'off', disabled }),
  ],
  {},
  { best: 'openai/gpt-4o', anything: 'openai/o9' },
);
const infer = (model: string): string | null => (model.startsWith('gpt-') ? 'openai' : null);

function first(model: string): string {
  const route = planRoute(snapshot, requestOf(model), infer);
  if (route.kind !== 'route') return route.kind;
  const [deployment] = route.legs[0]?.deployments ?? [];
  return `${deployment?.id} ${deployment?.model}`;
}

describe('what a model name stands for', () => {
  test.each([
    ['an exact group beats every pattern', 'openai/gpt-4o', 'exact gpt-4o'],
    ['the first pattern, most specific, wins', 'openai/gpt-5-mini', 'mini gpt-5-mini'],
    ['a star is filled with what it matched', 'openai/o3', 'wild o3'],
    ['several stars in order', 'team/red/model/blue', 'pair red-blue'],
    ['more captures than stars: the name itself', 'x-1-2', 'crossed x-1-2'],
    ['a model without stars stays', 'fixed-anything', 'starless gpt-4o'],
    ['a bare name with its provider in front', 'gpt-7', 'wild gpt-7'],
    ['no provider, no match', 'llama', 'unknown-model'],
    ['an alias', 'best', 'exact gpt-4o'],
    ['an alias of something that a pattern matches', 'anything', 'wild o9'],
    ['a deployment id', 'exact', 'exact gpt-4o'],
    ['the upstream model of a deployment', 'azure/gpt-4o-eu', 'exact gpt-4o'],
    ['a group that is off', 'off', 'all-disabled'],
  ])('%s: %s → %s', (_name, model, expected) => {
    expect(first(model)).toBe(expected);
  });

  test('behind a lone star the name says whose model it is', () => {
    const star = snapshotOf([deploymentOf('any', { group: '*', model: '*', configuredModel: '*', isWildcard: true })]);
    const provider = (model: string) => (model.startsWith('anthropic/') ? 'anthropic' : null);
    const route = planRoute(star, requestOf('anthropic/claude-x'), provider);
    const [deployment] = route.kind === 'route' ? (route.legs[0]?.deployments ?? []) : [];
    expect([deployment?.provider, deployment?.model]).toEqual(['anthropic', 'claude-x'] as never);
  });

  test('an unknown model names the nearest ones', () => {
    expect(planRoute(snapshot, requestOf('opnai/gpt-4o'))).toEqual({
      kind: 'unknown-model',
      model: 'opnai/gpt-4o',
      nearest: ['openai/gpt-4o'],
    });
  });

  test('a group that is off says which variables to set', () => {
    expect(planRoute(snapshot, requestOf('off'))).toEqual({
      kind: 'all-disabled',
      model: 'off',
      missingVariables: ['OPENAI_API_KEY'],
    });
  });

  test('two models of one wildcard group are two tries, each with its own name', () => {
    const story = new Story({
      deployments: [deploymentOf('wild', { group: 'openai/*', model: '*', isWildcard: true })],
      settings: { fallbacks: new Map([['openai/big', ['openai/small']]]) },
      script: { wild: [500, 'ok'] },
    });
    const telling = story.ask('openai/big');
    expect(telling.decisions.map((each) => [each.model, each.delay as number])).toEqual([
      ['big', 0],
      ['small', 0],
    ]);
  });

  test('a deployment asked for by its id belongs to its whole group when it fails', () => {
    const deployments = [deploymentOf('a', { group: 'g' }), deploymentOf('b', { group: 'g' })];
    const story = new Story({ deployments, script: { a: [401] } });
    expect(story.ask('a').lines).toEqual(['0 a 401']);
    expect(story.ask('g').lines).toEqual(['0 b ok']);
  });

  test('names from clients do not grow the tables without bound', () => {
    for (let i = 0; i < 5000; i += 1) first(`openai/${i}`);
    expect(first('openai/0')).toBe('wild 0');
  });
});
