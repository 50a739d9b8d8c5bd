import type { JsonObject } from '../../core/json.ts';

/** OpenAI's list of models. */
export function openAiModels(names: readonly string[]): JsonObject {
  return { object: 'list', data: names.map(openAiModel) };
}

/** One model as OpenAI describes it. */
export function openAiModel(id: string): JsonObject {
  return { id, object: 'model', created: 1_687_882_411, owned_by: 'simulated' };
}

/** Anthropic's list of models. */
export function anthropicModels(names: readonly string[]): JsonObject {
  return {
    data: names.map(anthropicModel),
    has_more: false,
    first_id: names[0] ?? null,
    last_id: names.at(-1) ?? null,
  };
}

/** One model as Anthropic describes it. */
export function anthropicModel(id: string): JsonObject {
  return { type: 'model', id, display_name: id, created_at: '2024-10-22T00:00:00Z' };
}
