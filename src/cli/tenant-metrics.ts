import type { Roster } from '../control/directory/roster.ts';
import type { Clock } from '../core/clock.ts';
import type { VirtualKey } from '../core/identity.ts';
import { modelLimitRules } from '../gateway/charges.ts';
import type { Budgets } from '../metering/budget.ts';
import type { RateLimits } from '../metering/rate-limit.ts';
import { type BudgetGauge, observeBudgets } from '../telemetry/budget-metrics.ts';
import { type LimitGauge, observeModelLimits } from '../telemetry/limit-metrics.ts';
import type { MetricsRegistry } from '../telemetry/metrics.ts';

interface Tenants {
  readonly roster: Roster;
  readonly budgets: Budgets;
  readonly limits: RateLimits;
  readonly clock: Clock;
}

/** Gauges of what callers have left of their budgets and limits. */
export function observeTenants(registry: MetricsRegistry, { roster, budgets, limits, clock }: Tenants): void {
  const index = new KeyIndex(roster);
  const owners = {
    key: (id: string) => index.find(id),
    teamAlias: (id: string) => roster.teams.get(id)?.alias ?? null,
  };
  observeBudgets(registry, () => budgetGauges(budgets, clock), owners, clock.wall);
  observeModelLimits(registry, () => limitGauges(index, limits, clock));
}

function* budgetGauges(budgets: Budgets, clock: Clock): Generator<BudgetGauge> {
  for (const { rule, ...standing } of budgets.standings(clock.wall()))
    yield { ...standing, scope: rule.scope, id: rule.id.replaceAll('\u0000', ':') };
}

function* limitGauges(index: KeyIndex, limits: RateLimits, clock: Clock): Generator<LimitGauge> {
  for (const key of index.limited())
    for (const rule of modelLimitRules(key))
      for (const { limit, remaining } of limits.standings([rule], clock.now()))
        yield { hash: key.hash, alias: key.alias, model: rule.model, limit, remaining };
}

/** Keys whose limits for single models are shown: the first of the roster. */
const MOST_LIMITED = 1_000;

/** Keys by what metrics ask for. The roster has them by their hashes, and is gone through only after it has changed. */
class KeyIndex {
  readonly #roster: Roster;
  #version = -1;
  #byId = new Map<string, VirtualKey>();
  #limited: VirtualKey[] = [];

  constructor(roster: Roster) {
    this.#roster = roster;
  }

  find(id: string): VirtualKey | null {
    this.#refresh();
    return this.#byId.get(id) ?? null;
  }

  /** Those with limits for single models, up to so many. */
  limited(): readonly VirtualKey[] {
    this.#refresh();
    return this.#limited;
  }

  #refresh(): void {
    const { keys, version } = this.#roster;
    if (version === this.#version) return;
    this.#version = version;
    this.#byId = new Map();
    this.#limited = [];
    for (const key of keys.values()) {
      if (key.budget !== null) this.#byId.set(key.id, key);
      if (key.modelLimits.size > 0 && this.#limited.length < MOST_LIMITED) this.#limited.push(key);
    }
  }
}
