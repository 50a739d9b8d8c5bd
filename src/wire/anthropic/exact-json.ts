import type { Json } from '../../core/json.ts';

/** A number that does not survive a JavaScript number has at least this many digits in a row. */
const LONG_NUMBER = /\d{16}/;
const LONGEST_SAFE = 15;

/** `JSON` with the members of ES2026's source text access, which TypeScript's library does not declare. */
interface JsonWithSource {
  rawJSON(text: string): Json;
  parse(text: string, reviver: (key: string, value: Json, context: { readonly source?: string }) => Json): Json;
}

/**
 * Parses JSON so that `JSON.stringify` of the result keeps every number's digits.
 *
 * Tool arguments hold ids beyond 2^53, which a plain parse would round (translation.md §0.3). Numbers that would
 * change become opaque values that only `JSON.stringify` understands; the slow path runs only when there are any.
 *
 * @throws SyntaxError when the text is not JSON
 */
export function parseExact(text: string): Json {
  return LONG_NUMBER.test(text) ? parseWithSource(text) : (JSON.parse(text) as Json);
}

function parseWithSource(text: string): Json {
  // The engine has both members; the cast only names them.
  const json = JSON as unknown as JsonWithSource;
  return json.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && source.length > LONGEST_SAFE && String(value) !== source
      ? json.rawJSON(source)
      : value,
  );
}
