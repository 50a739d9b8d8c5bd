import { describe, expect, test } from 'bun:test';
import { NO_LIMITS } from '../../core/identity.ts';
import { nanoUsd } from '../../core/units.ts';
import type { BudgetRow, KeyRow } from '../../store/schema/identity.ts';
import { keyRecord, tagRecord } from './records.ts';

const MADE = new Date('2026-05-03T04:05:06Z');

/** A row with what the records read; the store fills in the rest. */
const rowOf = (words: Partial<KeyRow>): KeyRow =>
  ({
    ...{ token: 'hash', key_id: 'id', key_name: 'sk-...abcd', key_alias: null, user_id: null, team_id: null },
    ...{ organization_id: null, expires: null, blocked: false, models: [], aliases: {}, allowed_routes: [] },
    ...{ metadata: {}, model_max_budget: {}, max_budget_nano: null, budget_duration: null, created_at: MADE },
    ...{ max_parallel_requests: null, tpm_limit: null, rpm_limit: null, budget_id: null },
    ...words,
  }) as KeyRow;

const budgetRow = (words: Partial<BudgetRow>): BudgetRow =>
  ({
    ...{ budget_id: 'b', max_budget_nano: null, soft_budget_nano: null, budget_duration: null, created_at: MADE },
    ...{ max_parallel_requests: null, tpm_limit: null, rpm_limit: null, model_max_budget: {} },
    ...words,
  }) as BudgetRow;

test('a key with nothing of its own may do everything', () => {
  expect(keyRecord(rowOf({}), null)).toMatchObject({
    ...{ owner: { kind: 'nobody' }, expiry: null, isBlocked: false, models: { kind: 'all' } },
    ...{ limits: NO_LIMITS, budget: null, tags: [] },
  });
});

test.each([
  ['a team and a user', { team_id: 't', user_id: 'u' }, { kind: 'team', teamId: 't', userId: 'u' }],
  ['a team alone', { team_id: 't' }, { kind: 'team', teamId: 't', userId: null }],
  ['a user', { user_id: 'u' }, { kind: 'user', userId: 'u' }],
])('a key of %s', (_, words, owner) => {
  expect(keyRecord(rowOf(words), null).owner).toEqual(owner as never);
});

describe('the budget', () => {
  test('of the row goes before that of the row behind budget_id, which fills in the rest', () => {
    const joined = budgetRow({
      max_budget_nano: nanoUsd(5n),
      soft_budget_nano: nanoUsd(3n),
      budget_duration: '30d',
      rpm_limit: 7,
    });
    const { budget, limits } = keyRecord(rowOf({ max_budget_nano: nanoUsd(9n), tpm_limit: 8 }), joined);
    expect(budget).toEqual({
      ...{ limit: nanoUsd(9n), soft: nanoUsd(3n), thresholds: [80, 100], increase: null },
      period: { kind: 'recurring', length: { count: 30, unit: 'd' }, anchor: MADE.getTime() as never },
    });
    expect(limits).toEqual({ rpm: 7, tpm: 8, parallel: null });
  });

  test('with a duration that nobody understands never begins anew', () => {
    const row = rowOf({ max_budget_nano: nanoUsd(1n), budget_duration: 'monthly' });
    expect(keyRecord(row, null).budget?.period).toEqual({ kind: 'forever' });
  });

  test('is raised until temp_budget_expiry', () => {
    const metadata = { temp_budget_increase: 0.5, temp_budget_expiry: '2026-06-01T00:00:00Z' };
    expect(keyRecord(rowOf({ max_budget_nano: nanoUsd(1n), metadata }), null).budget?.increase).toEqual({
      amount: nanoUsd(500_000_000n),
      until: Date.UTC(2026, 5) as never,
    });
  });

  test('of single models is read in both of LiteLLM’s spellings, and what is none is left out', () => {
    const model_max_budget = {
      a: { budget_limit: 0.1, time_period: '1d' },
      b: { max_budget: 2, budget_duration: '7d' },
      c: 'nonsense',
    };
    const { modelBudgets } = keyRecord(rowOf({ model_max_budget }), null);
    expect([...modelBudgets].map(([model, { limit }]) => [model, limit])).toEqual([
      ['a', nanoUsd(100_000_000n)],
      ['b', nanoUsd(2_000_000_000n)],
    ]);
  });
});

test('limits of single models and tags are in the metadata', () => {
  const metadata = { tags: ['a', 7], model_rpm_limit: { m: 3 }, model_tpm_limit: { m: 4, n: 5 } };
  const key = keyRecord(rowOf({ metadata }), null);
  expect(key.tags).toEqual(['a']);
  expect([...key.modelLimits]).toEqual([
    ['m', { rpm: 3, tpm: 4, parallel: null }],
    ['n', { rpm: null, tpm: 5, parallel: null }],
  ]);
});

test('a tag without a budget is only a label', () => {
  const row = { tag_name: 'red', budget_id: 'b', created_at: MADE } as Parameters<typeof tagRecord>[0];
  expect(tagRecord(row, budgetRow({}))).toBeNull();
  expect(tagRecord(row, budgetRow({ max_budget_nano: nanoUsd(1n) }))).toMatchObject({ name: 'red' });
});
