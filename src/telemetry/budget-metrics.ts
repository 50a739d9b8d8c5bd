import { type EpochMillis, type NanoUsd, nanoUsd } from '../core/units.ts';
import type { MetricsRegistry, SetValue } from './metrics.ts';
import { type Labels, NONE, OTHER } from './series.ts';

/** How one budget stands. */
export interface BudgetGauge {
  readonly scope: string;
  /** Names the account within its scope; parts are apart by a colon. */
  readonly id: string;
  readonly spent: NanoUsd;
  readonly reserved: NanoUsd;
  readonly limit: NanoUsd | null;
  readonly resets: EpochMillis | null;
}

/** Who owns a budget, in LiteLLM's labels. */
export interface BudgetOwners {
  /** Of a key by its stable id; null when it is gone. */
  key(id: string): { readonly hash: string; readonly alias: string | null } | null;
  teamAlias(id: string): string | null;
}

/** Scopes for which LiteLLM has gauges, with its word for each. */
const LITELLMS = { key: 'api_key', team: 'team', user: 'user' } as const;
type Scope = keyof typeof LITELLMS;

const HOUR = 3_600_000;
/** Budgets that are shown: so many near their limit, and so many others. The rest is one sum for each scope. */
const MOST_SHOWN = 500;
/** From this share of its limit on a budget is near it. */
const NEAR = 0.8;
/** So old may be what one scrape's gauges are made of: all of them use one look at the accounts. */
const SAME_SCRAPE = 1_000;

/**
 * Gauges of the budgets in use, computed when they are asked for.
 *
 * @param accounts every account in memory
 */
export function observeBudgets(
  registry: MetricsRegistry,
  accounts: () => Iterable<BudgetGauge>,
  owners: BudgetOwners,
  now: () => EpochMillis,
): void {
  let lookedAt = Number.NEGATIVE_INFINITY;
  let budgets: readonly BudgetGauge[] = [];
  const standings = () => {
    if (Math.abs(now() - lookedAt) >= SAME_SCRAPE) {
      lookedAt = now();
      budgets = shown(accounts());
    }
    return budgets;
  };
  const own = (name: string, help: string, gaugeOf: (budget: BudgetGauge) => NanoUsd | null) =>
    registry.scraped(name, help, ['scope', 'id'], (set) => {
      for (const budget of standings()) setDollars(set, { scope: budget.scope, id: budget.id }, gaugeOf(budget));
    });
  own('tollgate_budget_limit_usd', 'What a budget in use allows in its period.', ({ limit }) => limit);
  own('tollgate_budget_spent_usd', 'What was spent of it in this period.', ({ spent }) => spent);
  own('tollgate_budget_reserved_usd', 'What running requests hold of it.', ({ reserved }) => reserved);
  for (const scope of Object.keys(LITELLMS) as Scope[]) observeLikeLitellm(registry, scope, standings, owners, now);
}

/** Those near their limit are always among them, however many there are. */
function shown(accounts: Iterable<BudgetGauge>): readonly BudgetGauge[] {
  const near: BudgetGauge[] = [];
  const ordinary: BudgetGauge[] = [];
  const rest = new Map<string, BudgetGauge>();
  for (const budget of accounts) {
    const list = isNear(budget) && near.length < MOST_SHOWN ? near : ordinary;
    if (list.length < MOST_SHOWN) list.push(budget);
    else rest.set(budget.scope, together(budget, rest.get(budget.scope)));
  }
  return [...near, ...ordinary, ...rest.values()];
}

function isNear({ limit, spent, reserved }: BudgetGauge): boolean {
  return limit !== null && Number(spent + reserved) >= Number(limit) * NEAR;
}

function together(one: BudgetGauge, sum: BudgetGauge | undefined): BudgetGauge {
  return {
    scope: one.scope,
    id: OTHER,
    spent: nanoUsd(one.spent + (sum?.spent ?? 0n)),
    reserved: nanoUsd(one.reserved + (sum?.reserved ?? 0n)),
    limit: nanoUsd((one.limit ?? 0n) + (sum?.limit ?? 0n)),
    resets: null,
  };
}

function observeLikeLitellm(
  registry: MetricsRegistry,
  scope: Scope,
  standings: () => Iterable<BudgetGauge>,
  owners: BudgetOwners,
  now: () => EpochMillis,
): void {
  const word = LITELLMS[scope];
  const each = (name: string, help: string, tell: (set: SetValue, labels: Labels, budget: BudgetGauge) => void) =>
    registry.scraped(name, help, LABELS[scope], (set) => {
      for (const budget of standings()) {
        const labels = budget.scope === scope ? labelsOf(scope, budget.id, owners) : null;
        if (labels !== null) tell(set, labels, budget);
      }
    });
  each(`litellm_remaining_${word}_budget_metric`, 'US dollars that are left.', (set, labels, { limit, spent }) =>
    setDollars(set, labels, limit === null ? null : nanoUsd(limit - spent)),
  );
  each(`litellm_${word}_max_budget_metric`, 'US dollars that may be spent in a period.', (set, labels, { limit }) =>
    setDollars(set, labels, limit),
  );
  each(
    `litellm_${word}_budget_remaining_hours_metric`,
    'Hours until the budget begins anew.',
    (set, labels, { resets }) => {
      if (resets !== null) set(labels, Math.max(0, resets - now()) / HOUR);
    },
  );
}

const LABELS = {
  key: ['hashed_api_key', 'api_key_alias'],
  team: ['team', 'team_alias'],
  user: ['user'],
} as const satisfies Record<Scope, readonly string[]>;

function labelsOf(scope: Scope, id: string, owners: BudgetOwners): Labels | null {
  if (scope === 'user') return { user: id };
  if (scope === 'team') return { team: id, team_alias: owners.teamAlias(id) ?? NONE };
  const key = owners.key(id);
  return key === null ? null : { hashed_api_key: key.hash, api_key_alias: key.alias ?? NONE };
}

/** A gauge is a double whatever we do: to its fifteen digits. */
function setDollars(set: SetValue, labels: Labels, sum: NanoUsd | null): void {
  if (sum !== null) set(labels, Number(sum) / 1e9);
}
