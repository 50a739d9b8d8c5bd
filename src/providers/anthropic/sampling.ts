import type { Json, JsonObject } from '../../core/json.ts';
import type { ModelTraits } from './models.ts';
import type { Notes } from './notes.ts';

/** OpenAI's scale ends at 2, Anthropic's at 1. */
const HIGHEST_TEMPERATURE = 1;
/** With thinking on, `top_p` may only stand in here (specs/anthropic.md §8). */
const LEAST_TOP_P_THINKING = 0.95;

/** `temperature`, `top_p` and `top_k` as far as model and thinking allow them; the rest is noted as dropped. */
export function sampling(parameters: JsonObject, traits: ModelTraits, isThinking: boolean, notes: Notes): JsonObject {
  const result: Record<string, Json> = {};
  const { temperature, top_p: topP, top_k: topK } = parameters;
  const allows = (name: string, value: Json | undefined, isAllowed: boolean): value is Json => {
    if (value === undefined || value === null) return false;
    if (!isAllowed) notes.dropped.add(name);
    return isAllowed;
  };
  const isFree = traits.sampling !== 'none' && !isThinking;
  if (allows('temperature', temperature, isFree)) {
    result.temperature = typeof temperature === 'number' ? Math.min(temperature, HIGHEST_TEMPERATURE) : temperature;
  }
  if (allows('top_p', topP, topPFits(topP, traits, isThinking, 'temperature' in result))) result.top_p = topP;
  if (allows('top_k', topK, isFree)) result.top_k = topK;
  return result;
}

function topPFits(topP: Json | undefined, traits: ModelTraits, isThinking: boolean, hasTemperature: boolean): boolean {
  if (traits.sampling === 'none' || (traits.sampling === 'one' && hasTemperature)) return false;
  return !isThinking || (typeof topP === 'number' && topP >= LEAST_TOP_P_THINKING);
}
