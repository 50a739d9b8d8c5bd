import type { JsonObject } from '../../core/json.ts';

/** The LLM paths in brief: their bodies are OpenAI's, and described there. */
const LLM = [
  ['post', '/v1/chat/completions', 'Chat completions, streamed or not, as OpenAI’s.'],
  ['post', '/v1/completions', 'Legacy completions, as OpenAI’s.'],
  ['post', '/v1/embeddings', 'Embeddings, as OpenAI’s.'],
  ['get', '/v1/models', 'The models that the caller may ask for.'],
  ['get', '/v1/model/info', 'Deployments with their prices, limits and abilities, as LiteLLM’s.'],
  ['get', '/model_group/info', 'The same by model group, as LiteLLM’s.'],
  ['get', '/health', 'Whether the gateway works; calls no model.'],
  ['get', '/health/readiness', 'Whether it takes requests.'],
  ['get', '/health/liveliness', 'Whether it runs.'],
  ['get', '/metrics', 'Metrics for Prometheus.'],
] as const;

const BODY = {
  required: true,
  content: { 'application/json': { schema: { type: 'object', properties: { model: { type: 'string' } } } } },
};

/** As OpenAPI has them. */
export const LLM_PATHS: JsonObject = Object.fromEntries(
  LLM.map(([method, path, summary]) => [
    path,
    {
      [method]: {
        summary,
        tags: ['models'],
        ...(method === 'post' && { requestBody: BODY }),
        responses: { 200: { description: 'Done.' } },
      },
    },
  ]),
);
