import type { PromptText } from '../endpoints/prompt-text.ts';
import type { EncodingName, Measure } from './encoding.ts';
import { pieces } from './pieces.ts';

/** Counts the tokens of one short text. */
export type Count = (text: string) => number;

/**
 * Tokens that the longest prompt has at least, whichever measure is the model's own.
 *
 * @param counts the counters of all encodings in `measures`
 * @param enough beyond this the rest of a prompt is estimated from what was counted of it
 * @returns whole tokens; 0 without prompts or measures
 */
export function countLongest(
  prompts: readonly PromptText[],
  measures: readonly Measure[],
  enough: number,
  counts: ReadonlyMap<EncodingName, Count>,
): number {
  const longest = ({ encoding, factor }: Measure): number => {
    const count = counts.get(encoding);
    if (count === undefined) throw new Error(`no counter for ${encoding}`);
    const most = prompts.reduce((max, prompt) => Math.max(max, countPrompt(prompt, count, enough / factor)), 0);
    return Math.floor(factor * most);
  };
  return measures.length === 0 ? 0 : Math.min(...measures.map(longest));
}

function countPrompt({ texts, tokens }: PromptText, count: Count, enough: number): number {
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  let counted = 0;
  let seen = 0;
  for (const text of texts) {
    for (const piece of pieces(text)) {
      counted += count(piece);
      seen += piece.length;
      if (tokens + counted > enough) return tokens + Math.ceil((counted * length) / seen);
    }
  }
  return tokens + counted;
}
