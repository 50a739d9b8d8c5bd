/** Vocabularies that are at hand. */
export type EncodingName = 'o200k_base' | 'cl100k_base';

/** How to count for a model. */
export interface Measure {
  readonly encoding: EncodingName;
  /** What a count is multiplied by, ≤ 1, so that the product is not above the model's own count. */
  readonly factor: number;
}

/**
 * For models whose tokenizer is not at hand. Those make more tokens of English and code than o200k as a rule; the
 * fifth is for languages that they were made for.
 */
const UNKNOWN: Measure = { encoding: 'o200k_base', factor: 0.8 };

/** Newest first: `gpt-4o` also starts with `gpt-4`. @see openai/tiktoken, `tiktoken/model.py` (read 2026-11) */
const EXACT: readonly (readonly [start: RegExp, encoding: EncodingName])[] = [
  [/^(gpt-5|gpt-4\.[15]|gpt-4o|chatgpt-4o|gpt-oss|o[134])(?![a-z0-9])/, 'o200k_base'],
  [/^(gpt-4|gpt-3\.5|gpt-35)(?![a-z0-9.])/, 'cl100k_base'],
  [/^text-embedding-(3-|ada-002)/, 'cl100k_base'],
];

/**
 * How to count for an upstream model, by its name: exactly for OpenAI's, from below for all others.
 *
 * @param model as the upstream knows it; a fine-tune's or a host's prefix (`ft:`, `openai/`) is looked through
 */
export function measureFor(model: string): Measure {
  const name = model
    .toLowerCase()
    .slice(model.lastIndexOf('/') + 1)
    .replace(/^ft:/, '');
  const found = EXACT.find(([start]) => start.test(name));
  return found === undefined ? UNKNOWN : { encoding: found[1], factor: 1 };
}

/** The measures of some models, each once. */
export function measuresFor(models: readonly string[]): readonly Measure[] {
  const measures = models.map(measureFor);
  return measures.filter(
    (each, index) =>
      measures.findIndex(({ encoding, factor }) => encoding === each.encoding && factor === each.factor) === index,
  );
}
