/** What do limits and budgets cost one request: to authorise, reserve and settle, for a bare key and for the longest chain? */
import type { Budget } from '../../src/core/budget.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { Directory, Principal, VirtualKey } from '../../src/core/identity.ts';
import { organizationId, teamId, userId } from '../../src/core/ids.ts';
import { modelAccess } from '../../src/core/model-access.ts';
import { epochMillis, millis, nanoUsd, picoUsd, seconds } from '../../src/core/units.ts';
import { NO_USAGE } from '../../src/core/usage.ts';
import { requestSize } from '../../src/endpoints/request-size.ts';
import { MASTER_ONLY, VirtualKeyAdmission } from '../../src/gateway/admission.ts';
import type { Admission } from '../../src/gateway/ports.ts';
import { type BudgetRule, Budgets } from '../../src/metering/budget.ts';
import { modelCatalog } from '../../src/metering/model-catalog.ts';
import { periodAt } from '../../src/metering/period.ts';
import { RateLimits, type WindowKind } from '../../src/metering/rate-limit.ts';
import { NO_CONTROLS } from '../../src/router/route.ts';
import { type JsonBody, scanObject } from '../../src/wire/json-splice.ts';
import {
  customerOf,
  directoryOf,
  keyOf,
  memberOf,
  organizationOf,
  teamOf,
  userOf,
} from '../../test/support/identity.ts';
import { deploymentOf, snapshotOf } from '../../test/support/routing.ts';
import { chatBody, SIZES } from '../e2e/bodies.ts';
import { compare, printMachine } from './compare.ts';

const KEYS = 10_000;
const LIMITS = { rpm: 1e12, tpm: 1e15, parallel: 1e9 };
const BUDGET: Budget = {
  limit: nanoUsd(10n ** 18n),
  soft: nanoUsd(10n ** 17n),
  thresholds: [80],
  period: { kind: 'recurring', length: { count: 30, unit: 'd' }, anchor: epochMillis(0) },
  increase: null,
};
const COST = { kind: 'known', total: nanoUsd(1_234_567n) } as const;
const USAGE = { ...NO_USAGE, input: 300, output: 50 };
const PRICE = {
  inputPicoUsd: picoUsd(2_500_000),
  outputPicoUsd: picoUsd(10_000_000),
  requestNanoUsd: nanoUsd(0n),
  maxInputTokens: 128_000,
  maxOutputTokens: 16_384,
};
/** A millisecond passes at each look. */
let ticks = 0;
const clock: Clock = {
  now: () => millis(ticks++),
  wall: () => epochMillis(1_800_000_000_000 + ticks),
  after: () => ({ cancel() {} }),
};
const body = Buffer.from(chatBody('m', SIZES.small));
const scanned = scanObject(body) as JsonBody; // it is an object

const shared = admission('fixed', everybody(), 'shared');
admitAll(shared, chainedKeys(), KEYS, 'plain');

compare(`One request of ${body.length} bytes, ${KEYS} keys in turn:`, [
  contender('the master key (the floor)', MASTER_ONLY, [{ kind: 'master' }]),
  contender('a key without limits', admission('fixed', directoryOf({})), bareKeys()),
  contender('rpm, tpm, parallel and budget on the key', admission('fixed', directoryOf({})), limitedKeys()),
  contender('nine limits and eight budgets', admission('fixed'), chainedKeys()),
  contender('the same, budgets shared with other instances', shared, chainedKeys()),
  contender('the same, sliding windows', admission('sliding'), chainedKeys()),
  contender('the same, with the headers', admission('fixed'), chainedKeys(), 'headers'),
]);
printMachine();

type Mode = 'plain' | 'headers';

function contender(name: string, admission: Admission, principals: readonly Principal[], mode: Mode = 'plain') {
  return { name, run: (times: number) => admitAll(admission, principals, times, mode) };
}

function admitAll(admission: Admission, principals: readonly Principal[], times: number, mode: Mode): number {
  let seen = 0;
  for (let index = 0; index < times; index++) {
    const lease = admission.admit({
      principal: principals[index % principals.length] as Principal, // within its length
      path: '/chat/completions',
      method: 'POST',
      model: 'm',
      size: () => requestSize(body, scanned, 'openai-chat', []),
      tags: ['red', 'blue'],
      routing: NO_CONTROLS,
      customer: 'customer',
    });
    if (lease instanceof Promise || 'message' in lease) throw new Error('it was refused');
    if (mode === 'headers') seen += lease.headers().length;
    lease.settle(USAGE, COST);
    seen += lease.model.length;
  }
  return seen;
}

function admission(
  window: WindowKind,
  directory: Directory = everybody(),
  budgetsAre: 'alone' | 'shared' = 'alone',
): Admission {
  let ungranted = budgetsAre === 'shared' ? KEYS : 0;
  const budgets = new Budgets({ unknownSpend: 'admit', onAlert() {}, isShared: () => budgetsAre === 'shared' });
  const catalog = modelCatalog(snapshotOf([deploymentOf('m')]), () => null);
  return new VirtualKeyAdmission({
    clock,
    directory: () => directory,
    catalog: () => catalog,
    priceBound: () => PRICE,
    limits: new RateLimits({ window, length: seconds(60) }),
    budgets,
    known(chain) {
      if (ungranted > 0) grant(budgets, chain);
      ungranted -= 1;
      return null;
    },
    cover: () => Promise.reject(new Error('what is held does not cover it')),
    position: () => Math.floor(ticks / 1000),
    leaseTime: seconds(3600),
  });
}

/** Gives this instance half of every budget. */
function grant(budgets: Budgets, chain: readonly BudgetRule[]): void {
  for (const rule of chain) {
    const now = clock.wall();
    const claim = budgets.claim(rule, null, false, now);
    if (claim === null) continue;
    const standing = { spent: 0n, others: 0n, isWanted: false, isOtherShort: false, isAlone: true };
    const share = { held: 5n * 10n ** 17n, isWanting: false, isShort: false };
    const { start } = periodAt(rule.budget.period, now);
    budgets.grant(rule, { claim, standing, share, periodStart: start }, { began: now, believed: seconds(1e9) });
  }
}

function keys(words: Partial<VirtualKey>): readonly Principal[] {
  return Array.from({ length: KEYS }, (_, index) => ({ kind: 'virtual-key', key: keyOf(`key-${index}`, words) }));
}

function bareKeys(): readonly Principal[] {
  return keys({ models: modelAccess(['m', 'other']) });
}

function limitedKeys(): readonly Principal[] {
  return keys({ models: modelAccess(['m', 'other']), limits: LIMITS, budget: BUDGET });
}

function chainedKeys(): readonly Principal[] {
  return keys({
    owner: { kind: 'team', teamId: teamId('team'), userId: userId('user') },
    models: modelAccess(['m', 'other']),
    limits: LIMITS,
    modelLimits: new Map([['m', LIMITS]]),
    budget: BUDGET,
    modelBudgets: new Map([['m', BUDGET]]),
  });
}

function everybody() {
  const words = { limits: LIMITS, modelLimits: new Map([['m', LIMITS]]), budget: BUDGET };
  return directoryOf({
    teams: [teamOf('team', { ...words, organizationId: organizationId('organization') })],
    users: [userOf('user', words)],
    members: [memberOf('team', 'user', words)],
    organizations: [organizationOf('organization', words)],
    customers: [customerOf('customer', words)],
    tags: [{ name: 'red', budget: BUDGET }],
    global: BUDGET,
  });
}
