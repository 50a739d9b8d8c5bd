import { expect, test } from 'bun:test';
import { parseExposition } from '../../test/support/exposition.ts';
import { epochMillis, nanoUsd } from '../core/units.ts';
import { type BudgetGauge, observeBudgets } from './budget-metrics.ts';
import { MetricsRegistry } from './metrics.ts';

const DOLLAR = 1_000_000_000n;

function gauge(scope: string, id: string, words: { spent?: bigint; limit?: bigint | null } = {}): BudgetGauge {
  const { spent = 0n, limit = 10n } = words;
  return {
    ...{ scope, id, spent: nanoUsd(spent * DOLLAR), reserved: nanoUsd(DOLLAR / 2n) },
    limit: limit === null ? null : nanoUsd(limit * DOLLAR),
    resets: epochMillis(7_200_000),
  };
}

/** A registry with these budgets, at a time that the test moves. */
function observed(budgets: () => readonly BudgetGauge[]) {
  const registry = new MetricsRegistry();
  let now = 0;
  const owners = {
    key: (id: string) => (id === 'gone' ? null : { hash: `hash of ${id}`, alias: null }),
    teamAlias: () => 'the team',
  };
  observeBudgets(registry, budgets, owners, () => epochMillis(now));
  return {
    pass: (time: number) => {
      now += time;
    },
    series: (name: string) =>
      (parseExposition(registry.render()).get(name)?.metrics ?? []).map(
        ({ labels, value }): Record<string, unknown> & { is: number } => ({ ...labels, is: Number(value) }),
      ),
  };
}

test('a budget has its limit, what is spent and what is held, and LiteLLM’s gauges for keys, teams and users', () => {
  const budgets = [gauge('key', 'k', { spent: 4n }), gauge('team', 't'), gauge('user', 'u'), gauge('key', 'gone')];
  const { series } = observed(() => [...budgets, gauge('tag', 'x', { limit: null })]);
  expect(series('tollgate_budget_spent_usd')[0]).toEqual({ scope: 'key', id: 'k', is: 4 });
  expect(series('tollgate_budget_reserved_usd')[0]).toEqual({ scope: 'key', id: 'k', is: 0.5 });
  expect(series('tollgate_budget_limit_usd').map(({ id }) => id)).toEqual(['k', 't', 'u', 'gone']);
  expect(series('litellm_remaining_api_key_budget_metric')).toEqual([
    { hashed_api_key: 'hash of k', api_key_alias: 'None', is: 6 },
  ]);
  expect(series('litellm_team_max_budget_metric')).toEqual([{ team: 't', team_alias: 'the team', is: 10 }]);
  expect(series('litellm_user_budget_remaining_hours_metric')).toEqual([{ user: 'u', is: 2 }]);
});

test('of many budgets those near their limit are shown, and the others as one sum', () => {
  const many = Array.from({ length: 5_000 }, (_, index) => gauge('key', String(index)));
  const near = Array.from({ length: 300 }, (_, index) => gauge('key', `near-${index}`, { spent: 9n }));
  const { series } = observed(() => [...many, ...near]);
  const spent = series('tollgate_budget_spent_usd');
  expect(spent.filter(({ id }) => String(id).startsWith('near-')).length).toBe(300);
  expect(spent.length).toBe(801);
  const limits = series('tollgate_budget_limit_usd');
  expect(limits.find(({ id }) => id === 'other')?.is).toBe(4_500 * 10);
  expect(limits.reduce((sum, { is }) => sum + is, 0)).toBe(5_300 * 10);
});

test('one scrape looks at the accounts once, the next one anew', () => {
  let looks = 0;
  const { series, pass } = observed(() => {
    looks += 1;
    return [gauge('key', 'k')];
  });
  series('tollgate_budget_spent_usd');
  expect(looks).toBe(1);
  pass(1_000);
  series('tollgate_budget_spent_usd');
  expect(looks).toBe(2);
});
