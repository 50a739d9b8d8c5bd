import { describe, expect, test } from 'bun:test';
import {
  budgetOf,
  customerOf,
  directoryOf,
  keyOf,
  memberOf,
  organizationOf,
  type People,
  teamOf,
  userOf,
} from '../../test/support/identity.ts';
import { deploymentOf, snapshotOf } from '../../test/support/routing.ts';
import { VirtualClock } from '../../test/support/virtual-clock.ts';
import type { Cost } from '../core/cost.ts';
import { NO_LIMITS, type Principal, type VirtualKey } from '../core/identity.ts';
import { organizationId, teamId, userId } from '../core/ids.ts';
import { NO_PAYER } from '../core/payer.ts';
import type { OutputBound } from '../core/request-size.ts';
import { nanoUsd, picoUsd, seconds } from '../core/units.ts';
import { NO_USAGE } from '../core/usage.ts';
import { Budgets } from '../metering/budget.ts';
import type { PriceBound } from '../metering/estimate.ts';
import { modelCatalog } from '../metering/model-catalog.ts';
import { RateLimits } from '../metering/rate-limit.ts';
import { NO_CONTROLS } from '../router/route.ts';
import { VirtualKeyAdmission } from './admission.ts';
import type { AdmissionRequest, Lease } from './ports.ts';

/** Nothing for the prompt, one nano-USD for a token of the answer. */
const PRICE: PriceBound = {
  inputPicoUsd: picoUsd(0),
  outputPicoUsd: picoUsd(1000),
  requestNanoUsd: nanoUsd(0n),
  maxInputTokens: null,
  maxOutputTokens: 500,
};
const paid = (nano: number): Cost => ({ kind: 'known', total: nanoUsd(BigInt(nano)) });
const used = (input: number, output: number, cacheRead = 0) => ({ ...NO_USAGE, input, output, cacheRead });

/** Words of a test about one request. */
interface Ask {
  readonly model?: string;
  readonly tags?: readonly string[];
  readonly customer?: string;
  /** Undeclared when null. */
  readonly maxTokens?: number | null;
  readonly textBytes?: number;
}

/** What was answered without waiting. */
function atOnce<T>(answer: T | Promise<T>): T {
  if (answer instanceof Promise) throw new Error('it waits');
  return answer;
}

class Bench {
  readonly clock = new VirtualClock(Date.UTC(2026, 0, 1));
  readonly admission: VirtualKeyAdmission;
  price: PriceBound | null = PRICE;
  position = 1;

  constructor(people: People) {
    const directory = directoryOf(people);
    const catalog = modelCatalog(snapshotOf([deploymentOf('m'), deploymentOf('other')], {}, { nick: 'm' }), () => null);
    this.admission = new VirtualKeyAdmission({
      clock: this.clock,
      directory: () => directory,
      catalog: () => catalog,
      priceBound: () => this.price,
      limits: new RateLimits(),
      budgets: new Budgets({ unknownSpend: 'admit', onAlert() {} }),
      known: () => null,
      cover: () => Promise.resolve('unanswered'),
      position: () => this.position,
      leaseTime: seconds(3600),
    });
  }

  /** @param asks a key, or the operator */
  ask(asks: VirtualKey | 'master', { model = 'm', tags = [], customer, maxTokens = 10, textBytes = 0 }: Ask = {}) {
    const output: OutputBound =
      maxTokens === null ? { kind: 'undeclared', choices: 1 } : { kind: 'declared', tokens: maxTokens, choices: 1 };
    const principal: Principal = asks === 'master' ? { kind: 'master' } : { kind: 'virtual-key', key: asks };
    const request: AdmissionRequest = {
      principal,
      path: '/chat/completions',
      method: 'POST',
      model,
      size: () => ({ textBytes, mediaBytes: 0, pictures: 0, documents: 0, output }),
      tags,
      routing: NO_CONTROLS,
      customer: customer ?? null,
    };
    return atOnce(this.admission.admit(request));
  }

  lease(key: VirtualKey | 'master', ask: Ask = {}): Lease {
    const lease = this.ask(key, ask);
    if ('message' in lease) throw new Error(lease.message);
    return lease;
  }

  /** The message of a refusal. */
  refusal(key: VirtualKey | 'master', ask: Ask = {}): string {
    const refused = this.ask(key, ask);
    return 'message' in refused ? refused.message : 'it was admitted';
  }
}

describe('a limit', () => {
  test('refuses with the words, the wait and the headers of LiteLLM', () => {
    const key = keyOf('1234', { limits: { ...NO_LIMITS, rpm: 1 } });
    const bench = new Bench({ keys: [key] });
    bench.clock.advanceTo(seconds(10));
    bench.lease(key);
    bench.clock.advanceTo(seconds(25.5));
    expect(bench.ask(key)).toMatchObject({
      kind: 'rate-limited',
      message:
        'Rate limit exceeded for api_key: sk-...1234. Limit type: requests. Current limit: 1, Remaining: 0. ' +
        'Limit resets at: 2026-01-01 00:01:10 UTC',
      retryAfter: 44_500,
      headers: [
        ['rate_limit_type', 'requests'],
        ['reset_at', String(Date.UTC(2026, 0, 1, 0, 1, 10) / 1000)],
      ],
    });
    bench.clock.advanceTo(seconds(70));
    bench.lease(key);
  });

  const rpm = { ...NO_LIMITS, rpm: 1 };
  const ofTeam = { owner: { kind: 'team', teamId: teamId('t'), userId: userId('u') } } as const;
  test.each<[string, Partial<VirtualKey>, People]>([
    ['user: u', { owner: { kind: 'user', userId: userId('u') } }, { users: [userOf('u', { limits: rpm })] }],
    ['team: t', ofTeam, { teams: [teamOf('t', { limits: rpm })] }],
    ['team_member: t:u', ofTeam, { teams: [teamOf('t')], members: [memberOf('t', 'u', { limits: rpm })] }],
    ['end_user: c', {}, { customers: [customerOf('c', { limits: rpm })] }],
    ['model_per_key: sk-...1234:m', { modelLimits: new Map([['m', rpm]]) }, {}],
    ['model_per_team: t:m', ofTeam, { teams: [teamOf('t', { modelLimits: new Map([['m', rpm]]) })] }],
    [
      'organization: o',
      { organizationId: organizationId('o') },
      { organizations: [organizationOf('o', { limits: rpm })] },
    ],
    [
      'model_per_organization: o:m',
      { organizationId: organizationId('o') },
      { organizations: [organizationOf('o', { modelLimits: new Map([['m', rpm]]) })] },
    ],
  ])('may be that of %s', (named, key, people) => {
    const bench = new Bench(people);
    bench.lease(keyOf('1234', key), { customer: 'c' });
    expect(bench.refusal(keyOf('1234', key), { customer: 'c' })).toStartWith(`Rate limit exceeded for ${named}. `);
  });

  test('of one model counts under every name of the model, and not for others', () => {
    const key = keyOf('1234', { modelLimits: new Map([['m', rpm]]), aliases: new Map([['mine', 'm']]) });
    const bench = new Bench({});
    bench.lease(key, { model: 'nick' });
    for (const model of ['m', 'nick', 'mine']) expect(bench.refusal(key, { model })).toContain('model_per_key');
    expect(bench.lease(key, { model: 'other' }).model).toBe('other');
    expect(bench.lease(keyOf('5', { aliases: key.aliases }), { model: 'mine' }).model).toBe('m');
  });

  test('of tokens is held by the estimate and kept by the facts; what came from a cache does not count', () => {
    const key = keyOf('1234', { limits: { rpm: null, tpm: 100, parallel: 2 } });
    const bench = new Bench({});
    const lease = bench.lease(key, { maxTokens: 70, textBytes: 80 });
    expect(lease.headers()).toEqual([
      ['x-ratelimit-api_key-limit-tokens', '100'],
      ['x-ratelimit-api_key-remaining-tokens', '10'],
      ['x-ratelimit-api_key-limit-max_parallel_requests', '2'],
      ['x-ratelimit-api_key-remaining-max_parallel_requests', '1'],
      ['x-litellm-key-tpm-limit', '100'],
    ]);
    expect(bench.refusal(key, { maxTokens: 11 })).toContain('Limit type: tokens. Current limit: 100, Remaining: 10.');
    lease.settle(used(60, 5, 40), paid(5));
    expect(lease.headers()).toContainEqual(['x-ratelimit-api_key-remaining-tokens', '75']);
  });
});

describe('a budget', () => {
  test('refuses in the words of LiteLLM, without a wait', () => {
    const key = keyOf('1234', { budget: budgetOf(10) });
    const bench = new Bench({});
    bench.lease(key).settle(used(0, 10), paid(10));
    expect(bench.ask(key)).toMatchObject({
      kind: 'budget-exceeded',
      message: 'Budget has been exceeded! Current cost: 0.00000001, Max budget: 0.00000001.',
      retryAfter: null,
    });
  });

  test('that running requests hold says so, and what to do', () => {
    const key = keyOf('1234', { budget: budgetOf(15) });
    const bench = new Bench({});
    bench.lease(key);
    expect(bench.refusal(key)).toBe(
      'Budget has been exceeded! Current cost: 0, Max budget: 0.000000015. This request may cost up to 0.00000001 ' +
        'and running ones hold 0.00000001: send a smaller max_tokens, or try again when they have ended.',
    );
    bench.lease(key, { maxTokens: 5 });
  });

  const budget = budgetOf(1);
  const ofTeam = { owner: { kind: 'team', teamId: teamId('t'), userId: userId('u') } } as const;
  const ofUser = { owner: { kind: 'user', userId: userId('u') } } as const;
  test.each<[string, Partial<VirtualKey>, People]>([
    ['ExceededBudget: User=u over budget. Spend=0', ofUser, { users: [userOf('u', { budget })] }],
    ['Budget has been exceeded! Team=t Current cost: 0', ofTeam, { teams: [teamOf('t', { budget })] }],
    [
      'Budget has been exceeded! Team member=t:u Current',
      ofTeam,
      { teams: [teamOf('t')], members: [memberOf('t', 'u', { budget })] },
    ],
    ['ExceededBudget: End User=c over budget.', {}, { customers: [customerOf('c', { budget })] }],
    ['Budget has been exceeded! Tag=red Current', {}, { tags: [{ name: 'red', budget }] }],
    ['Budget has been exceeded! Tag=blue Current', { tags: ['blue'] }, { tags: [{ name: 'blue', budget }] }],
    ['Budget has been exceeded! Global=proxy Current', {}, { global: budget }],
    ['LiteLLM Virtual Key exceeded budget for model=m.', { modelBudgets: new Map([['m', budget]]) }, {}],
    [
      'Budget has been exceeded! Organization=o Current',
      { organizationId: organizationId('o') },
      { organizations: [organizationOf('o', { budget })] },
    ],
  ])('may be that of: %s', (named, key, people) => {
    expect(new Bench(people).refusal(keyOf('1234', key), { customer: 'c', tags: ['red'] })).toStartWith(named);
  });

  test("a team's key is not charged to its user", () => {
    const people = { teams: [teamOf('t')], users: [userOf('u', { budget: budgetOf(1) })] };
    new Bench(people).lease(keyOf('1234', ofTeam));
  });

  test('of a key and its spend are told', () => {
    const key = keyOf('1234', { budget: budgetOf(50) });
    const bench = new Bench({});
    bench.lease(key).settle(used(0, 7), paid(7));
    expect(bench.lease(key).headers()).toEqual([
      ['x-litellm-key-spend', '0.000000007'],
      ['x-litellm-key-max-budget', '0.00000005'],
    ]);
  });

  test('of a model without a price admits while anything is left, and is charged what is assumed', () => {
    const key = keyOf('1234', { budget: budgetOf(5) });
    const bench = new Bench({});
    bench.price = null;
    const [one, other] = [bench.lease(key), bench.lease(key)];
    one.settle(used(1, 1), { kind: 'unknown', assumed: nanoUsd(5n) });
    expect(bench.refusal(key)).toContain('Budget has been exceeded!');
    other.settle(used(1, 1), null);
  });
});

describe('a lease', () => {
  const key = keyOf('1234', { budget: budgetOf(15), limits: { ...NO_LIMITS, parallel: 1 } });

  test('refused by a limit holds no money', () => {
    const bench = new Bench({});
    const lease = bench.lease(key, { maxTokens: 5 });
    expect(bench.refusal(key, { maxTokens: 5 })).toContain('max_parallel_requests');
    lease.settle(null, null);
    bench.lease(key, { maxTokens: 15 });
  });

  test('that nobody settles gives everything back in time, and what it cost counts when it comes', () => {
    const bench = new Bench({});
    const lost = bench.lease(key);
    bench.clock.advanceTo(seconds(3599));
    expect(bench.refusal(key, { maxTokens: 6 })).toContain('running ones hold');
    bench.clock.advanceTo(seconds(3600));
    const next = bench.lease(key, { maxTokens: 15 });
    expect(bench.admission.open).toBe(1);
    next.settle(null, null);
    lost.settle(used(0, 10), paid(10));
    lost.settle(used(0, 10), paid(10));
    expect(bench.refusal(key, { maxTokens: 6 })).toContain('Current cost: 0.00000001,');
    bench.lease(key, { maxTokens: 5 });
  });

  test('knows who pays', () => {
    const owner = { kind: 'team', teamId: teamId('t'), userId: userId('u') } as const;
    const bench = new Bench({
      teams: [teamOf('t', { organizationId: organizationId('o') })],
      organizations: [organizationOf('o')],
    });
    expect(bench.lease(keyOf('1234', { owner, alias: 'web' }), { customer: 'c' }).payer).toEqual({
      keyHash: 'hash-1234',
      keyId: '1234',
      keyAlias: 'web',
      keyModel: null,
      userId: 'u',
      teamId: 't',
      organizationId: 'o',
      customerId: 'c',
    });
  });

  test('of the master key holds nothing and forbids nothing', () => {
    const bench = new Bench({ global: budgetOf(0) });
    const size = () => {
      throw new Error('nobody counts');
    };
    const asked = { path: '/chat/completions', method: 'POST', model: 'm', size, tags: [], customer: null };
    const whose = { principal: { kind: 'master' }, routing: NO_CONTROLS } as const;
    const lease = atOnce(bench.admission.admit({ ...whose, ...asked }));
    if ('message' in lease) throw new Error(lease.message);
    expect([lease.model, lease.mayUse('other'), lease.headers(), bench.admission.open]).toEqual(['m', true, [], 0]);
  });
});

test('what a key has left of a model is told by the name of the model too', () => {
  const key = keyOf('1234', { modelLimits: new Map([['m', { rpm: 3, tpm: 100, parallel: null }]]) });
  const left = new Bench({})
    .lease(key, { model: 'm' })
    .headers()
    .filter(([name]) => name.startsWith('x-litellm-key-remaining-'));
  expect(left).toEqual([
    ['x-litellm-key-remaining-requests-m', '2'],
    ['x-litellm-key-remaining-tokens-m', '90'],
  ]);
  const odd = keyOf('1234', { modelLimits: new Map([['a/b ü:c', { rpm: 3, tpm: null, parallel: null }]]) });
  const names = new Bench({}).lease(odd, { model: 'a/b ü:c' }).headers();
  expect(names.map(([name]) => name)).toContain('x-litellm-key-remaining-requests-a-b---c');
});

describe('a customer for whom the operator asks', () => {
  const people = {
    customers: [
      customerOf('counted', { limits: { ...NO_LIMITS, rpm: 2 }, budget: budgetOf(15) }),
      customerOf('closed', { isBlocked: true }),
    ],
    global: budgetOf(0),
  };

  test('has the limits and the budget that he has with a key', () => {
    const bench = new Bench(people);
    const first = bench.lease('master', { customer: 'counted' });
    expect(first.payer).toEqual({ ...NO_PAYER, customerId: 'counted' });
    expect([first.mayUse('other'), first.tags, first.headers()[0]]).toEqual([
      true,
      [],
      ['x-ratelimit-end_user-limit-requests', '2'],
    ]);
    expect(bench.refusal('master', { customer: 'counted' })).toContain('running ones hold');
    first.settle(used(0, 3), paid(3));
    bench.lease('master', { customer: 'counted' });
    const third = bench.refusal('master', { customer: 'counted', maxTokens: 1 });
    expect(third).toStartWith('Rate limit exceeded for end_user: counted.');
  });

  test('is refused when he is blocked', () => {
    expect(new Bench(people).refusal('master', { customer: 'closed' })).toContain('User=closed');
  });

  test('without limits costs the operator nothing', () => {
    const bench = new Bench(people);
    bench.lease('master', { customer: 'unknown' });
    expect(bench.admission.open).toBe(0);
  });
});

test("tags of a team are its keys' as well, each once, in routing, budgets and the ledger", () => {
  const owner = { kind: 'team', teamId: teamId('t'), userId: null } as const;
  const bench = new Bench({
    teams: [teamOf('t', { tags: ['blue', 'red'] })],
    tags: [{ name: 'blue', budget: budgetOf(15) }],
  });
  expect(bench.lease(keyOf('1234', { owner, tags: ['red'] }), { tags: ['asked', 'blue'] }).tags).toEqual([
    'red',
    'blue',
    'asked',
  ]);
  expect(bench.refusal(keyOf('1234', { owner }))).toContain('blue');
});

test('a page is for those who may ask for it', () => {
  const { admission } = new Bench({});
  const asks = (key: Partial<VirtualKey>, path: string) =>
    admission.forbids({ kind: 'virtual-key', key: keyOf('1234', key) }, { path, method: 'GET' })?.kind ?? 'yes';
  expect([asks({}, '/v1/models'), asks({ isBlocked: true }, '/v1/models'), asks({}, '/user/list')]).toEqual([
    'yes',
    'blocked-key',
    'role-denied',
  ]);
});
