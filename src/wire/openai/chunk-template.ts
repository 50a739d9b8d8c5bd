const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** Members whose texts differ from one chunk of a stream to the next. */
const VARYING: ReadonlySet<string> = new Set([
  'content',
  'reasoning_content',
  'reasoning',
  'text',
  'arguments',
  'refusal',
  'obfuscation',
]);

/** OpenAI's padding, against guessing words by their length: it means nothing, empty or not. */
const PADDING = 'obfuscation';

const VARYING_LENGTHS = new Set([...VARYING].map((key) => key.length));

const MAX_HOLES = 4;
const MAX_BYTES = 4096;

/** Bytes that stand for themselves in a JSON string. */
const IS_PLAIN = new Uint8Array(256).fill(1);
IS_PLAIN.fill(0, 0, 0x20);
IS_PLAIN[QUOTE] = 0;
IS_PLAIN[BACKSLASH] = 0;

/**
 * A chunk with holes for the texts in it.
 *
 * Chunks of one stream are alike but for a few strings. Bytes that match a template made from valid JSON are valid
 * JSON with the same structure: the literal parts are compared, and every hole takes one well-formed string body,
 * empty exactly if it was empty in the template (padding apart). So whatever depends on structure and emptiness alone,
 * as the facts of an event do, is the same for both.
 */
export class ChunkTemplate {
  /** Literal parts: before the first hole, between holes, after the last. */
  readonly #parts: readonly Buffer[];
  /** For each hole, whether its text is empty; null where either will do. */
  readonly #isEmpty: readonly (boolean | null)[];

  private constructor(parts: readonly Buffer[], isEmpty: readonly (boolean | null)[]) {
    this.#parts = parts;
    this.#isEmpty = isEmpty;
  }

  /**
   * The template of a chunk.
   *
   * @param bytes hold valid JSON from `start` to `end`
   * @returns null for chunks that are too large or too varied for a template to pay
   */
  static of(bytes: Buffer, start: number, end: number): ChunkTemplate | null {
    if (end - start > MAX_BYTES) return null;
    const json = Buffer.from(bytes.subarray(start, end));
    const parts: Buffer[] = [];
    const isEmpty: (boolean | null)[] = [];
    let key = '';
    let partStart = 0;
    let open = json.indexOf(QUOTE);
    while (open >= 0) {
      const close = textEnd(json, open + 1, json.length);
      if (isKey(json, close + 1)) key = varyingKey(json, open + 1, close);
      else if (key !== '') {
        parts.push(json.subarray(partStart, open + 1));
        isEmpty.push(key === PADDING ? null : close === open + 1);
        partStart = close;
      }
      open = json.indexOf(QUOTE, close + 1);
    }
    parts.push(json.subarray(partStart));
    return isEmpty.length > MAX_HOLES ? null : new ChunkTemplate(parts, isEmpty);
  }

  /** Whether the bytes from `start` to `end` are this chunk with other texts. */
  matches(bytes: Buffer, start: number, end: number): boolean {
    const parts = this.#parts;
    const holes = parts.length - 1;
    let at = start;
    for (let index = 0; ; index++) {
      const part = parts[index] as Buffer;
      const partEnd = at + part.length;
      if (partEnd > end || !stands(part, bytes, at)) return false;
      if (index === holes) return partEnd === end;
      at = textEnd(bytes, partEnd, end);
      if (at < 0 || this.#isEmpty[index] === at > partEnd) return false;
    }
  }
}

/** Up to this many bytes a loop is cheaper than a native call. */
const SHORT_PART = 48;

/** Whether the part stands in the bytes here. */
function stands(part: Buffer, bytes: Buffer, at: number): boolean {
  const { length } = part;
  if (length > SHORT_PART) return bytes.compare(part, 0, length, at, at + length) === 0;
  let same = 0;
  while (same < length && part[same] === bytes[at + same]) same++;
  return same === length;
}

/** The closing quote of the string whose text begins here; -1 when it is not closed or not well-formed. */
function textEnd(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const byte = bytes[at] as number;
    if (IS_PLAIN[byte] === 1) at++;
    else if (byte === QUOTE) return at;
    else {
      const length = byte === BACKSLASH ? escapeLength(bytes, at) : 0;
      if (length === 0) return -1;
      at += length;
    }
  }
  return -1;
}

/** The key when it is one of those that vary, else nothing. */
function varyingKey(json: Buffer, start: number, end: number): string {
  if (!VARYING_LENGTHS.has(end - start)) return '';
  const key = json.toString('latin1', start, end);
  return VARYING.has(key) ? key : '';
}

/** In valid JSON a string before a colon is a key, and only such a one. */
function isKey(json: Buffer, after: number): boolean {
  let at = after;
  while (at < json.length && (json[at] as number) <= 0x20) at++;
  return json[at] === COLON;
}

const IS_SHORT_ESCAPE = new Uint8Array(256);
for (const letter of '"\\/bfnrt') IS_SHORT_ESCAPE[letter.charCodeAt(0)] = 1;

/** Bytes of the escape that begins here; 0 when there is no such escape. */
function escapeLength(bytes: Buffer, at: number): number {
  const letter = bytes[at + 1] ?? 0;
  if (IS_SHORT_ESCAPE[letter] === 1) return 2;
  return letter === 0x75 && /^[0-9a-fA-F]{4}$/.test(bytes.toString('latin1', at + 2, at + 6)) ? 6 : 0;
}
