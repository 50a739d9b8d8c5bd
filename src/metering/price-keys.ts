import type { Price, Rates, Schedule } from '../core/price.ts';
import { dollars, type EpochMillis } from '../core/units.ts';
import { sheetAt } from './cost.ts';

/** Prices by the names of LiteLLM's price map (litellm.md §7.2): what each key is the price of. */
export const PRICE_KEYS = {
  input_cost_per_token: 'input',
  output_cost_per_token: 'output',
  cache_read_input_token_cost: 'cacheRead',
  cache_creation_input_token_cost: 'cacheWrite',
  cache_creation_input_token_cost_above_1hr: 'cacheWriteHour',
  output_cost_per_reasoning_token: 'reasoning',
  citation_cost_per_token: 'citation',
  input_cost_per_audio_token: 'audioInput',
  output_cost_per_audio_token: 'audioOutput',
  input_cost_per_image_token: 'imageInput',
  output_cost_per_image_token: 'imageOutput',
  input_cost_per_request: 'request',
} as const satisfies Readonly<Record<string, keyof Rates>>;

/** Prompt lengths, in thousands of tokens, beyond which some model of LiteLLM's price map costs more. */
const LENGTHS = [128, 200, 256, 272] as const;

/** Of these, those that the priority tier has prices of its own for. */
const PRIORITY_LENGTHS = [200, 272] as const;

/** Keys that a longer prompt may change. */
const BY_LENGTH = [
  'input_cost_per_token',
  'output_cost_per_token',
  'cache_read_input_token_cost',
  'cache_creation_input_token_cost',
  'cache_creation_input_token_cost_above_1hr',
] as const;

/** Keys that a tier of service may change, and what LiteLLM appends to them. */
const BY_SERVICE = ['input_cost_per_token', 'output_cost_per_token', 'cache_read_input_token_cost'] as const;
const SERVICES = { flex: '_flex', priority: '_priority', batch: '_batches' } as const;

/** What a derived key means. */
export interface DerivedKey {
  readonly key: string;
  readonly kind: keyof Rates;
  readonly service: 'standard' | keyof typeof SERVICES;
  /** Tokens, or null for prompts of every length. */
  readonly above: number | null;
}

const byLength: readonly DerivedKey[] = LENGTHS.flatMap((thousands) =>
  BY_LENGTH.map((key) => ({
    key: `${key}_above_${thousands}k_tokens`,
    kind: PRICE_KEYS[key],
    service: 'standard',
    above: thousands * 1000,
  })),
);

const byService: readonly DerivedKey[] = (['flex', 'priority', 'batch'] as const).flatMap((service) =>
  BY_SERVICE.map((key) => ({ key: `${key}${SERVICES[service]}`, kind: PRICE_KEYS[key], service, above: null })),
);

const byBoth: readonly DerivedKey[] = PRIORITY_LENGTHS.flatMap((thousands) =>
  BY_SERVICE.map((key) => ({
    key: `${key}_above_${thousands}k_tokens_priority`,
    kind: PRICE_KEYS[key],
    service: 'priority',
    above: thousands * 1000,
  })),
);

const plain: readonly DerivedKey[] = Object.entries(PRICE_KEYS).map(([key, kind]) => ({
  key,
  kind,
  service: 'standard',
  above: null,
}));

type Length = (typeof LENGTHS)[number];
export type LongPromptKey = `${(typeof BY_LENGTH)[number]}_above_${Length}k_tokens`;
export type ServiceKey =
  `${(typeof BY_SERVICE)[number]}${'_flex' | '_priority' | '_batches' | `_above_${(typeof PRIORITY_LENGTHS)[number]}k_tokens_priority`}`;

// Put together above as their types say.
export const LONG_PROMPT_KEYS = byLength.map(({ key }) => key) as readonly LongPromptKey[];
export const SERVICE_KEYS = [...byService, ...byBoth].map(({ key }) => key) as readonly ServiceKey[];

const ALL: readonly DerivedKey[] = [...plain, ...byLength, ...byService, ...byBoth];
const MEANINGS: ReadonlyMap<string, DerivedKey> = new Map(ALL.map((each) => [each.key, each]));

/** What a key is the price of, when it stands for one number; null for any other key. */
export const meaningOf = (key: string): DerivedKey | null => MEANINGS.get(key) ?? null;

/** A deployment's prices as `/model/info` shows them: LiteLLM's names, US dollars, as they are without a change of time. */
export function shownPrices(price: Price, at: EpochMillis): Readonly<Record<string, number>> {
  const sheet = sheetAt(price, at);
  const shown: Record<string, number> = {};
  for (const { key, kind, service, above } of ALL) {
    const rate = ratesAt(sheet[service], above)?.[kind] ?? null;
    if (rate !== null) shown[key] = dollars(rate);
  }
  return shown;
}

function ratesAt(schedule: Schedule | null, above: number | null): Rates | null {
  if (schedule === null || above === null) return schedule?.base ?? null;
  // "Up to 271,999" of one source is "above 272k" of the other.
  return schedule.tiers.find((tier) => tier.above === above || tier.above === above - 1)?.rates ?? null;
}
