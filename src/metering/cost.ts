import type { Price, PriceSheet, PriceTime, Rates, Schedule } from '../core/price.ts';
import { type EpochMillis, type NanoUsd, nanoUsd } from '../core/units.ts';
import type { SearchSize, ServiceTier, Usage } from '../core/usage.ts';

const DAY = 86_400_000;
const PICO_PER_NANO = 1000;
/** No model has answered with as many; a count beyond it would not be exact. */
const MOST_TOKENS = Number.MAX_SAFE_INTEGER;

/**
 * What this usage costs, rounded up once to the next nano-USD.
 *
 * Each token is charged once: cached, audio and image tokens are taken out of `input`, reasoning, audio, image and
 * citation tokens out of `output`, and the rest costs the plain price. Parts that exceed their whole (hosts do report
 * 416 cached of 249 tokens) are cut to it.
 *
 * Exact: the sum is made of safe integers while it fits in them, about 9,000 US dollars, and of big integers beyond.
 *
 * @param at when the request came, for prices that change
 * @returns null when a kind was used whose price is not known
 * @see specs/litellm.md §7.3
 */
export function costOf(price: Price, usage: Usage, at: EpochMillis): NanoUsd | null {
  const sheet = sheetAt(price, at);
  const rates = ratesFor(scheduleOf(sheet, usage.serviceTier), usage.input);
  if (!isPriced(rates, usage)) return null;
  // Half a price applies to tokens; a doubled call over a doubled divisor keeps its own.
  const divisor = usage.serviceTier === 'batch' && sheet.batch === null ? 2 : 1;
  let pico = 0;
  const add: Charge = (count, rate) => {
    pico += count * rate;
  };
  chargeTokens(rates, usage, add);
  for (let times = 0; times < divisor; times++) chargeCalls(rates, usage, add);
  // A double up to here is the exact sum, since one that is not would be larger.
  const exact = Number.isSafeInteger(pico) ? BigInt(pico) : exactly(rates, usage, divisor);
  return roundedUp(exact, divisor);
}

/** The sheet that holds at a time. */
export function sheetAt({ sheets }: Price, at: EpochMillis): PriceSheet {
  for (let index = sheets.length - 1; index > 0; index--) {
    const sheet = sheets[index] as PriceSheet;
    if (sheet.when === null || holds(sheet.when, at)) return sheet;
  }
  return sheets[0];
}

function holds(when: PriceTime, at: EpochMillis): boolean {
  if (when.kind === 'from') return at >= when.at;
  const { start, end } = when;
  const time = at % DAY;
  return end < start ? time >= start || time < end : time >= start && time < end;
}

function scheduleOf(sheet: PriceSheet, tier: ServiceTier): Schedule {
  switch (tier) {
    case 'standard':
      return sheet.standard;
    case 'flex':
      return sheet.flex ?? sheet.standard;
    case 'priority':
      return sheet.priority ?? sheet.standard;
    case 'batch':
      return sheet.batch ?? sheet.standard;
  }
}

function ratesFor({ base, tiers }: Schedule, input: number): Rates {
  for (const tier of tiers) if (input > tier.above) return tier.rates;
  return base;
}

function isPriced({ input, output, webSearch }: Rates, usage: Usage): boolean {
  if (input === null && usage.input > 0) return false;
  if (output === null && usage.output > 0) return false;
  return webSearch !== null || usage.webSearches === 0;
}

/** Told how many of something were used, and what one of them costs in pico-USD. */
type Charge = (count: number, rate: number) => void;

/** Every kind of token with its price, none counted twice. */
function chargeTokens(rates: Rates, usage: Usage, charge: Charge): void {
  chargeInput(rates, usage, charge);
  chargeOutput(rates, usage, charge);
}

function chargeInput(rates: Rates, usage: Usage, charge: Charge): void {
  const input = rates.input ?? 0;
  const write = rates.cacheWrite ?? input;
  let left = whole(usage.input);
  const read = Math.min(whole(usage.cacheRead), left);
  left -= read;
  const written = Math.min(whole(usage.cacheWrite), left);
  left -= written;
  const writtenHour = Math.min(whole(usage.cacheWriteHour), written);
  const audio = Math.min(whole(usage.audioInput), left);
  left -= audio;
  const image = Math.min(whole(usage.imageInput), left);
  charge(read, rates.cacheRead ?? input);
  charge(written - writtenHour, write);
  charge(writtenHour, rates.cacheWriteHour ?? write);
  charge(audio, rates.audioInput ?? input);
  charge(image, rates.imageInput ?? input);
  charge(left - image, input);
}

function chargeOutput(rates: Rates, usage: Usage, charge: Charge): void {
  const output = rates.output ?? 0;
  let left = whole(usage.output);
  const reasoning = Math.min(whole(usage.reasoning), left);
  left -= reasoning;
  const audio = Math.min(whole(usage.audioOutput), left);
  left -= audio;
  const image = Math.min(whole(usage.imageOutput), left);
  left -= image;
  const citation = Math.min(whole(usage.citation), left);
  charge(reasoning, rates.reasoning ?? output);
  charge(audio, rates.audioOutput ?? output);
  charge(image, rates.imageOutput ?? output);
  charge(citation, rates.citation ?? output);
  charge(left - citation, output);
}

/** The request itself, and what the provider did for it beside answering. */
function chargeCalls(rates: Rates, usage: Usage, charge: Charge): void {
  charge(1, requestRate(rates, usage.searchSize) ?? 0);
  charge(whole(usage.webSearches), rates.webSearch ?? 0);
}

function requestRate(rates: Rates, size: SearchSize | null): number | null {
  switch (size) {
    case 'high':
      return rates.requestHigh ?? rates.request;
    case 'medium':
      return rates.requestMedium ?? rates.request;
    default:
      return rates.request;
  }
}

/** A count that arithmetic is exact with. */
function whole(count: number): number {
  return Number.isSafeInteger(count) ? Math.max(0, count) : Math.min(Math.max(0, Math.ceil(count)), MOST_TOKENS);
}

/** The sum in big integers. */
function exactly(rates: Rates, usage: Usage, divisor: 1 | 2): bigint {
  let pico = 0n;
  const add: Charge = (count, rate) => {
    pico += BigInt(count) * BigInt(rate);
  };
  chargeTokens(rates, usage, add);
  for (let times = 0; times < divisor; times++) chargeCalls(rates, usage, add);
  return pico;
}

/** Pico-USD, divided, as the next whole nano-USD. */
function roundedUp(pico: bigint, divisor: 1 | 2): NanoUsd {
  const unit = BigInt(PICO_PER_NANO * divisor);
  return nanoUsd((pico + unit - 1n) / unit);
}
