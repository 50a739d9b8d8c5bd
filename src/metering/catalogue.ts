import type { Price, PriceSheet, PriceTime, Schedule } from '../core/price.ts';
import { epochMillis, type PicoUsd, picoUsd, seconds } from '../core/units.ts';
import { priceOf } from './decimal.ts';
import { type Dollars, isFree, longestAnswer, type Supplement, supplement } from './overlay.ts';
import TABLE from './price-table.txt' with { type: 'text' };
import { FREE, layered, NO_SCHEDULE, type SomeRates, type SomeSchedule } from './schedule.ts';

/** Where the table has the models of a provider; `prefix` is what its names there have before ours. */
export interface TableSource {
  readonly id: string;
  readonly prefix?: string;
}

/** LiteLLM's prefixes and the table's own names of the same providers. */
export const SOURCES: Readonly<Record<string, TableSource>> = {
  openai: { id: 'openai' },
  azure: { id: 'azure' },
  azure_ai: { id: 'azure' },
  anthropic: { id: 'anthropic' },
  gemini: { id: 'google' },
  vertex_ai: { id: 'google' },
  bedrock: { id: 'aws' },
  bedrock_converse: { id: 'aws' },
  bedrock_mantle: { id: 'aws' },
  cohere: { id: 'cohere' },
  cohere_chat: { id: 'cohere' },
  groq: { id: 'groq' },
  deepseek: { id: 'deepseek' },
  together_ai: { id: 'together' },
  fireworks_ai: { id: 'fireworks', prefix: 'accounts/fireworks/models/' },
  perplexity: { id: 'perplexity' },
  xai: { id: 'x-ai' },
  mistral: { id: 'mistral' },
  codestral: { id: 'mistral' },
  openrouter: { id: 'openrouter' },
  cerebras: { id: 'cerebras' },
  moonshot: { id: 'moonshotai' },
  zai: { id: 'zai' },
  voyage: { id: 'voyageai' },
  minimax: { id: 'minimax' },
  novita: { id: 'novita' },
  ovhcloud: { id: 'ovhcloud' },
  baseten: { id: 'baseten' },
  cloudflare: { id: 'cloudflare' },
};

/** A name, or parts that it must all have; see `test/prices/price-table.ts`, which writes them. */
type Pattern = string | readonly string[];

interface SheetRow extends Dollars {
  readonly from?: string;
  readonly daily?: readonly [start: string, end: string];
  readonly above?: readonly (readonly [tokens: number, rates: Dollars])[];
}

type ModelRow = readonly [patterns: readonly Pattern[], window: number | null, sheets: SheetRow | readonly SheetRow[]];

interface ProviderRows {
  /** Providers whose models this one serves too, at their prices. */
  readonly elsewhere: readonly string[];
  readonly models: readonly ModelRow[];
}

/** Providers whose part of the table was looked at; the rest stays text, which takes a tenth of the memory. */
const parsed = new Map<string, ProviderRows | null>();

function providerRows(id: string): ProviderRows | null {
  let rows = parsed.get(id);
  if (rows === undefined) {
    rows = parseRows(id);
    parsed.set(id, rows);
  }
  return rows;
}

/** The table is generated in this very form (test/prices/price-table.ts), and a test compares them. */
function parseRows(id: string): ProviderRows | null {
  const start = [`\n@${id}\n`, `\n@${id} `].map((head) => TABLE.indexOf(head)).find((at) => at >= 0);
  if (start === undefined) return null;
  const end = TABLE.indexOf('\n@', start + 1);
  const [head = '', ...lines] = TABLE.slice(start + 2, end < 0 ? TABLE.length - 1 : end).split('\n');
  return { elsewhere: head.split(' ').slice(1), models: JSON.parse(`[${lines.join(',')}]`) as readonly ModelRow[] };
}

/** What is known of a model. */
export interface KnownModel {
  readonly price: Price | null;
  readonly maxInputTokens: number | null;
  readonly maxOutputTokens: number | null;
}

const UNKNOWN_MODEL: KnownModel = { price: null, maxInputTokens: null, maxOutputTokens: null };

const known = new Map<string, KnownModel>();
/** Clients choose the models of wildcards: this many are remembered. */
const MOST_MODELS = 500;
/** No model has a longer name; what a client makes up is not to be remembered. */
const LONGEST_NAME = 200;

/**
 * What is known of a model: price, context window and longest answer.
 *
 * The first look at a model walks over its provider's, some ten microseconds; deployments of one model share its price.
 *
 * @param provider LiteLLM's prefix
 * @param model the upstream name, without the prefix
 * @see the npm package @pydantic/genai-prices, whose table this is, and `overlay.ts`
 */
export function knownModel(provider: string, model: string): KnownModel {
  if (model.length > LONGEST_NAME) return UNKNOWN_MODEL;
  const key = `${provider}/${model}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const found = lookedUp(provider, model.toLowerCase().trim());
  if (known.size >= MOST_MODELS) known.clear();
  known.set(key, found);
  return found;
}

function lookedUp(provider: string, name: string): KnownModel {
  const source = Object.hasOwn(SOURCES, provider) ? SOURCES[provider] : undefined;
  if (source === undefined) return UNKNOWN_MODEL;
  const row = rowOf(source, name);
  const listed = row === null ? null : priceFrom(row, supplement(provider, name));
  return {
    price: isFree(provider, name) ? FREE : listed,
    maxInputTokens: row?.[1] ?? null,
    maxOutputTokens: longestAnswer(provider, name),
  };
}

/** As the source looks: the name as it is, then with a compact date written out (`-20240806` as `-2024-08-06`). */
function rowOf({ id, prefix = '' }: TableSource, name: string): ModelRow | null {
  const dated = name.replace(/-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)/g, '-$1-$2-$3');
  for (const each of new Set([name, prefix + name, dated])) {
    const found = rowIn(id, each);
    if (found !== null) return found;
  }
  return null;
}

function rowIn(id: string, name: string): ModelRow | null {
  const provider = providerRows(id);
  if (provider === null) return null;
  const own = provider.models.find(([patterns]) => patterns.some((pattern) => fits(pattern, name)));
  if (own !== undefined) return own;
  for (const other of provider.elsewhere) {
    const found = rowIn(other, name);
    if (found !== null) return found;
  }
  return null;
}

function fits(pattern: Pattern, name: string): boolean {
  if (typeof pattern !== 'string') return pattern.every((each) => fits(each, name));
  const words = pattern.slice(1);
  switch (pattern[0]) {
    case '=':
      return name === words;
    case '^':
      return name.startsWith(words);
    case '$':
      return name.endsWith(words);
    case '*':
      return name.includes(words);
    default:
      return new RegExp(words).test(name);
  }
}

function priceFrom([, , rows]: ModelRow, more: Supplement): Price {
  const all = Array.isArray(rows) ? (rows as readonly SheetRow[]) : [rows as SheetRow];
  const [first, ...rest] = all.map((row) => sheetFrom(row, more));
  // The generator writes at least one.
  return { sheets: [first as PriceSheet, ...rest] };
}

function sheetFrom(row: SheetRow, more: Supplement): PriceSheet {
  const { from, daily, above = [], ...base } = row;
  const said: SomeSchedule = {
    base: { ...rates(base), ...rates(more.standard ?? {}) },
    tiers: above.map(([tokens, dollars]) => ({ above: tokens, rates: rates(dollars) })),
  };
  const standard = layered(null, said);
  return {
    when: timeOf(from, daily),
    standard,
    flex: tierOf(standard, more.flex),
    priority: tierOf(standard, more.priority),
    batch: null,
  };
}

function tierOf(standard: Schedule, dollars: Dollars | undefined): Schedule | null {
  return dollars === undefined ? null : layered(standard, { ...NO_SCHEDULE, base: rates(dollars) });
}

function timeOf(from: string | undefined, daily: SheetRow['daily']): PriceTime | null {
  if (from !== undefined) return { kind: 'from', at: epochMillis(Date.parse(`${from}T00:00:00Z`)) };
  if (daily === undefined) return null;
  return { kind: 'daily', start: timeOfDay(daily[0]), end: timeOfDay(daily[1]) };
}

/** `HH:MM:SSZ`; the table has no other zone. */
function timeOfDay(text: string) {
  const [hours = 0, minutes = 0, rest = 0] = text.replace('Z', '').split(':').map(Number);
  return seconds(hours * 3600 + minutes * 60 + rest);
}

/** From the table's units to pico-USD for one. */
function rates(dollars: Dollars): SomeRates {
  const all = Object.entries(dollars).map(([kind, value]) => [kind, perOne(kind, value)]);
  return Object.fromEntries(all);
}

function perOne(kind: string, value: number): PicoUsd {
  const per = kind.startsWith('request') || kind === 'webSearch' ? 1000 : 1_000_000;
  // Before dividing, so that the decimal of the table is what is divided.
  return picoUsd(Math.ceil(priceOf(value) / per));
}
