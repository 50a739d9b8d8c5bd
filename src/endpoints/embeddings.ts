import { checkCommon, missing } from './check.ts';
import { direct, type Endpoint } from './endpoint.ts';
import { openaiEncoder } from './openai-encoder.ts';

/** `POST /v1/embeddings` (specs/openai.md §6); vectors and token arrays are the provider's to judge. */
export const embeddings: Endpoint = {
  id: 'embeddings',
  dialect: 'openai-embeddings',
  callType: 'aembedding',
  operation: 'embeddings',
  check(body) {
    if (!body.has('input')) return missing('input', 'a string, an array of strings, or token arrays');
    return checkCommon(body);
  },
  serve(provider) {
    return provider.embeddings === undefined ? null : direct(provider.embeddings, 'openai-embeddings');
  },
  encoder: openaiEncoder,
};
