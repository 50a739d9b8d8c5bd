import { arrayMember, isObject, type Json, type JsonObject } from '../../core/json.ts';
import type { CacheControl } from '../../wire/anthropic/messages.ts';
import type { Notes } from './notes.ts';

/** Most cache marks in one request (specs/anthropic.md §3.2). */
const MOST_MARKS = 4;

/**
 * The cache mark of a part, message or tool, as members to spread into its block.
 *
 * `cache_control` goes as it is; OpenAI's `prompt_cache_breakpoint` becomes the same with the nearest life time.
 */
export function cacheMark(holder: JsonObject, notes: Notes): { readonly cache_control?: CacheControl } {
  if (isObject(holder.cache_control)) return { cache_control: holder.cache_control };
  if (!isObject(holder.prompt_cache_breakpoint)) return {};
  if (notes.breakpointsToSkip > 0) {
    notes.breakpointsToSkip--;
    return {};
  }
  return {
    cache_control: { type: 'ephemeral', ...(holder.prompt_cache_breakpoint.ttl === '12h' ? { ttl: '1h' } : {}) },
  };
}

/**
 * How many breakpoints are too many, counting from the front: the last ones cover the longest prefixes.
 *
 * Only breakpoints give way; more than four `cache_control` are the client's own words, and its own error.
 */
export function excessBreakpoints(parameters: JsonObject): number {
  const count = { marks: 0, breakpoints: 0 };
  for (const message of arrayMember(parameters, 'messages')) {
    countMark(message, count);
    if (!isObject(message)) continue;
    for (const part of [...arrayMember(message, 'content'), ...arrayMember(message, 'tool_calls')])
      countMark(part, count);
  }
  for (const tool of arrayMember(parameters, 'tools')) countMark(tool, count);
  return Math.max(0, count.breakpoints - Math.max(0, MOST_MARKS - count.marks));
}

function countMark(holder: Json, count: { marks: number; breakpoints: number }): void {
  if (!isObject(holder)) return;
  if (isObject(holder.cache_control)) count.marks++;
  else if (isObject(holder.prompt_cache_breakpoint)) count.breakpoints++;
}
