import { describe, expect, test } from 'bun:test';
import { shown } from './shown.ts';

const LONG_AGO = new Date(Date.UTC(2020, 0, 1));

describe('a row as answers show it', () => {
  test('has times as ISO 8601, no sums in nano-dollars and no secrets', () => {
    const row = { spend: 1.5, spend_nano: 1_500_000_000n, created_at: LONG_AGO, password: 'x', litellm_params: {} };
    expect(shown(row)).toEqual({ spend: 1.5, created_at: '2020-01-01T00:00:00.000Z' });
  });

  test('tells when the period that counts now ends, not one that is over', () => {
    const reset = (words: object) => {
      const row = { created_at: LONG_AGO, budget_reset_at: new Date(Date.UTC(2020, 0, 2)), ...words };
      return Date.parse(String(shown(row).budget_reset_at)) - Date.now();
    };
    const day = 86_400_000;
    expect(reset({ budget_duration: '1d' })).toBeWithin(-1000, day + 1);
    expect(reset({ budget_duration: '5s' })).toBeWithin(-1000, 5001);
    // From the day it was made, as the budget itself counts.
    const tenDays = reset({ budget_duration: '10d' }) + Date.now() - LONG_AGO.getTime();
    expect(tenDays % (10 * day)).toBeLessThan(1000);
  });

  test('leaves alone a moment that is to come, and one without a period', () => {
    const later = new Date(Date.now() + 1e9);
    expect(shown({ budget_duration: '1d', budget_reset_at: later }).budget_reset_at).toBe(later.toISOString());
    expect(shown({ budget_duration: null, budget_reset_at: LONG_AGO }).budget_reset_at).toBe(LONG_AGO.toISOString());
    expect(shown({ budget_duration: '1d', budget_reset_at: null }).budget_reset_at).toBeNull();
  });
});
