import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { type Limits, NO_LIMITS } from '../core/identity.ts';
import { millis, seconds } from '../core/units.ts';
import {
  LITELLM_WINDOW,
  type LimitRule,
  type LimitScope,
  type RateLease,
  RateLimits,
  type WindowKind,
} from './rate-limit.ts';

function rule(id: string, limits: Partial<Limits>, scope: LimitScope = 'api_key'): LimitRule {
  return { scope, id, shown: id, limits: { ...NO_LIMITS, ...limits } };
}

function sliding(): RateLimits {
  return new RateLimits({ window: 'sliding', length: seconds(60) });
}

/** `yes`, or what was in the way. */
function told(limits: RateLimits, rules: readonly LimitRule[], at: number, tokens = 0): string {
  const taken = limits.take(rules, tokens, seconds(at));
  return taken.kind === 'held'
    ? 'yes'
    : `${taken.rule.id} ${taken.limit} ${taken.used}/${taken.allowed} ${taken.reset / 1000}`;
}

describe('requests per minute', () => {
  test('the window starts with the first request and ends for all of them at once (LiteLLM)', () => {
    const limits = new RateLimits();
    const rules = [rule('k', { rpm: 2 })];
    expect([7, 66, 66, 66.9, 67, 67, 67].map((at) => told(limits, rules, at))).toEqual([
      'yes',
      'yes',
      'k requests 2/2 67',
      'k requests 2/2 67',
      'yes',
      'yes',
      'k requests 2/2 127',
    ]);
  });

  test('a sliding window lets each go by itself', () => {
    const limits = sliding();
    const rules = [rule('k', { rpm: 2 })];
    expect([7, 50, 66, 67, 68, 69, 111].map((at) => told(limits, rules, at))).toEqual([
      'yes',
      'yes',
      'k requests 2/2 68',
      'k requests 2/2 68',
      'yes',
      'k requests 2/2 111',
      'yes',
    ]);
  });

  test('a limit of nothing refuses everything', () => {
    expect(told(new RateLimits(), [rule('k', { rpm: 0 })], 1)).toBe('k requests 0/0 61');
  });

  test('a refused request counts nowhere, and the first rule without room is named', () => {
    const limits = new RateLimits();
    const team = rule('t', { rpm: 5 }, 'team');
    const rules = [team, rule('k', { rpm: 1 })];
    expect([1, 1, 1].map((at) => told(limits, rules, at))).toEqual(['yes', 'k requests 1/1 61', 'k requests 1/1 61']);
    expect(limits.standings([team], seconds(1))).toMatchObject([{ limit: 'requests', allowed: 5, remaining: 4 }]);
  });

  test('the same id in another scope is another counter', () => {
    const limits = new RateLimits();
    const scopes: readonly LimitScope[] = ['api_key', 'user', 'team', 'end_user', 'organization'];
    expect(scopes.map((scope) => told(limits, [rule('x', { rpm: 1 }, scope)], 1))).toEqual(scopes.map(() => 'yes'));
  });
});

describe('tokens per minute', () => {
  test('the estimate counts until the facts replace it', () => {
    const limits = new RateLimits();
    const rules = [rule('k', { tpm: 100 })];
    const lease = limits.take(rules, 80, seconds(1)) as RateLease;
    expect(told(limits, rules, 2, 30)).toBe('k tokens 80/100 61');
    lease.settle(20);
    expect(told(limits, rules, 2, 30)).toBe('yes');
    expect(limits.standings(rules, seconds(2))).toMatchObject([{ limit: 'tokens', allowed: 100, remaining: 50 }]);
  });

  test('facts beyond the estimate count too, and a spent limit refuses those who expect nothing', () => {
    const limits = new RateLimits();
    const rules = [rule('k', { tpm: 100 })];
    (limits.take(rules, 0, seconds(1)) as RateLease).settle(663); // LiteLLM #18730
    expect(told(limits, rules, 2)).toBe('k tokens 663/100 61');
    expect(limits.standings(rules, seconds(2))).toMatchObject([{ remaining: 0 }]);
  });

  test('what is larger than the limit has a window to itself', () => {
    const limits = new RateLimits();
    const rules = [rule('k', { tpm: 100 })];
    const lease = limits.take(rules, 5000, seconds(1)) as RateLease;
    expect(told(limits, rules, 2)).toBe('k tokens 100/100 61');
    lease.settle(40);
    expect(told(limits, rules, 2, 5000)).toBe('k tokens 40/100 61');
    expect(told(limits, rules, 61, 5000)).toBe('yes');
  });

  test('a request that ends in another window than it began in counts in its own', () => {
    const limits = new RateLimits();
    const rules = [rule('k', { tpm: 100 })];
    const lease = limits.take(rules, 60, seconds(1)) as RateLease;
    expect(told(limits, rules, 61, 90)).toBe('yes');
    lease.settle(90);
    expect(limits.standings(rules, seconds(61))).toMatchObject([{ remaining: 10 }]);
  });
});

describe('parallel requests', () => {
  test('a place is free when its request has ended, once', () => {
    const limits = new RateLimits();
    const rules = [rule('k', { parallel: 1 })];
    const first = limits.take(rules, 0, seconds(1)) as RateLease;
    expect(told(limits, rules, 1)).toBe('k max_parallel_requests 1/1 61');
    first.settle(0);
    first.settle(0);
    expect(told(limits, rules, 1)).toBe('yes');
    expect(told(limits, rules, 1)).toBe('k max_parallel_requests 1/1 61');
  });

  test('a long request holds its place beyond the window (LiteLLM forgets it, #16011)', () => {
    const limits = new RateLimits();
    const rules = [rule('k', { parallel: 1 })];
    limits.take(rules, 0, seconds(1));
    expect(told(limits, rules, 1000)).toBe('k max_parallel_requests 1/1 1060');
  });
});

test('a hundred thousand keys that come once leave no more behind than a window holds', () => {
  const limits = new RateLimits();
  let most = 0;
  for (let index = 0; index < 100_000; index += 1) {
    const taken = limits.take([rule(`k${index}`, { rpm: 10 })], 0, millis(index * 10)) as RateLease;
    taken.settle(1);
    most = Math.max(most, limits.size);
  }
  // 6,000 begin in a minute; the search for idle ones needs as long again to come round.
  expect(most).toBeLessThan(20_000);
});

/** What happens to a counter, in order: time passes, a request comes, one of those running ends. */
type Step =
  | { readonly kind: 'take'; readonly tokens: number }
  | { readonly kind: 'end'; readonly which: number; readonly tokens: number }
  | { readonly kind: 'wait'; readonly millis: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('take' as const), tokens: fc.integer({ min: 0, max: 60 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      which: fc.nat(20),
      tokens: fc.integer({ min: 0, max: 90 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), millis: fc.integer({ min: 0, max: 40_000 }) }),
  },
);

interface Event {
  readonly at: number;
  tokens: number;
  isRunning: boolean;
}

/** Everything that ever happened, looked through anew for each question. */
class Naive {
  readonly events: Event[] = [];
  readonly #window: WindowKind;
  readonly #limits: Limits;

  constructor(window: WindowKind, limits: Limits) {
    this.#window = window;
    this.#limits = limits;
  }

  admits(tokens: number, now: number): boolean {
    const { rpm, tpm, parallel } = this.#limits;
    const inside = this.#window === 'fixed' ? this.#ofFixedWindow(now) : this.#ofSlidingWindow(now);
    const sum = inside.reduce((total, each) => total + each.tokens, 0);
    return (
      (rpm === null || inside.length < rpm) &&
      (tpm === null || (sum < tpm && sum + Math.min(tokens, tpm) <= tpm)) &&
      (parallel === null || this.events.filter((each) => each.isRunning).length < parallel)
    );
  }

  take(tokens: number, now: number): Event {
    const event = { at: now, tokens: Math.min(tokens, this.#limits.tpm ?? 0), isRunning: true };
    this.events.push(event);
    return event;
  }

  /** Windows follow from the events themselves: each starts with the first one after the end of the one before. */
  #ofFixedWindow(now: number): Event[] {
    let start = Number.NEGATIVE_INFINITY;
    for (const { at } of this.events) if (at >= start + 60_000) start = at;
    return now >= start + 60_000 ? [] : this.events.filter(({ at }) => at >= start);
  }

  #ofSlidingWindow(now: number): Event[] {
    return this.events.filter(({ at }) => now < Math.floor(at / 1000) * 1000 + 61_000);
  }
}

describe.each<WindowKind>(['fixed', 'sliding'])('a %s window', (window) => {
  const limit = (max: number) => fc.option(fc.integer({ min: 0, max }));
  const limitsOf = fc.record({ rpm: limit(6), tpm: limit(120), parallel: limit(3) });

  test('admits and refuses as one that looks through everything that ever happened', () => {
    fc.assert(
      fc.property(limitsOf, fc.array(step, { maxLength: 80 }), (limits, steps) => {
        const table = new RateLimits({ ...LITELLM_WINDOW, window });
        const naive = new Naive(window, limits);
        const rules = [rule('k', limits)];
        const running: { lease: RateLease; event: Event }[] = [];
        let now = 1_234;
        for (const each of steps) {
          if (each.kind === 'wait') now += each.millis;
          else if (each.kind === 'take') {
            const taken = table.take(rules, each.tokens, millis(now));
            expect(taken.kind === 'held').toBe(naive.admits(each.tokens, now));
            if (taken.kind === 'held') running.push({ lease: taken, event: naive.take(each.tokens, now) });
            else if (taken.limit !== 'max_parallel_requests' && taken.allowed > 0) {
              expect(naive.admits(each.tokens, taken.reset - 1) && limits.parallel === null).toBe(false);
            }
          } else if (running.length > 0) {
            const [ended] = running.splice(each.which % running.length, 1);
            ended?.lease.settle(each.tokens);
            ended?.lease.settle(each.tokens + 1);
            if (ended !== undefined) Object.assign(ended.event, { tokens: each.tokens, isRunning: false });
          }
        }
        for (const { lease } of running) lease.settle(0);
        const later = table.standings(rules, millis(now + 200_000));
        expect(later.every(({ allowed, remaining }) => allowed === remaining)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });
});

test('no sliding minute ever holds more requests than the limit', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9000 }), { minLength: 1, maxLength: 120 }), (pauses) => {
      const table = sliding();
      const admitted: number[] = [];
      let now = 0;
      for (const pause of pauses) {
        now += pause;
        if (table.take([rule('k', { rpm: 5 })], 0, millis(now)).kind === 'held') admitted.push(now);
      }
      for (const start of admitted)
        expect(admitted.filter((at) => at >= start && at < start + 60_000).length).toBeLessThanOrEqual(5);
    }),
  );
});

describe('instances that tell each other every second what they counted', () => {
  /** Everybody says what it has, and hears the sum of what the others have. */
  function exchange(instances: readonly RateLimits[], at: number): void {
    const counted = instances.map((instance) => instance.counted(seconds(at)));
    instances.forEach((instance, index) => {
      const own = counted[index] ?? [];
      const elsewhere = own.map(({ scope, id }) => {
        const others = counted.flatMap((each, other) => (other === index ? [] : each));
        const same = others.filter((each) => each.scope === scope && each.id === id);
        const sum = (kind: 'requests' | 'tokens') => same.reduce((total, each) => total + each[kind], 0);
        return { requests: sum('requests'), tokens: sum('tokens') };
      });
      instance.hear(own, elsewhere);
    });
  }

  test('pass a limit by less than what all of them admit in one second, and then by nothing', () => {
    const second = fc.array(fc.nat(20), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(second, { minLength: 1, maxLength: 50 }), fc.integer({ min: 1, max: 60 }), (story, rpm) => {
        const instances = [new RateLimits(), new RateLimits(), new RateLimits()];
        const rules = [rule('k', { rpm })];
        let total = 0;
        story.forEach((arrivals, at) => {
          const before = total;
          instances.forEach((instance, index) => {
            for (let count = 0; count < (arrivals[index] ?? 0); count++)
              if (told(instance, rules, at) === 'yes') total += 1;
          });
          // Whoever has a counter knows of all that came before this second.
          if (at > 0 && story[0]?.every((count) => count > 0) && before >= rpm) expect(total).toBe(before);
          expect(total).toBeLessThanOrEqual(3 * rpm);
          exchange(instances, at);
        });
      }),
      { numRuns: 300 },
    );
  });

  test('refuse by the sum, say what is left of it, and say only once what has not changed', () => {
    const [one, other] = [new RateLimits(), new RateLimits()];
    const rules = [rule('k', { rpm: 5, tpm: 100, parallel: 2 })];
    for (const [instance, tokens] of [...[1, 2, 3].map(() => [one, 20] as const), [other, 10] as const]) {
      const taken = instance.take(rules, tokens, seconds(1));
      if (taken.kind === 'held') taken.settle(tokens);
    }
    expect(one.counted(seconds(2)).map(({ isNews }) => isNews)).toEqual([true]);
    exchange([one, other], 2);
    expect(one.counted(seconds(3)).map(({ isNews }) => isNews)).toEqual([false]);
    expect(other.standings(rules, seconds(3)).map(({ limit, remaining }) => [limit, remaining])).toEqual([
      ['requests', 1],
      ['tokens', 30],
      ['max_parallel_requests', 2],
    ]);
    expect(told(other, rules, 3, 31)).toBe('k tokens 70/100 61');
    expect(told(other, rules, 3, 30)).toBe('yes');
    expect(told(other, rules, 3)).toBe('k requests 5/5 61');
    // Those of the others leave with their windows: then they are not told of any more.
    other.hear(other.counted(seconds(62)), []);
    expect(told(other, rules, 62)).toBe('yes');
  });

  test('keep in mind what the others counted, however many other keys come, until they count nothing', () => {
    const limits = new RateLimits();
    const rules = [rule('k', { rpm: 5 })];
    const taken = limits.take(rules, 0, seconds(0));
    if (taken.kind === 'held') taken.settle(0);
    limits.hear(limits.counted(seconds(1)), [{ requests: 5, tokens: 0 }]);
    for (let key = 0; key < 1_000; key++) told(limits, [rule(`k-${key}`, { rpm: 5 })], 70);
    expect(told(limits, rules, 70)).toBe('k requests 5/5 130');
    limits.hear(limits.counted(seconds(71)), []);
    expect(told(limits, rules, 71)).toBe('yes');
  });
});
