import { checkCommon, missing, wrongType } from './check.ts';
import { direct, type Endpoint } from './endpoint.ts';
import { openaiEncoder } from './openai-encoder.ts';

/** `POST /v1/chat/completions`: the hub's own dialect (specs/openai.md §1–3). */
export const chatCompletions: Endpoint = {
  id: 'chat-completions',
  dialect: 'openai-chat',
  callType: '/chat/completions',
  operation: 'chat/completions',
  check(body) {
    const messages = body.raw('messages');
    if (messages === undefined) return missing('messages', 'a non-empty array of messages');
    if (messages[0] !== 0x5b) return wrongType('messages', 'an array of messages');
    return checkCommon(body);
  },
  serve(provider) {
    return provider.chat === undefined ? null : direct(provider.chat, 'openai-chat');
  },
  encoder: openaiEncoder,
};
