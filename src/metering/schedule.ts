import { NO_RATES, type Price, type PriceSheet, type Rates, type Schedule, type Tier } from '../core/price.ts';
import { picoUsd } from '../core/units.ts';

/** Some of the rates. */
export type SomeRates = Partial<Rates>;

/** Rates of a schedule as far as a source names them; `above` is in tokens. */
export interface SomeSchedule {
  readonly base: SomeRates;
  readonly tiers: readonly { readonly above: number; readonly rates: SomeRates }[];
}

export const NO_SCHEDULE: SomeSchedule = { base: {}, tiers: [] };

/**
 * A schedule with what one source says over what another says, kind by kind and tier by tier.
 *
 * What a tier does not say is as in the tier below it. So a configured price for long prompts changes nothing for short
 * ones, and the known price of cached input in long prompts stays in force beside it.
 */
export function layered(under: Schedule | null, over: SomeSchedule): Schedule {
  const base: Rates = { ...NO_RATES, ...under?.base, ...over.base };
  const lengths = new Set([...(under?.tiers ?? []), ...over.tiers].map(({ above }) => above));
  const tiers: Tier[] = [];
  for (const above of [...lengths].sort((a, b) => a - b)) {
    const lower = tiers.at(-1)?.rates ?? base;
    const known = under === null ? {} : changes(under, above);
    const said = over.tiers.find((tier) => tier.above === above)?.rates ?? {};
    tiers.push({ above, rates: { ...lower, ...withoutSaid(known, over.base), ...said } });
  }
  return { base, tiers: tiers.reverse() };
}

/** What a tier of a schedule has otherwise than the one below it. */
function changes({ base, tiers }: Schedule, above: number): SomeRates {
  const index = tiers.findIndex((each) => each.above === above);
  const tier = tiers[index];
  if (tier === undefined) return {};
  const lower = tiers[index + 1]?.rates ?? base;
  return Object.fromEntries(Object.entries(tier.rates).filter(([kind, rate]) => rate !== lower[kind as keyof Rates]));
}

/** A base price that the source above sets holds for prompts of every length, unless a tier of its own says otherwise. */
function withoutSaid(rates: SomeRates, said: SomeRates): SomeRates {
  return Object.fromEntries(Object.entries(rates).filter(([kind]) => !(kind in said)));
}

/** Kinds that are part of all input, of all output, and of all requests. */
const PARTS = {
  input: ['input', 'cacheRead', 'cacheWrite', 'cacheWriteHour', 'audioInput', 'imageInput'],
  output: ['output', 'reasoning', 'audioOutput', 'imageOutput', 'citation'],
  request: ['request', 'requestMedium', 'requestHigh'],
} as const satisfies Readonly<Record<string, readonly (keyof Rates)[]>>;

/** What a source says of the prices for each tier of service. */
export type SomePrice = Readonly<Record<'standard' | 'flex' | 'priority' | 'batch', SomeSchedule>>;

/**
 * A known price with what the operator says.
 *
 * A price that he sets for all input replaces the known ones of cached, audio and image input too, and likewise for
 * output; else a model that he declares free would charge for its cache. The known prices of other tiers of service go
 * with them.
 *
 * @param known null when only the operator knows
 * @returns null when nobody says anything
 */
export function overriddenPrice(known: Price | null, said: SomePrice): Price | null {
  if (Object.values(said).every(saysNothing)) return known;
  if (known === null) return { sheets: [overriddenSheet(null, said)] };
  const [first, ...rest] = known.sheets;
  return { sheets: [overriddenSheet(first, said), ...rest.map((sheet) => overriddenSheet(sheet, said))] };
}

function overriddenSheet(known: PriceSheet | null, said: SomePrice): PriceSheet {
  const replaced = (['input', 'output', 'request'] as const).filter((side) => said.standard.base[side] !== undefined);
  const kinds = new Set<string>(replaced.flatMap((side) => PARTS[side]));
  const standard = layered(known === null ? null : without(known.standard, kinds), said.standard);
  const tier = (name: 'flex' | 'priority' | 'batch') => {
    const before = replaced.length > 0 ? null : (known?.[name] ?? null);
    return saysNothing(said[name]) ? before : layered(before ?? standard, said[name]);
  };
  return { when: known?.when ?? null, standard, flex: tier('flex'), priority: tier('priority'), batch: tier('batch') };
}

function saysNothing({ base, tiers }: SomeSchedule): boolean {
  return Object.keys(base).length === 0 && tiers.length === 0;
}

function without({ base, tiers }: Schedule, kinds: ReadonlySet<string>): Schedule {
  const cleared = (rates: Rates): Rates =>
    Object.fromEntries(Object.entries(rates).map(([kind, rate]) => [kind, kinds.has(kind) ? null : rate])) as {
      // Every kind is still there.
      [Kind in keyof Rates]: Rates[Kind];
    };
  return { base: cleared(base), tiers: tiers.map(({ above, rates }) => ({ above, rates: cleared(rates) })) };
}

/** A price that never changes and knows no tiers of service. */
export function flatPrice(rates: SomeRates): Price {
  const standard: Schedule = { base: { ...NO_RATES, ...rates }, tiers: [] };
  return { sheets: [{ when: null, standard, flex: null, priority: null, batch: null }] };
}

/** Nothing to pay, which is not the same as nobody knows. */
export const FREE: Price = flatPrice({ input: picoUsd(0), output: picoUsd(0), webSearch: picoUsd(0) });
