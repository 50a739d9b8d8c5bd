import type { BillingTerms, Margin, Price } from '../core/price.ts';
import type { Deployment, Snapshot } from '../core/snapshot.ts';
import { millis, type NanoUsd, nanoUsd, type PicoUsd, picoUsd } from '../core/units.ts';
import { knownModel } from '../metering/catalogue.ts';
import { type DearestRates, dearest } from '../metering/dearest.ts';
import type { PriceBound } from '../metering/estimate.ts';
import type { Leg } from '../router/leg.ts';
import { planRoute } from '../router/route.ts';
import type { InferProvider } from '../router/targets.ts';
import type { AdmissionRequest } from './ports.ts';

/** Bounds of plans, which the router makes once for each model of a snapshot. */
const bounds = new WeakMap<readonly Leg[], PriceBound | null>();

/**
 * The dearest that any deployment could ask that may come to answer: of the model's group, and of every chain that leads
 * on from it.
 *
 * @returns null when no price is known of any of them, or when nothing serves the model
 */
export function priceBoundOf(
  snapshot: Snapshot,
  model: string,
  { tags, routing }: Pick<AdmissionRequest, 'tags' | 'routing'>,
  inferProvider: InferProvider,
): PriceBound | null {
  const request = { model, isStreaming: false, promptTokens: null, tags, controls: routing, startedAt: millis(0) };
  const route = planRoute(snapshot, request, inferProvider);
  if (route.kind !== 'route') return null;
  const known = bounds.get(route.legs);
  if (known !== undefined) return known;
  const bound = boundOf(deploymentsOf(route.legs), model, snapshot.billing);
  bounds.set(route.legs, bound);
  return bound;
}

function deploymentsOf(legs: readonly Leg[]): readonly Deployment[] {
  const chains = legs.flatMap(({ contextChain, contentChain }) => [...(contextChain ?? []), ...(contentChain ?? [])]);
  return [...new Set([...legs, ...chains].flatMap(({ deployments }) => deployments))];
}

function boundOf(deployments: readonly Deployment[], model: string, terms: BillingTerms): PriceBound | null {
  const rates = deployments.flatMap((each) => ratesOf(each, model, terms) ?? []);
  if (rates.length === 0) return null;
  return {
    inputPicoUsd: picoUsd(Math.max(...rates.map(({ input }) => input ?? 0))),
    outputPicoUsd: picoUsd(Math.max(...rates.map(({ output }) => output ?? 0))),
    requestNanoUsd: nanoUsd(rates.map(({ fixed }) => fixed).reduce((most, each) => (each > most ? each : most), 0n)),
    maxInputTokens: mostOrNull(deployments.map(({ maxInputTokens }) => maxInputTokens)),
    maxOutputTokens: mostOrNull(deployments.map(({ maxOutputTokens }) => maxOutputTokens)),
  };
}

/** What one deployment asks at most, its margin added. `fixed`: for the request itself, whatever its tokens. */
interface MostAsked {
  readonly input: PicoUsd | null;
  readonly output: PicoUsd | null;
  readonly fixed: NanoUsd;
}

function ratesOf(deployment: Deployment, model: string, terms: BillingTerms): MostAsked | null {
  const price = priceOf(deployment, model) ?? terms.assumed;
  if (price === null) return null;
  const margin = terms.margins.get(deployment.provider) ?? terms.margins.get('global') ?? null;
  return withMargin(dearest(price), margin);
}

/**
 * What a deployment charges for a model that is asked for.
 *
 * Which of a pattern's models that is only the request knows: here, the part of its name that the star stands for.
 */
export function priceOf({ price, isWildcard, provider, model: upstream }: Deployment, asked: string): Price | null {
  if (price !== null || !isWildcard) return price;
  const name = upstream.includes('*') ? asked.slice(asked.indexOf('/') + 1) : upstream;
  return knownModel(provider, name).price;
}

const BILLION = 1_000_000_000n;
const PICO_PER_NANO = 1000n;

/** A discount may make it less; a bound does not look. */
function withMargin({ input, output, request }: DearestRates, margin: Margin | null): MostAsked {
  const share = margin?.share ?? 0n;
  const raised = (rate: bigint): bigint => (rate * (BILLION + share) + BILLION - 1n) / BILLION;
  const token = (rate: PicoUsd | null) => (rate === null ? null : picoUsd(Number(raised(BigInt(rate)))));
  const fixed = raised(BigInt(request)) + BigInt(margin?.fixed ?? 0);
  // One more for the rounding of price and margin.
  return {
    input: token(input),
    output: token(output),
    fixed: nanoUsd((fixed + PICO_PER_NANO - 1n) / PICO_PER_NANO + 1n),
  };
}

/** The largest; null when one of them is not known. */
function mostOrNull(values: readonly (number | null)[]): number | null {
  let most = 0;
  for (const value of values) {
    if (value === null) return null;
    most = Math.max(most, value);
  }
  return most;
}
