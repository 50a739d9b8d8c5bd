import { isObject, type JsonObject } from '../../core/json.ts';
import type { Usage } from '../../core/usage.ts';
import { type ReasoningCount, usageOf } from '../../wire/openai/usage.ts';

/**
 * The tokens that an answer or a chunk reports, or null.
 *
 * Groq has them a second time in `x_groq.usage`, on streams for which nobody asked `include_usage` only there.
 */
export function usageFrom(json: JsonObject, reasoning: ReasoningCount): Usage | null {
  if (isObject(json.usage)) return usageOf(json.usage, reasoning, json.service_tier ?? json.usage.service_tier);
  const { x_groq: groq } = json;
  return isObject(groq) && isObject(groq.usage) ? usageOf(groq.usage, reasoning, json.service_tier) : null;
}
