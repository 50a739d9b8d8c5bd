import {
  type ConditionalPrice,
  findProvider,
  type MatchLogic,
  type ModelInfo,
  type ModelPrice,
} from '@pydantic/genai-prices';
import manifest from '../../package.json' with { type: 'json' };
import { SOURCES } from '../../src/metering/catalogue.ts';

/** Price keys of the source and their names in the table. US dollars for a million tokens, a thousand requests or searches. */
const KINDS: Readonly<Record<string, string>> = {
  input_mtok: 'input',
  output_mtok: 'output',
  cache_read_mtok: 'cacheRead',
  cache_write_mtok: 'cacheWrite',
  cache_write_1h_mtok: 'cacheWriteHour',
  output_reasoning_mtok: 'reasoning',
  output_citation_mtok: 'citation',
  input_audio_mtok: 'audioInput',
  output_audio_mtok: 'audioOutput',
  input_image_mtok: 'imageInput',
  output_image_mtok: 'imageOutput',
  requests_kcount: 'request',
  web_searches_kcount: 'webSearch',
};

/** Providers that Azure's catalogue of foreign models refers to, and their like. */
function sourceIds(): readonly string[] {
  const ids = new Set(Object.values(SOURCES).map(({ id }) => id));
  for (const id of ids)
    for (const other of findProvider({ providerId: id })?.fallback_model_providers ?? []) ids.add(other);
  return [...ids].sort();
}

/**
 * The text of `src/metering/price-table.txt`: for each provider a line `@name others…`, then a line of JSON for each
 * model, in the order in which the source looks for them.
 */
export function tableText(): string {
  const providers = sourceIds().map((id) => {
    const provider = findProvider({ providerId: id });
    if (provider?.id !== id) throw new Error(`the source has no provider ${id}`);
    const rows = provider.models.map(modelRow).filter((row) => row !== null);
    const head = [`@${id}`, ...(provider.fallback_model_providers ?? [])].join(' ');
    return [head, ...rows.map((row) => JSON.stringify(row))].join('\n');
  });
  const version = manifest.devDependencies['@pydantic/genai-prices'];
  return `Prices of @pydantic/genai-prices ${version} (MIT); test/prices/write-price-table.ts writes this file.\n${providers.join('\n')}\n`;
}

/** `[patterns, context window or null, prices]`, or null for models that are not charged by tokens. */
function modelRow(model: ModelInfo): unknown[] | null {
  const dated: readonly ConditionalPrice[] = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }];
  const sheets = dated.map((each) => {
    return { ...when('constraint' in each ? each.constraint : undefined), ...sheet(each.prices, model.id) };
  });
  if (sheets.some((each) => !('input' in each))) return null;
  return [patterns(model.match), model.context_window ?? null, sheets.length === 1 ? sheets[0] : sheets];
}

function when(constraint: ConditionalPrice['constraint']): object {
  if (constraint === undefined) return {};
  return constraint.type === 'start_date'
    ? { from: constraint.start_date }
    : { daily: [constraint.start_time, constraint.end_time] };
}

function sheet(prices: ModelPrice, id: string): Record<string, unknown> {
  // The source writes nothing for what is free; anything else without prices is not known to be.
  if (Object.keys(prices).length === 0) return id.endsWith(':free') ? { input: 0, output: 0 } : {};
  const base: Record<string, number> = {};
  const tiers = new Map<number, Record<string, number>>();
  for (const [key, price] of Object.entries(prices)) {
    const kind = KINDS[key];
    if (kind === undefined || price === undefined) continue;
    if (typeof price === 'number') base[kind] = price;
    else {
      base[kind] = price.base;
      for (const { start, price: above } of price.tiers) tiers.set(start, { ...tiers.get(start), [kind]: above });
    }
  }
  return tiers.size === 0 ? base : { ...base, above: [...tiers].sort(([a], [b]) => a - b) };
}

/** `=` the whole name, `^` its beginning, `$` its end, `*` a part of it, `/` a regular expression; one of them is enough. */
function patterns(match: MatchLogic): readonly unknown[] {
  if ('or' in match) return match.or.flatMap(patterns);
  // All of them at once.
  if ('and' in match) return [match.and.flatMap(patterns)];
  if ('equals' in match) return [`=${match.equals.toLowerCase()}`];
  if ('starts_with' in match) return [`^${match.starts_with.toLowerCase()}`];
  if ('ends_with' in match) return [`$${match.ends_with.toLowerCase()}`];
  if ('contains' in match) return [`*${match.contains.toLowerCase()}`];
  return [`/${match.regex}`];
}
