import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import { parseExact } from './exact-json.ts';

/**
 * An event's payload: an object with a `type`, nothing else checked.
 *
 * The payload's `type` decides, not the `event:` line: proxies in between drop that line (specs/anthropic.md §7).
 */
export interface StreamEvent extends JsonObject {
  readonly type: string;
}

/** Parses one event's payload; null when it is not JSON or has no `type`. */
export function parseStreamEvent(data: string): StreamEvent | null {
  let value: Json;
  try {
    value = parseExact(data);
  } catch {
    return null;
  }
  return isStreamEvent(value) ? value : null;
}

function isStreamEvent(value: Json): value is StreamEvent {
  return isObject(value) && typeof value.type === 'string';
}
