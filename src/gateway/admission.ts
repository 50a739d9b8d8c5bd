import type { Clock } from '../core/clock.ts';
import type { Cost } from '../core/cost.ts';
import type { GatewayError } from '../core/errors.ts';
import type { HeaderPair } from '../core/http.ts';
import type { Directory, Principal } from '../core/identity.ts';
import { customerId } from '../core/ids.ts';
import { type ModelSight, SEES_ALL } from '../core/model-access.ts';
import { NO_PAYER, type Payer } from '../core/payer.ts';
import { type Millis, type NanoUsd, nanoUsd, plus, usd } from '../core/units.ts';
import type { Usage } from '../core/usage.ts';
import { type Allowed, authorize, mayUse, sightOf } from '../metering/authorize.ts';
import type { Asked, BudgetLease, BudgetRule, Budgets } from '../metering/budget.ts';
import { type Estimate, estimate, likelyTokens, type PriceBound } from '../metering/estimate.ts';
import type { ModelCatalog } from '../metering/model-catalog.ts';
import type { LimitRule, RateLease, RateLimits } from '../metering/rate-limit.ts';
import { budgetError, limitError } from './admission-errors.ts';
import { budgetRules, customerBudgets, customerLimits, limitRules, payerOf, tagsOf } from './charges.ts';
import type { Admission, AdmissionRequest, Lease, PathAsked } from './ports.ts';

/** What admission is built of. */
export interface AdmissionParts {
  readonly clock: Clock;
  directory(): Directory;
  catalog(): ModelCatalog;
  /** The dearest that this model, or whatever the request may fall back to, could ask; null when no price is known. */
  priceBound(model: string, request: AdmissionRequest): PriceBound | null;
  readonly limits: RateLimits;
  readonly budgets: Budgets;
  /** Null when it is known what these budgets have spent; else a promise that ends when it is, or cannot be. Never rejects. */
  known(chain: readonly BudgetRule[]): Promise<void> | null;
  /** Asks for what a request needs beyond what this instance holds of budgets that it shares. Never rejects. */
  cover(chain: readonly BudgetRule[], estimate: Estimate): Promise<Asked>;
  /** Position in the journal that the next entry will get. */
  position(): number;
  /** Longer than any request lives: after it a lease that nobody settled gives back what it holds. */
  readonly leaseTime: Millis;
}

/** A price nobody knows holds nothing, and is a guess. */
const NO_ESTIMATE: Estimate = { cost: nanoUsd(0n), kind: 'guess' };

/**
 * Who may, how much, and for how long it is held.
 *
 * authorised ─▶ budgets hold the estimate ─▶ limits count it ─▶ lease ─┬─▶ settled
 *                        ▲  refused: what was held is given back       └─▶ expired ─▶ settled late: the cost counts
 *
 * 0. Whoever is the first to use a budget waits until it is known what is spent of it, and is then looked at anew. So
 *    does a request that this instance does not hold enough for, where it shares the budget with others.
 * 1. No await between the first check and the lease: requests that come together are seen one after the other.
 * 2. A refused request leaves no trace in limits and budgets.
 * 3. Leases expire in the order in which they were made, since all last equally long.
 */
export class VirtualKeyAdmission implements Admission {
  readonly #parts: AdmissionParts;
  readonly #open = new Set<KeyLease>();

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
  }

  forbids(principal: Principal, { path, method }: PathAsked): GatewayError | null {
    const decision = authorize(principal, { path, method, model: null, customer: null }, this.#world());
    return 'message' in decision ? decision : null;
  }

  sight(principal: Principal): ModelSight {
    return sightOf(principal, this.#world());
  }

  admit(request: AdmissionRequest): Lease | GatewayError | Promise<Lease | GatewayError> {
    return this.#admit(request, 'not-yet');
  }

  #admit(request: AdmissionRequest, asked: Asked): Lease | GatewayError | Promise<Lease | GatewayError> {
    const { principal, path, method, model } = request;
    const customer = request.customer === null ? null : customerId(request.customer);
    const decision = authorize(principal, { path, method, model, customer }, this.#world());
    if ('message' in decision) return decision;
    const charged = this.#charged(decision, request);
    return charged === null ? new MasterLease(request) : this.#reserve(decision, charged, request, asked);
  }

  /** Leases not yet settled nor expired: for tests and metrics. */
  get open(): number {
    return this.#open.size;
  }

  /** Gives back what leases hold that are older than any request. Every admission does this too. */
  expire(): void {
    const now = this.#parts.clock.now();
    for (const lease of this.#open) {
      if (lease.expiresAt > now) return;
      this.#open.delete(lease);
      lease.expire();
    }
  }

  /** What a request is charged to; null when nobody counts it. */
  #charged(allowed: Allowed, request: AdmissionRequest): Charged | null {
    if (allowed.kind === 'master') {
      const { customer } = allowed;
      if (customer === null) return null;
      const [chain, rules] = [customerBudgets(customer), customerLimits(customer)];
      return chain.length + rules.length === 0 ? null : { chain, rules };
    }
    const { owners } = allowed;
    const names = this.#names(request.model, allowed.model ?? request.model);
    const chain = budgetRules(owners, names, request.tags, this.#parts.directory());
    return { chain, rules: limitRules(owners, names) };
  }

  #reserve(
    allowed: Allowed,
    { chain, rules }: Charged,
    request: AdmissionRequest,
    asked: Asked,
  ): Lease | GatewayError | Promise<Lease | GatewayError> {
    this.expire();
    const { clock, budgets, limits, known } = this.#parts;
    const model = allowed.model ?? request.model;
    const waiting = chain.length === 0 ? null : known(chain);
    if (waiting !== null) return waiting.then(() => this.#admit(request, asked));
    const wall = clock.wall();
    const sum = chain.length === 0 ? NO_ESTIMATE : this.#estimate(model, request);
    const money = budgets.reserve(chain, sum, wall, asked);
    if (money.kind === 'uncovered')
      return this.#parts.cover(chain, sum).then((answered) => this.#admit(request, answered));
    if (money.kind !== 'held') return budgetError(money);
    const now = clock.now();
    const places = limits.take(rules, rules.length === 0 ? 0 : likelyTokens(request.size()), now);
    if (places.kind === 'refused') {
      money.release();
      return limitError(places, { now, wall });
    }
    const expiresAt = plus(now, this.#parts.leaseTime);
    const lease = new KeyLease(
      { allowed, model, request, rules, chain, estimate: sum.cost, money, places, expiresAt },
      this.#parts,
      this.#open,
    );
    this.#open.add(lease);
    return lease;
  }

  #names(asked: string, meant: string): readonly string[] {
    const catalog = this.#parts.catalog();
    const names = catalog.words(asked).names;
    return asked === meant ? names : [...names, ...catalog.words(meant).names];
  }

  #estimate(model: string, request: AdmissionRequest): Estimate {
    const price = this.#parts.priceBound(model, request);
    return price === null ? NO_ESTIMATE : estimate(request.size(), price);
  }

  #world() {
    const { directory, catalog, clock } = this.#parts;
    return { directory: directory(), catalog: catalog(), now: clock.wall() };
  }
}

/** Everything that a request is compared with. */
interface Charged {
  readonly chain: readonly BudgetRule[];
  readonly rules: readonly LimitRule[];
}

interface Held {
  readonly allowed: Allowed;
  readonly model: string;
  readonly request: Pick<AdmissionRequest, 'model' | 'tags' | 'customer'>;
  readonly estimate: NanoUsd;
  readonly rules: readonly LimitRule[];
  readonly chain: readonly BudgetRule[];
  readonly money: BudgetLease;
  readonly places: RateLease;
  readonly expiresAt: Millis;
}

class KeyLease implements Lease {
  readonly #held: Held;
  readonly #parts: AdmissionParts;
  readonly #open: Set<KeyLease>;

  constructor(held: Held, parts: AdmissionParts, open: Set<KeyLease>) {
    this.#held = held;
    this.#parts = parts;
    this.#open = open;
  }

  get model(): string {
    return this.#held.model;
  }

  get payer(): Payer {
    const { allowed, request, chain } = this.#held;
    if (allowed.kind === 'master') return { ...NO_PAYER, customerId: request.customer };
    return payerOf(allowed.owners, request.customer, chain);
  }

  get tags(): readonly string[] {
    const { allowed, request } = this.#held;
    return allowed.kind === 'master' ? request.tags : tagsOf(allowed.owners, request.tags);
  }

  get estimate(): NanoUsd {
    return this.#held.estimate;
  }

  get expiresAt(): Millis {
    return this.#held.expiresAt;
  }

  mayUse(model: string): boolean {
    return mayUse(this.#held.allowed, model, this.#parts.catalog());
  }

  headers(): readonly HeaderPair[] {
    const { rules, chain, request } = this.#held;
    const { limits, budgets, clock } = this.#parts;
    const headers: HeaderPair[] = [];
    for (const { rule, limit, allowed, remaining } of limits.standings(rules, clock.now())) {
      headers.push([`x-ratelimit-${rule.scope}-limit-${limit}`, String(allowed)]);
      headers.push([`x-ratelimit-${rule.scope}-remaining-${limit}`, String(remaining)]);
      if (rule.scope === 'model_per_key') headers.push([remainingOfModel(limit, request.model), String(remaining)]);
    }
    for (const rule of rules) if (rule.scope === 'api_key') addKeyLimits(headers, rule);
    const rule = chain.find(({ scope }) => scope === 'key');
    if (rule !== undefined) {
      const spent = budgets.standing(rule, clock.wall())?.spent ?? nanoUsd(0n);
      headers.push(['x-litellm-key-spend', usd(spent)]);
      if (rule.budget.limit !== null) headers.push(['x-litellm-key-max-budget', usd(rule.budget.limit)]);
    }
    return headers;
  }

  settle(usage: Usage | null, cost: Cost | null): void {
    const { money, places } = this.#held;
    this.#open.delete(this);
    places.settle(usage === null ? 0 : countedTokens(usage));
    money.settle(paid(cost), this.#parts.position(), this.#parts.clock.wall());
  }

  /** Nobody settled in time: what is held goes back, and a cost that comes yet will count. */
  expire(): void {
    const { money, places } = this.#held;
    places.settle(0);
    money.release();
  }
}

/** Admission of a gateway that knows nobody but the operator. */
export const MASTER_ONLY: Admission = {
  forbids: () => null,
  sight: () => SEES_ALL,
  admit: (request) => new MasterLease(request),
};

/** The operator pays for what the master key does, and nobody counts: but for a customer's own limits. */
class MasterLease implements Lease {
  readonly model: string;
  readonly tags: readonly string[];
  readonly estimate = nanoUsd(0n);
  readonly #customer: string | null;

  constructor({ model, tags, customer }: AdmissionRequest) {
    this.model = model;
    this.tags = tags;
    this.#customer = customer;
  }

  get payer(): Payer {
    return { ...NO_PAYER, customerId: this.#customer };
  }

  mayUse(): boolean {
    return true;
  }

  headers(): readonly HeaderPair[] {
    return [];
  }

  settle(): void {}
}

function addKeyLimits(headers: HeaderPair[], { limits }: LimitRule): void {
  if (limits.rpm !== null) headers.push(['x-litellm-key-rpm-limit', String(limits.rpm)]);
  if (limits.tpm !== null) headers.push(['x-litellm-key-tpm-limit', String(limits.tpm)]);
}

/** LiteLLM's name of the same, by the model that was asked for; what no header's name may hold is a dash, as there. */
const remainingOfModel = (limit: string, model: string): string =>
  `x-litellm-key-remaining-${limit}-${model.replace(/[^\w.!#$%&'*+^`|~-]/g, '-')}`;

/** LiteLLM's count: everything but what came from a cache (litellm.md §5.6). */
function countedTokens({ input, output, cacheRead }: Usage): number {
  return Math.max(0, input - cacheRead) + output;
}

function paid(cost: Cost | null): NanoUsd {
  if (cost === null) return nanoUsd(0n);
  return cost.kind === 'known' ? cost.total : cost.assumed;
}
