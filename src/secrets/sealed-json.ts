import { isObject, type Json, type JsonObject } from '../core/json.ts';
import type { SecretBox } from './secret-box.ts';

/** A JSON object whose texts could be opened, or the first reason why one could not. */
export type OpenedJson =
  | { readonly kind: 'opened'; readonly value: JsonObject }
  | { readonly kind: 'unreadable'; readonly reason: string };

/**
 * The object with every text in it sealed, at whatever depth; names, numbers and booleans stay readable, as in LiteLLM.
 *
 * @param place names the row: `litellm_modeltable/ID`
 */
export function sealJson(box: SecretBox, value: JsonObject, place: string): JsonObject {
  return mapTexts(value, place, (text, path) => box.seal(text, path)) as JsonObject; // an object stays one
}

/** The reverse of `sealJson`; the reason names the member and never its text. */
export function openJson(box: SecretBox, value: JsonObject, place: string): OpenedJson {
  let reason: string | null = null;
  const opened = mapTexts(value, place, (text, path) => {
    const result = box.open(text, path);
    if (result.kind === 'opened') return result.text;
    reason ??= `${path.slice(place.length + 1)} ${result.kind === 'damaged' ? DAMAGED : `${UNKNOWN} ${result.keyId}`}`;
    return '';
  });
  return reason === null
    ? { kind: 'opened', value: opened as JsonObject } // as above
    : { kind: 'unreadable', reason };
}

const DAMAGED = 'was not encrypted by Tollgate for this place, or was changed since';
const UNKNOWN =
  'is encrypted under a key that is not set: LITELLM_SALT_KEY or LITELLM_SALT_KEY_PREVIOUS has to hold the key with id';

function mapTexts(value: Json | undefined, path: string, change: (text: string, path: string) => string): Json {
  if (typeof value === 'string') return change(value, path);
  if (Array.isArray(value)) return value.map((item, index) => mapTexts(item, `${path}/${index}`, change));
  if (!isObject(value)) return value ?? null;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, mapTexts(each, `${path}/${key}`, change)]),
  );
}
