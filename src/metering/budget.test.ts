import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { budgetOf } from '../../test/support/identity.ts';
import type { Budget, BudgetPeriod } from '../core/budget.ts';
import { type EpochMillis, epochMillis, nanoUsd } from '../core/units.ts';
import { type BudgetAlert, type BudgetLease, type BudgetRule, type BudgetScope, Budgets } from './budget.ts';
import type { Estimate } from './estimate.ts';

const NOON = epochMillis(Date.UTC(2026, 5, 1, 12));
const MIDNIGHT = epochMillis(Date.UTC(2026, 5, 2));
const DAILY: BudgetPeriod = { kind: 'recurring', length: { count: 1, unit: 'd' }, anchor: NOON };

const usd = (value: number) => nanoUsd(BigInt(value));
const bound = (cost: number): Estimate => ({ cost: usd(cost), kind: 'bound' });
const guess = (cost: number): Estimate => ({ cost: usd(cost), kind: 'guess' });

function ruleOf(id: string, budget: Budget, scope: BudgetScope = 'key'): BudgetRule {
  return { scope, id, shown: id, budget };
}

function engine(unknownSpend: 'admit' | 'refuse' = 'admit') {
  const alerts: BudgetAlert[] = [];
  return { budgets: new Budgets({ unknownSpend, onAlert: (alert) => void alerts.push(alert) }), alerts };
}

/** The lease, or a test that fails with the refusal. */
function held(budgets: Budgets, chain: readonly BudgetRule[], estimate: Estimate, now = NOON): BudgetLease {
  const taken = budgets.reserve(chain, estimate, now);
  if (taken.kind !== 'held') throw new Error(`refused: ${JSON.stringify(taken.kind)}`);
  return taken;
}

/** What is spent and reserved, as plain numbers. */
function standing(
  budgets: Budgets,
  rule: BudgetRule,
  now: EpochMillis = NOON,
): readonly [spent: number, reserved: number] {
  const found = budgets.standing(rule, now);
  return [Number(found?.spent ?? 0n), Number(found?.reserved ?? 0n)];
}

test('all accounts can be looked at, each in the period of now', () => {
  const { budgets } = engine();
  const daily = ruleOf('daily', { ...budgetOf(100), period: DAILY });
  held(budgets, [daily, ruleOf('forever', budgetOf(7), 'team')], bound(5)).settle(usd(3), 1, NOON);
  held(budgets, [daily], bound(4));
  const looked = (now: EpochMillis) =>
    [...budgets.standings(now)].map(({ rule, spent, reserved, limit, resets }) => [
      ...[rule.id, Number(spent), Number(reserved), Number(limit), resets],
    ]);
  expect(looked(NOON)).toEqual([
    ['daily', 3, 4, 100, MIDNIGHT],
    ['forever', 3, 0, 7, null],
  ]);
  // Nothing is spent of the new day, and what is held stays held.
  expect(looked(MIDNIGHT)[0]?.slice(0, 3)).toEqual(['daily', 0, 4]);
});

describe('a budget', () => {
  test('holds the estimate until the fact replaces it', () => {
    const { budgets } = engine();
    const rule = ruleOf('k', budgetOf(100));
    const lease = held(budgets, [rule], bound(60));
    expect(standing(budgets, rule)).toEqual([0, 60]);
    expect(budgets.reserve([rule], bound(41), NOON)).toMatchObject({
      kind: 'exceeded',
      rule: { id: 'k' },
      spent: 0n,
      reserved: 60n,
      limit: 100n,
      wanted: 41n,
      resets: null,
    });
    held(budgets, [rule], bound(40)).release();
    lease.settle(usd(10), 1, NOON);
    expect(standing(budgets, rule)).toEqual([10, 0]);
  });

  test('settles once and releases once', () => {
    const { budgets } = engine();
    const rule = ruleOf('k', budgetOf(100));
    const lease = held(budgets, [rule], bound(60));
    for (const cost of [10, 20]) lease.settle(usd(cost), 1, NOON);
    lease.release();
    expect(standing(budgets, rule)).toEqual([10, 0]);
  });

  test('a lease that expired gives back what it held, and a cost that comes late still counts', () => {
    const { budgets } = engine();
    const rule = ruleOf('k', budgetOf(100));
    const lease = held(budgets, [rule], bound(60));
    lease.release();
    expect(standing(budgets, rule)).toEqual([0, 0]);
    lease.settle(usd(55), 1, NOON);
    expect(standing(budgets, rule)).toEqual([55, 0]);
  });

  test('is spent at its limit, whatever the next one costs', () => {
    const { budgets } = engine();
    const rule = ruleOf('k', budgetOf(100));
    held(budgets, [rule], bound(100)).settle(usd(100), 1, NOON);
    for (const estimate of [bound(1), guess(1), guess(0)])
      expect(budgets.reserve([rule], estimate, NOON)).toMatchObject({ kind: 'exceeded', spent: 100n });
  });

  test('a model that costs nothing is nobody’s expense', () => {
    const { budgets } = engine();
    const rule = ruleOf('k', budgetOf(0));
    expect(budgets.reserve([rule], bound(0), NOON).kind).toBe('held');
    expect(budgets.reserve([rule], bound(1), NOON).kind).toBe('exceeded');
  });

  test('every account of the chain holds it, or none does', () => {
    const { budgets } = engine();
    const chain = [
      ruleOf('k', budgetOf(100)),
      ruleOf('t', budgetOf(50), 'team'),
      ruleOf('o', budgetOf(100), 'organization'),
    ];
    expect(budgets.reserve(chain, bound(60), NOON)).toMatchObject({ kind: 'exceeded', rule: { id: 't' } });
    expect(chain.map((rule) => standing(budgets, rule))).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
    held(budgets, chain, bound(50)).settle(usd(30), 1, NOON);
    expect(chain.map((rule) => standing(budgets, rule))).toEqual([
      [30, 0],
      [30, 0],
      [30, 0],
    ]);
  });

  test('without a limit it only counts', () => {
    const { budgets } = engine('refuse');
    const rule = ruleOf('k', budgetOf(null));
    held(budgets, [rule], bound(1_000_000)).settle(usd(999), 1, NOON);
    expect(standing(budgets, rule)).toEqual([999, 0]);
  });

  test('sums are exact beyond what a double holds', () => {
    const { budgets } = engine();
    const rule = ruleOf('k', { ...budgetOf(null), limit: nanoUsd(2n ** 70n) });
    held(budgets, [rule], bound(1)).settle(nanoUsd(2n ** 69n + 1n), 1, NOON);
    expect(budgets.standing(rule, NOON)?.spent).toBe(nanoUsd(2n ** 69n + 1n));
  });

  test('a temporary increase counts until its time, in the running period', () => {
    const { budgets } = engine();
    const increase = { amount: usd(50), until: epochMillis(NOON + 1000) };
    const rule = ruleOf('k', budgetOf(100, { increase }));
    held(budgets, [rule], bound(140)).settle(usd(140), 1, NOON);
    expect(budgets.reserve([rule], bound(11), NOON)).toMatchObject({ limit: 150n });
    held(budgets, [rule], bound(10)).release();
    expect(budgets.reserve([rule], bound(1), epochMillis(NOON + 1000))).toMatchObject({ limit: 100n, spent: 140n });
  });
});

describe('a request whose output nobody bounded', () => {
  test('is admitted to what is left, and then nobody else is until it ends', () => {
    const { budgets } = engine();
    const rule = ruleOf('k', budgetOf(100));
    const first = held(budgets, [rule], guess(70));
    const short = held(budgets, [rule], guess(70));
    expect(standing(budgets, rule)).toEqual([0, 100]);
    for (const estimate of [bound(1), guess(1)]) expect(budgets.reserve([rule], estimate, NOON).kind).toBe('exceeded');
    first.settle(usd(10), 1, NOON);
    // 60 are free now. Another that may overrun has to wait for the one that may already.
    expect(budgets.reserve([rule], guess(70), NOON).kind).toBe('exceeded');
    held(budgets, [rule], guess(60)).release();
    short.settle(usd(5), 2, NOON);
    expect(budgets.reserve([rule], guess(1000), NOON).kind).toBe('held');
  });

  test('a first call on a budget smaller than any answer is served; the second is not (LiteLLM)', () => {
    const { budgets } = engine();
    const rule = ruleOf('k', budgetOf(1));
    held(budgets, [rule], guess(1_000_000)).settle(usd(500), 1, NOON);
    expect(budgets.reserve([rule], guess(1_000_000), NOON)).toMatchObject({ spent: 500n, limit: 1n });
  });
});

describe('periods', () => {
  test('begin by the clock, with nothing spent; what is held stays held', () => {
    const { budgets } = engine();
    const rule = ruleOf('k', budgetOf(100, { period: DAILY }));
    held(budgets, [rule], bound(90)).settle(usd(90), 1, NOON);
    const late = held(budgets, [rule], bound(10), epochMillis(MIDNIGHT - 1));
    expect(budgets.reserve([rule], bound(1), epochMillis(MIDNIGHT - 1))).toMatchObject({ resets: MIDNIGHT });
    expect(standing(budgets, rule, MIDNIGHT)).toEqual([0, 10]);
    late.settle(usd(10), 2, MIDNIGHT);
    expect(standing(budgets, rule, MIDNIGHT)).toEqual([10, 0]);
  });

  test('an edit of the length asks the store anew, and loses nothing meanwhile', () => {
    const { budgets } = engine('refuse');
    const before = ruleOf('k', budgetOf(100));
    budgets.rebase(before, { periodStart: epochMillis(0), spent: usd(40), position: 5 }, NOON);
    held(budgets, [before], bound(10)).settle(usd(7), 6, NOON);
    const afterwards = ruleOf('k', budgetOf(100, { period: DAILY }));
    expect(budgets.reserve([afterwards], bound(1), NOON)).toMatchObject({ kind: 'unknown' });
    const periodStart = epochMillis(Date.UTC(2026, 5, 1));
    budgets.rebase(afterwards, { periodStart, spent: usd(3), position: 5 }, NOON);
    expect(standing(budgets, afterwards)).toEqual([10, 0]);
    budgets.rebase(afterwards, { periodStart, spent: usd(10), position: 6 }, NOON);
    expect(standing(budgets, afterwards)).toEqual([10, 0]);
  });

  test('an edit of the limit alone keeps what was spent', () => {
    const { budgets } = engine();
    held(budgets, [ruleOf('k', budgetOf(100))], bound(90)).settle(usd(90), 1, NOON);
    expect(budgets.reserve([ruleOf('k', budgetOf(95))], bound(6), NOON)).toMatchObject({ spent: 90n, limit: 95n });
    held(budgets, [ruleOf('k', budgetOf(200))], bound(110)).release();
  });
});

describe('alerts', () => {
  const marks = (alerts: readonly BudgetAlert[]) => alerts.map(({ mark }) => mark);

  test('are told once for each mark and period, all that one cost passes', () => {
    const { budgets, alerts } = engine();
    const rule = ruleOf('k', budgetOf(100, { soft: usd(20), thresholds: [50, 80, 100], period: DAILY }));
    const spend = (cost: number, now: EpochMillis) => held(budgets, [rule], bound(cost), now).settle(usd(cost), 1, now);
    spend(19, NOON);
    expect(marks(alerts)).toEqual([]);
    spend(1, NOON);
    spend(1, NOON);
    expect(marks(alerts)).toEqual(['soft']);
    spend(60, NOON);
    expect(marks(alerts)).toEqual(['soft', 50, 80]);
    spend(19, NOON);
    expect(marks(alerts)).toEqual(['soft', 50, 80, 100]);
    spend(85, MIDNIGHT);
    expect(marks(alerts)).toEqual(['soft', 50, 80, 100, 'soft', 50, 80]);
    expect(alerts.at(-1)).toMatchObject({ spent: 85n, periodStart: MIDNIGHT });
  });

  test('tell of what other instances spent, too', () => {
    const { budgets, alerts } = engine();
    const rule = ruleOf('k', budgetOf(100, { thresholds: [80] }));
    budgets.rebase(rule, { periodStart: epochMillis(0), spent: usd(81), position: 0 }, NOON);
    budgets.rebase(rule, { periodStart: epochMillis(0), spent: usd(82), position: 0 }, NOON);
    expect(marks(alerts)).toEqual([80]);
  });

  test('a soft budget never refuses', () => {
    const { budgets } = engine();
    const rule = ruleOf('k', budgetOf(null, { soft: usd(1) }));
    held(budgets, [rule], bound(50)).settle(usd(50), 1, NOON);
    expect(budgets.reserve([rule], bound(50), NOON).kind).toBe('held');
  });
});

describe('what the store knows', () => {
  const FOREVER = epochMillis(0);
  const rule = ruleOf('k', budgetOf(1000));

  test('an account whose spend nobody has said refuses when certainty is wanted (fail_closed_budget_enforcement)', () => {
    const { budgets } = engine('refuse');
    expect(budgets.reserve([rule], bound(1), NOON)).toMatchObject({ kind: 'unknown', rule: { id: 'k' } });
    budgets.rebase(rule, { periodStart: FOREVER, spent: usd(0), position: 0 }, NOON);
    expect(budgets.reserve([rule], bound(1), NOON).kind).toBe('held');
  });

  test('a report neither loses nor doubles what it does not hold yet', () => {
    const { budgets } = engine();
    held(budgets, [rule], bound(10)).settle(usd(10), 1, NOON);
    held(budgets, [rule], bound(20)).settle(usd(20), 2, NOON);
    budgets.rebase(rule, { periodStart: FOREVER, spent: usd(510), position: 1 }, NOON);
    expect(standing(budgets, rule)).toEqual([530, 0]);
    budgets.rebase(rule, { periodStart: FOREVER, spent: usd(500), position: 0 }, NOON); // overtaken on the way
    expect(standing(budgets, rule)).toEqual([530, 0]);
    budgets.rebase(rule, { periodStart: FOREVER, spent: usd(530), position: 2 }, NOON);
    expect(standing(budgets, rule)).toEqual([530, 0]);
  });

  test('a report of a period that is over changes nothing', () => {
    const { budgets } = engine();
    const daily = ruleOf('k', budgetOf(100, { period: DAILY }));
    held(budgets, [daily], bound(10), MIDNIGHT).settle(usd(10), 1, MIDNIGHT);
    budgets.rebase(daily, { periodStart: epochMillis(Date.UTC(2026, 5, 1)), spent: usd(90), position: 1 }, MIDNIGHT);
    expect(standing(budgets, daily, MIDNIGHT)).toEqual([10, 0]);
  });

  test('accounts that nobody wants are forgotten once the store knows all, and come back without old reports', () => {
    const { budgets } = engine('refuse');
    const report = (spent: number, position: number) =>
      budgets.rebase(rule, { periodStart: FOREVER, spent: usd(spent), position }, NOON);
    report(0, 0);
    const lease = held(budgets, [rule], bound(10));
    budgets.prune(() => false);
    lease.settle(usd(10), 1, NOON);
    budgets.prune(() => false);
    expect(standing(budgets, rule)).toEqual([10, 0]);
    report(10, 1);
    budgets.prune(() => false);
    expect(budgets.standing(rule, NOON)).toBeNull();
    report(0, 0); // read before the store knew of the cost, overtaken on the way
    expect(budgets.reserve([rule], bound(1), NOON)).toMatchObject({ kind: 'unknown' });
    report(10, 1);
    expect(standing(budgets, rule)).toEqual([10, 0]);
  });
});

/** One call of a crowd: what it may cost, what it will cost, and how it ends. */
interface Call {
  readonly bound: number;
  readonly share: number;
  readonly end: 'settle' | 'cancel' | 'crash';
  /** How many later calls begin before it ends. */
  readonly length: number;
}

const call: fc.Arbitrary<Call> = fc.record({
  bound: fc.integer({ min: 1, max: 40 }),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
  end: fc.constantFrom('settle', 'settle', 'settle', 'cancel', 'crash'),
  length: fc.nat(60),
});
const crowd = fc.array(call, { minLength: 100, maxLength: 1000, size: 'max' });

interface Played {
  readonly spent: number;
  readonly refused: number;
  readonly largest: number;
}

/**
 * Plays interleaved calls against budgets of a chain, with a naive model beside it, and checks after each step that
 * both agree: who is admitted, what is spent, what is reserved.
 */
function play(calls: readonly Call[], limits: readonly number[], kind: Estimate['kind']): Played {
  const { budgets } = engine();
  const scopes: readonly BudgetScope[] = ['key', 'team', 'organization'];
  const chain = limits.map((limit, index) => ruleOf(`a${index}`, budgetOf(limit), scopes[index] ?? 'tag'));
  const naive = limits.map((limit) => ({ limit, spent: 0, held: new Map<number, number>(), short: -1 }));
  const running: { index: number; endsAt: number; lease: BudgetLease; each: Call }[] = [];
  let refused = 0;
  let largest = 0;
  const finish = ({ index, lease, each }: (typeof running)[number]): void => {
    const cost = Math.floor(each.bound * each.share);
    if (each.end === 'settle') lease.settle(usd(cost), index, NOON);
    else lease.release(); // a crashed one by its expiry
    if (each.end === 'crash') lease.settle(usd(0), index, NOON);
    for (const account of naive) {
      account.held.delete(index);
      if (account.short === index) account.short = -1;
      if (each.end === 'settle') account.spent += cost;
    }
  };
  for (const [index, each] of calls.entries()) {
    for (const ended of running.filter(({ endsAt }) => endsAt <= index)) {
      running.splice(running.indexOf(ended), 1);
      finish(ended);
    }
    const free = naive.map(
      ({ limit, spent, held: sums }) => limit - spent - [...sums.values()].reduce((a, b) => a + b, 0),
    );
    const admits = naive.every(({ short }, at) => {
      const left = free[at] ?? 0;
      return left > 0 && (each.bound <= left || (kind === 'guess' && short < 0));
    });
    const taken = budgets.reserve(chain, { cost: usd(each.bound), kind }, NOON);
    expect(taken.kind).toBe(admits ? 'held' : 'exceeded');
    if (taken.kind === 'held') {
      largest = Math.max(largest, each.bound);
      naive.forEach((account, at) => {
        const left = free[at] ?? 0;
        account.held.set(index, Math.min(each.bound, left));
        if (each.bound > left) account.short = index;
      });
      running.push({ index, endsAt: index + each.length, lease: taken, each });
    } else refused += 1;
  }
  for (const ended of running) finish(ended);
  for (const [at, rule] of chain.entries()) expect(standing(budgets, rule)).toEqual([naive[at]?.spent ?? 0, 0]);
  return { spent: naive[0]?.spent ?? 0, refused, largest };
}

describe('a crowd of a thousand interleaved calls', () => {
  const limits = (max: number) => fc.array(fc.integer({ min: 50, max }), { minLength: 1, maxLength: 3 });

  test('with max_tokens never overspends, refuses nobody without need, and leaves nothing reserved', () => {
    fc.assert(
      fc.property(crowd, limits(2000), (calls, of) => {
        const { spent } = play(calls, of, 'bound');
        expect(spent).toBeLessThanOrEqual(Math.min(...of));
      }),
      { numRuns: 40 },
    );
  });

  test('without it overspends by less than one answer, and leaves nothing reserved', () => {
    fc.assert(
      fc.property(crowd, limits(1000), (calls, of) => {
        const { spent, largest } = play(calls, of, 'guess');
        const over = spent - Math.min(...of);
        expect(over).toBeLessThan(Math.max(1, largest));
      }),
      { numRuns: 40 },
    );
  });

  test('that come at once: a budget worth fifty and a half admits fifty, and one more that nobody bounded', () => {
    const calls = Array.from({ length: 1000 }, (): Call => ({ bound: 10, share: 1, end: 'settle', length: 2000 }));
    expect(play(calls, [505], 'bound')).toMatchObject({ spent: 500, refused: 950 });
    expect(play(calls, [505], 'guess')).toMatchObject({ spent: 510, refused: 949 });
  });
});

/** What instances and their common store do, one thing at a time. */
type Act =
  | { readonly kind: 'spend'; readonly instance: number; readonly cost: number; readonly joins: boolean }
  /** The writer of an instance moves its journal into the store, up to some position. */
  | { readonly kind: 'apply'; readonly instance: number; readonly share: number }
  /** An instance asks the store; the answer is under way. */
  | { readonly kind: 'read'; readonly instance: number }
  /** One of the answers under way arrives. */
  | { readonly kind: 'arrive'; readonly which: number };

const instance = fc.nat(1);
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('spend' as const),
      instance,
      cost: fc.integer({ min: 1, max: 1000 }),
      joins: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('apply' as const),
      instance,
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), instance }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('arrive' as const), which: fc.nat(5) }) },
);

describe('two instances and their store', () => {
  test('each always knows all of its own spend once, and of the other’s as much as its last report said', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 120 }), (acts) => {
        const rule = ruleOf('k', budgetOf(null));
        const sides = [0, 1].map(() => ({
          budgets: engine().budgets,
          journal: [] as { position: number; cost: number }[],
          position: 0,
          applied: 0,
          /** Of the other's spend, as the newest report had it. */
          heard: 0,
          heardAt: -1,
        }));
        const side = (index: number) => sides[index] as (typeof sides)[number]; // 0 or 1
        const upTo = (index: number, position: number) =>
          side(index).journal.reduce((sum, entry) => sum + (entry.position <= position ? entry.cost : 0), 0);
        const underWay: { to: number; spent: number; position: number; others: number }[] = [];
        for (const each of acts) {
          if (each.kind === 'spend') {
            const me = side(each.instance);
            // Positions may be shared by what the store takes in together, but not with what it has taken in.
            if (!each.joins || me.position <= me.applied) me.position += 1;
            me.journal.push({ position: me.position, cost: each.cost });
            held(me.budgets, [rule], bound(1)).settle(usd(each.cost), me.position, NOON);
          } else if (each.kind === 'apply') {
            const me = side(each.instance);
            me.applied += Math.floor((me.position - me.applied) * each.share);
          } else if (each.kind === 'read') {
            const [mine, others] = [each.instance, 1 - each.instance].map((index) => upTo(index, side(index).applied));
            const position = side(each.instance).applied;
            underWay.push({ to: each.instance, spent: (mine ?? 0) + (others ?? 0), position, others: others ?? 0 });
          } else if (underWay.length > 0) {
            const [report] = underWay.splice(each.which % underWay.length, 1);
            if (report === undefined) continue;
            const me = side(report.to);
            me.budgets.rebase(
              rule,
              { periodStart: epochMillis(0), spent: usd(report.spent), position: report.position },
              NOON,
            );
            if (report.position >= me.heardAt) {
              me.heardAt = report.position;
              me.heard = report.others;
            }
          }
          for (const index of [0, 1]) {
            const me = side(index);
            expect(standing(me.budgets, rule)[0]).toBe(upTo(index, me.position) + me.heard);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
