import { describe, expect, test } from 'bun:test';
import { type DeploymentWords, deploymentOf, requestOf, snapshotOf } from '../../test/support/routing.ts';
import type { RoutingSettings } from '../core/snapshot.ts';
import type { Dialect } from '../providers/provider.ts';
import { planRoute } from '../router/route.ts';
import { scanObject } from '../wire/json-splice.ts';
import { planCounted, withPermitted } from './plan.ts';

type Asked = { readonly prompts: number; readonly models: readonly string[]; readonly enough: number };

interface Case {
  readonly deployments?: Readonly<Record<string, DeploymentWords>>;
  readonly settings?: Partial<RoutingSettings>;
  readonly dialect?: Dialect;
  readonly body: unknown;
  /** What the counter answers. */
  readonly count?: number | null;
}

const WINDOWS = {
  small: { group: 'g', model: 'gpt-4', maxInputTokens: 100 },
  large: { group: 'g', model: 'claude', maxInputTokens: 1000 },
  huge: { maxInputTokens: 100_000 },
} satisfies Case['deployments'];

const chat = (content: unknown) => ({ model: 'g', messages: [{ role: 'user', content }] });
const LONG = 'word '.repeat(200);
const LONGER = 'word '.repeat(400);

/** Where the request may go, and what was counted for it. */
async function planned({ deployments = WINDOWS, settings, dialect = 'openai-chat', body, count = null }: Case) {
  const asked: Asked[] = [];
  const scanned = scanObject(new TextEncoder().encode(JSON.stringify(body)));
  if (scanned.kind === 'fault') throw new Error(scanned.message);
  const route = await planCounted(
    {
      snapshot: snapshotOf(
        Object.entries(deployments).map(([id, words]) => deploymentOf(id, words)),
        { preCallChecks: true, contextWindowFallbacks: new Map([['g', ['huge']]]), ...settings },
      ),
      request: requestOf({ model: 'g' }),
      call: { dialect, body: scanned, isStreaming: false, wantsUsage: false },
      inferProvider: () => null,
    },
    {
      count(prompts, models, enough) {
        asked.push({ prompts: prompts.length, models, enough });
        return Promise.resolve(count);
      },
    },
  );
  const to = route.kind === 'route' ? route.legs.map((leg) => leg.deployments.map(({ id }) => String(id))) : route.kind;
  return { to, asked };
}

const ALL = [['small', 'large']];

describe('nothing is counted', () => {
  test.each<[string, Case]>([
    ['without pre-call checks', { settings: { preCallChecks: false }, body: chat(LONG), count: 5000 }],
    ['for a prompt with fewer bytes than the smallest window has tokens', { body: chat('Hi') }],
    ['for an image, whatever its size', { body: chat([{ type: 'image_url', image_url: { url: LONG } }]) }],
    ['for many short inputs', { dialect: 'openai-embeddings', body: { model: 'g', input: Array(500).fill('short') } }],
  ])('%s', async (_name, given) => {
    expect(await planned(given)).toEqual({ to: ALL, asked: [] });
  });

  test('where no window is known', async () => {
    const deployments = { small: { group: 'g' }, large: { group: 'g' } };
    expect(await planned({ deployments, body: chat(LONG), count: 5000 })).toEqual({ to: ALL, asked: [] });
  });

  test('for a model that is not there', async () => {
    expect(await planned({ deployments: { other: { maxInputTokens: 1 } }, body: chat(LONG) })).toEqual({
      to: 'unknown-model',
      asked: [],
    });
  });
});

describe('a prompt that might be too long', () => {
  test.each<[string, Case, unknown]>([
    ['stays when it fits', { body: chat(LONG), count: 100 }, ALL],
    ['goes only where it fits', { body: chat(LONG), count: 101 }, [['large']]],
    ['goes to the context chain when it fits nowhere', { body: chat(LONGER), count: 1500 }, [['huge']]],
    ['goes on unchecked when nobody counted in time', { body: chat(LONGER), count: null }, ALL],
  ])('%s', async (_name, given, to) => {
    expect((await planned(given)).to as unknown).toEqual(to);
  });

  test('is refused when it fits nowhere and there is no chain', async () => {
    const settings = { contextWindowFallbacks: null };
    expect((await planned({ settings, body: chat(LONGER), count: 1500 })).to).toBe('context-window');
  });

  test('is counted for the deployments that may be too small, and up to the largest of them', async () => {
    const { asked } = await planned({ body: chat('word '.repeat(100)) });
    expect(asked).toEqual([{ prompts: 1, models: ['gpt-4'], enough: 100 }]);
    const longer = await planned({ body: chat(LONGER) });
    expect(longer.asked).toEqual([{ prompts: 1, models: ['gpt-4', 'claude'], enough: 1000 }]);
  });

  test('is counted as the model behind a name that says nothing', async () => {
    const info = { base_model: 'azure/gpt-4o' };
    const deployments = { small: { group: 'g', model: 'my-name', maxInputTokens: 100, info } };
    expect((await planned({ deployments, body: chat(LONG) })).asked[0]?.models).toEqual(['azure/gpt-4o']);
  });

  test('is counted without the short ones beside it', async () => {
    const body = { model: 'g', input: ['short', LONG, 'short'] };
    expect((await planned({ dialect: 'openai-embeddings', body })).asked[0]?.prompts).toBe(1);
  });
});

describe('a route for a caller who may not use every model', () => {
  const snapshot = snapshotOf(
    ['g', 'cheap', 'dear', 'huge'].map((id) => deploymentOf(id)),
    { fallbacks: new Map([['g', ['dear', 'cheap']]]), contextWindowFallbacks: new Map([['g', ['huge']]]) },
  );

  /** Groups of the route, then those of the context chain of its first leg. */
  function permitted(...models: readonly string[]) {
    const route = withPermitted(planRoute(snapshot, requestOf({ model: 'g' })), {
      mayUse: (model) => models.includes(model),
    });
    if (route.kind !== 'route') return route.kind;
    return [route.legs.map(({ group }) => group), route.legs[0]?.contextChain?.map(({ group }) => group)] as unknown;
  }

  test('keeps the model that was asked for, and of the fallbacks those that he may ask for', () => {
    expect(permitted('dear', 'cheap', 'huge')).toEqual([['g', 'dear', 'cheap'], ['huge']]);
    expect(permitted('cheap')).toEqual([['g', 'cheap'], []]);
    expect(permitted()).toEqual([['g'], []]);
  });

  test('is none when only forbidden fallbacks could serve it', () => {
    const disabled = { missingVariables: [], message: 'out' };
    const broken = snapshotOf([deploymentOf('g', { disabled }), deploymentOf('dear')], {
      fallbacks: new Map([['g', ['dear']]]),
    });
    const route = planRoute(broken, requestOf({ model: 'g' }));
    expect([withPermitted(route, { mayUse: () => true }), withPermitted(route, { mayUse: () => false })]).toMatchObject(
      [{ kind: 'route' }, { kind: 'all-disabled', model: 'g' }],
    );
  });
});
