import type { PicoUsd } from '../core/units.ts';
import { type KnownModel, knownModel } from '../metering/catalogue.ts';
import { priceOf } from '../metering/decimal.ts';
import { type DerivedKey, meaningOf } from '../metering/price-keys.ts';
import { overriddenPrice, type SomePrice, type SomeRates, type SomeSchedule } from '../metering/schedule.ts';

/** What an entry of `model_list` says that bears on its price. */
export interface PricedEntry {
  readonly provider: string;
  /** Upstream model without the provider's prefix. */
  readonly model: string;
  /** `litellm_params` and what it inherits, checked; beats `info`. */
  readonly params: Readonly<Record<string, unknown>>;
  /** `model_info`, checked. */
  readonly info: Readonly<Record<string, unknown>>;
}

/**
 * What is known of an entry's model, with the prices that the entry itself sets.
 *
 * Looked for under `base_model` first, then under the upstream name (litellm.md §7.1). A model with a star is many
 * models: only what the entry sets is known of it.
 */
export function entryModel(entry: PricedEntry): KnownModel {
  const known = lookedUp(entry);
  return { ...known, price: overriddenPrice(known.price, configured(entry)) };
}

function lookedUp({ provider, model, params, info }: PricedEntry): KnownModel {
  const base = info.base_model ?? params.base_model;
  const names =
    typeof base === 'string'
      ? [...baseNames(provider, base), [provider, model] as const]
      : [[provider, model] as const];
  const found = names.map(([at, name]) => knownModel(at, name));
  return found.find(({ price }) => price !== null) ?? found[0] ?? knownModel(provider, model);
}

/** `azure/gpt-4o` and `azure/eu/gpt-4o` name the provider too; a name without one is of the entry's own, or OpenAI's. */
function baseNames(provider: string, base: string): readonly (readonly [provider: string, model: string])[] {
  const [prefix = '', ...rest] = base.split('/');
  const prefixed = rest.length === 0 ? [] : [[prefix, rest.join('/')] as const, [prefix, rest.at(-1) ?? ''] as const];
  return [...prefixed, [provider, base], ['openai', base]];
}

/** The prices that an entry sets. */
function configured(entry: PricedEntry): SomePrice {
  const said = Object.entries({ ...entry.info, ...entry.params }).flatMap(([key, value]) => {
    const meaning = typeof value === 'number' ? meaningOf(key) : null;
    return meaning === null ? [] : [{ ...meaning, rate: priceOf(value as number) }];
  });
  const standard = scheduleOf(said, 'standard');
  return {
    standard: { ...standard, base: completed({ ...standard.base, ...searchPrice(entry) }) },
    flex: scheduleOf(said, 'flex'),
    priority: scheduleOf(said, 'priority'),
    batch: scheduleOf(said, 'batch'),
  };
}

type SaidPrice = DerivedKey & { readonly rate: PicoUsd };

function scheduleOf(all: readonly SaidPrice[], service: DerivedKey['service']): SomeSchedule {
  const said = all.filter((each) => each.service === service);
  const at = (above: number | null): SomeRates =>
    Object.fromEntries(said.filter((each) => each.above === above).map(({ kind, rate }) => [kind, rate]));
  const lengths = new Set(said.flatMap(({ above }) => above ?? []));
  return { base: at(null), tiers: [...lengths].map((above) => ({ above, rates: at(above) })) };
}

/** Who names nothing but a price for the request charges nothing for tokens. */
function completed(rates: SomeRates): SomeRates {
  const isByRequest = rates.request !== undefined && rates.input === undefined && rates.output === undefined;
  return isByRequest ? { ...rates, input: priceOf(0), output: priceOf(0) } : rates;
}

const SEARCH_SIZES = ['search_context_size_medium', 'search_context_size_high', 'search_context_size_low'] as const;

/** Beyond it a price could not be exact; the other keys are checked for it (`values.ts`). */
const MOST_DOLLARS = 9000;

/** Of the three sizes of a search the usage does not say which it was. */
function searchPrice({ params, info }: PricedEntry): SomeRates {
  const sizes = (params.search_context_cost_per_query ?? info.search_context_cost_per_query) as
    | Readonly<Record<string, unknown>>
    | undefined;
  if (sizes === undefined) return {};
  const found = SEARCH_SIZES.map((size) => sizes[size]).find((value) => typeof value === 'number' && value >= 0);
  return typeof found === 'number' ? { webSearch: priceOf(Math.min(found, MOST_DOLLARS)) } : {};
}
