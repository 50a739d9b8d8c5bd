import type { ChatCompletion } from '../wire/openai/chat.ts';
import { checkCommon, missing } from './check.ts';
import { direct, type Endpoint } from './endpoint.ts';
import { openaiEncoder } from './openai-encoder.ts';

/** `POST /v1/embeddings` (specs/openai.md §6); vectors and token arrays are the provider's to judge. */
export const embeddings: Endpoint = {
  id: 'embeddings',
  dialect: 'openai-embeddings',
  callType: '/embeddings',
  operation: 'embeddings',
  check(body) {
    if (!body.has('input')) return missing('input', 'a string, an array of strings, or token arrays');
    return checkCommon(body);
  },
  serve(provider) {
    return provider.embeddings === undefined ? null : direct(provider.embeddings, 'openai-embeddings');
  },
  // Providers answer in bytes: only a mocked answer comes as a chat.
  encoder: { ...openaiEncoder, reply: (chat) => text.encode(JSON.stringify(mockedEmbedding(chat))) },
};

const text = new TextEncoder();

/** `mock_response: [0.1, 0.2]` is the vector; for any other mocked text one is made up. */
function mockedEmbedding({ model, choices, usage }: ChatCompletion) {
  const content = choices[0]?.message.content ?? '';
  const numbers = content
    .replace(/^\[|\]$/g, '')
    .split(',')
    .map(Number);
  const embedding = content.startsWith('[') && numbers.every(Number.isFinite) ? numbers : [0, 0, 0];
  const tokens = usage?.prompt_tokens ?? 0;
  return {
    object: 'list',
    data: [{ object: 'embedding', index: 0, embedding }],
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}
