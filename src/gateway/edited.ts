import { type Edit, type JsonBody, scanObject } from '../wire/json-splice.ts';

/**
 * The body with these edits made; the same one when there are none.
 *
 * @throws when the result is no object, which editing an object that was scanned cannot give
 */
export function edited(body: JsonBody, edits: readonly Edit[]): JsonBody {
  if (edits.length === 0) return body;
  const result = scanObject(body.splice(edits));
  if (result.kind === 'fault') throw new Error(`edited body is not an object: ${result.message}`);
  return result;
}
