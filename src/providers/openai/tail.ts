const QUOTE = 34;
const BACKSLASH = 92;
const COLON = 58;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;

/**
 * The text of a top-level member of a large JSON object, found from its end.
 *
 * Providers put `usage` last or nearly so; an embeddings answer is a megabyte of numbers before it. Looking for the
 * key backwards and proving its depth by a scan forward to the end reads only that tail. The proof holds for any valid
 * JSON: an unescaped `"key"` followed by a colon cannot lie inside a string, and it is a member of the outermost
 * object exactly if the rest of the document closes one level more than it opens.
 *
 * Keys written with escapes (`"\u0075sage"`) are not found; no provider writes those.
 *
 * @param json bytes of one valid JSON object
 * @returns the member's own text (of the last one, as `JSON.parse` takes it), or null when there is none
 */
export function lastTopLevelMember(json: Buffer, key: string): string | null {
  const needle = Buffer.from(JSON.stringify(key));
  let at = json.lastIndexOf(needle);
  while (at >= 0) {
    const afterKey = at + needle.length;
    const colon = skipBlanks(json, afterKey);
    if (json[colon] === COLON && !isEscaped(json, at) && closesTo(json, colon + 1) === 1) {
      const start = skipBlanks(json, colon + 1);
      return json.toString('utf8', start, valueEnd(json, start));
    }
    at = at === 0 ? -1 : json.lastIndexOf(needle, at - 1);
  }
  return null;
}

/** Whether an odd number of backslashes stands before. */
function isEscaped(json: Buffer, at: number): boolean {
  let before = at;
  while (before > 0 && json[before - 1] === BACKSLASH) before--;
  return (at - before) % 2 === 1;
}

function skipBlanks(json: Buffer, from: number): number {
  let at = from;
  while (at < json.length && (json[at] as number) <= 32) at++;
  return at;
}

/** How many levels are closed, all in all, between here and the end. */
function closesTo(json: Buffer, from: number): number {
  let closed = 0;
  for (let at = from; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) at = stringEnd(json, at) - 1;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) closed--;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) closed++;
  }
  return closed;
}

/** One past the value that begins here: at the comma or bracket that ends it. */
function valueEnd(json: Buffer, start: number): number {
  let depth = 0;
  for (let at = start; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) at = stringEnd(json, at) - 1;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 0) return at;
      depth--;
    } else if (byte === 44 && depth === 0) return at;
  }
  return json.length;
}

/** One past the closing quote of the string that begins at `start`. */
function stringEnd(json: Buffer, start: number): number {
  let at = start + 1;
  while (at < json.length) {
    const close = json.indexOf(QUOTE, at);
    if (close < 0) return json.length;
    if (!isEscaped(json, close)) return close + 1;
    at = close + 1;
  }
  return json.length;
}
