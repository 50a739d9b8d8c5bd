import type { Json, JsonObject } from '../core/json.ts';
import type { OutputBound, RequestSize } from '../core/request-size.ts';
import type { Dialect } from '../providers/provider.ts';
import type { JsonBody } from '../wire/json-splice.ts';
import { memberOf } from './check.ts';

/** Members that bound the answer, of old and new models; where both are there the larger counts. */
const OUTPUT_MEMBERS = ['max_completion_tokens', 'max_tokens', 'max_output_tokens'] as const;
const CHOICE_MEMBERS = ['n', 'best_of'] as const;

/** Strings that stand in a body for each picture, sound or file. Inside a text their quotes would be escaped. */
const PICTURES = bytesOf('"input_image"', '"image"');
const DOCUMENTS = bytesOf('"input_audio"', '"input_file"', '"file"', '"document"', '"video_url"', '"audio_url"');
/** Once as `type` and once as a member, or the provider does not read it. */
const [PICTURE_TWICE, BASE64] = bytesOf('"image_url"', ';base64,') as [Buffer, Buffer]; // two in, two out
const QUOTE = 0x22;

/**
 * How large a request is, without parsing it.
 *
 * @param received the bytes as they came, with everything that may join or replace the prompt
 * @param body the request's own members, as they will go upstream
 * @param overrides members that a client's fallback list puts in their place
 */
export function requestSize(
  received: Uint8Array,
  body: JsonBody,
  dialect: Dialect,
  overrides: readonly JsonObject[],
): RequestSize {
  const text = Buffer.from(received.buffer, received.byteOffset, received.byteLength);
  const documents = DOCUMENTS.reduce((sum, word) => sum + count(text, word), 0);
  const mediaBytes = base64Bytes(text);
  return {
    textBytes: text.length - mediaBytes,
    mediaBytes,
    pictures: PICTURES.reduce((sum, word) => sum + count(text, word), Math.ceil(count(text, PICTURE_TWICE) / 2)),
    documents,
    output: dialect === 'openai-embeddings' ? { kind: 'none' } : outputBound(body, overrides),
  };
}

function outputBound(body: JsonBody, overrides: readonly JsonObject[]): OutputBound {
  const own = (key: string) => (body.has(key) ? memberOf(body, key) : undefined);
  const readers = [own, ...overrides.map((members) => (key: string) => members[key])];
  const choices = Math.max(1, ...readers.map((read) => largest(CHOICE_MEMBERS, read) ?? 1));
  const declared = largest(OUTPUT_MEMBERS, own);
  if (declared === null) return { kind: 'undeclared', choices };
  const tokens = Math.max(...readers.map((read) => largest(OUTPUT_MEMBERS, read) ?? 0));
  return { kind: 'declared', tokens, choices };
}

function largest(keys: readonly string[], read: (key: string) => Json | undefined): number | null {
  let found: number | null = null;
  for (const key of keys) {
    const value = read(key);
    if (typeof value === 'number' && value >= 0 && Number.isSafeInteger(value)) found = Math.max(found ?? 0, value);
  }
  return found;
}

/** Made once: a search for a string makes them each time. */
function bytesOf(...words: readonly string[]): readonly Buffer[] {
  return words.map((word) => Buffer.from(word));
}

function count(text: Buffer, word: Buffer): number {
  let found = 0;
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) found += 1;
  return found;
}

/** Bytes between each `;base64,` and the end of its string. */
function base64Bytes(text: Buffer): number {
  let bytes = 0;
  for (let at = text.indexOf(BASE64); at >= 0; at = text.indexOf(BASE64, at)) {
    const start = at + BASE64.length;
    const end = text.indexOf(QUOTE, start);
    at = end < 0 ? text.length : end;
    bytes += at - start;
  }
  return bytes;
}
