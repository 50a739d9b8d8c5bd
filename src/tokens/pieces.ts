/** Letters, spaces or marks in a row that are counted as one; the tokenizer takes the square of longer runs. */
const LONGEST_RUN = 256;
/** UTF-16 units after which a piece ends at the next space, so that counting can stop between pieces. */
const PIECE = 8192;

/**
 * Cuts a text into pieces whose counts add up to the text's.
 *
 * Cuts before a space change no count. A run of one kind is cut every 256, which adds about a token for each cut and
 * keeps the time linear: uncut, 100,000 spaces take gpt-tokenizer 4.0.0 eight seconds.
 */
export function* pieces(text: string): Generator<string> {
  let start = 0;
  let run = 0;
  let kind = -1;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    const next = kindOf(code);
    const length = index - start;
    const isSpaceAfterWord = code === 0x20 && kind !== SPACE;
    const isCut = run >= LONGEST_RUN || (length >= PIECE && isSpaceAfterWord) || length >= 2 * PIECE;
    if (isCut && !isLowSurrogate(code)) {
      yield text.slice(start, index);
      start = index;
      run = 0;
    }
    run = next === kind ? run + 1 : 1;
    kind = next;
  }
  if (start < text.length) yield text.slice(start);
}

const LETTER = 0;
const SPACE = 1;
const DIGIT = 2;
const MARK = 3;

/** Coarse on purpose: a wrong kind only moves a cut. */
function kindOf(code: number): number {
  if (code <= 0x20) return SPACE;
  if (code < 0x80) {
    if (code >= 0x30 && code <= 0x39) return DIGIT;
    const lower = code | 0x20;
    return lower >= 0x61 && lower <= 0x7a ? LETTER : MARK;
  }
  // General and CJK punctuation, full-width marks.
  if ((code >= 0x2000 && code <= 0x206f) || (code >= 0x3000 && code <= 0x303f)) return MARK;
  if ((code >= 0xff00 && code <= 0xff0f) || (code >= 0xff1a && code <= 0xff20)) return MARK;
  return LETTER;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
