import type { Provider } from '../provider.ts';
import { classify } from './errors.ts';
import { readReply } from './reply.ts';
import { buildRequest } from './request.ts';
import { decodeStream } from './stream.ts';

/** Anthropic's Messages API, for chat; it has no legacy completions and no embeddings. */
export const anthropic: Provider = {
  id: 'anthropic',
  name: 'Anthropic',
  defaults: {
    baseUrl: 'https://api.anthropic.com',
    apiKeyVariables: ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN'],
    baseUrlVariables: ['ANTHROPIC_API_BASE', 'ANTHROPIC_BASE_URL'],
    apiVersionVariables: [],
    needsKey: true,
  },
  chat: {
    speaks: null,
    request: buildRequest,
    reply: readReply,
    stream: decodeStream,
  },
  classify,
};
