import { expect, test } from 'bun:test';
import { deploymentOf, outcomeOf, requestOf, snapshotOf } from '../../test/support/routing.ts';
import { millis, seconds } from '../core/units.ts';
import { explain } from './explain.ts';
import { HealthTable } from './health.ts';
import { LoadTable } from './load.ts';
import { planRoute } from './route.ts';

const disabled = { missingVariables: ['X'], message: 'unset' };
const snapshot = snapshotOf(
  [
    deploymentOf('primary', { group: 'gpt-4', order: 1 }),
    deploymentOf('azure', { group: 'gpt-4', order: 2, weight: 3 }),
    deploymentOf('gone', { group: 'gpt-4', order: 3, disabled }),
    deploymentOf('claude'),
  ],
  {
    fallbacks: new Map([['gpt-4', ['claude']]]),
    contextWindowFallbacks: new Map([['gpt-4', ['claude']]]),
    numRetries: 2,
    totalTimeout: seconds(120),
    backoff: { base: seconds(2), factor: 2, max: seconds(8), jitter: millis(0) },
  },
);

function explained(health: HealthTable): readonly string[] {
  const route = planRoute(snapshot, requestOf('gpt-4'));
  if (route.kind !== 'route') throw new Error(route.kind);
  return explain(route, health, new LoadTable(), seconds(0), () => 0);
}

test('the plan is printed: who is there, who is first and why, what follows, and until when', () => {
  expect(explained(new HealthTable())).toEqual([
    'model gpt-4 → group gpt-4, strategy simple-shuffle',
    'primary group gpt-4:',
    '  primary (openai/model-primary), order 1, available',
    '  azure (openai/model-azure), order 2, weight 3, available',
    '  context-window errors go to claude',
    'fallback group claude:',
    '  claude (openai/model-claude), available',
    'first: primary of gpt-4, the only one available of order 1',
    'then at once: azure of gpt-4',
    'then at once: claude of claude',
    'then after 2 s: primary of gpt-4 again (retry 2)',
    'then after 4 s: azure of gpt-4 again (retry 3)',
    'then give up (exhausted)',
    'deadline: 120 s from now for all attempts together',
  ]);
});

test('a benched deployment is shown as such and passed over', () => {
  const health = new HealthTable();
  health.record(deploymentOf('primary'), 2, outcomeOf({ status: 429, retryAfter: 30 }), snapshot.routing, seconds(0));
  const lines = explained(health);
  expect(lines[2]).toBe('  primary (openai/model-primary), order 1, cooling for 30 s');
  expect(lines[7]).toBe('first: azure of gpt-4, the only one available of order 2');
});

test('explaining changes nothing', () => {
  const health = new HealthTable();
  expect(explained(health)).toEqual(explained(health));
});
