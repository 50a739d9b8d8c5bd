import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import type { ChatChunk } from './chat.ts';

/**
 * A complete chat answer as the chunks of a stream.
 *
 * For upstreams that ignore `stream: true` and answer JSON: the client asked for events and gets them, all at once.
 * For each choice one chunk with the whole message and one with its finish reason; then, if there is usage, the
 * chunk without choices, which the caller leaves out when the client did not ask for it. Members that the hub does not
 * know are kept. Tool calls get the `index` that streams need.
 *
 * @param completion a parsed `chat.completion`; one without choices gives no chunks
 */
export function completionToChunks(completion: JsonObject): readonly ChatChunk[] {
  const { choices, usage, ...rest } = completion;
  const envelope = { ...rest, object: 'chat.completion.chunk' };
  const chunks: JsonObject[] = [];
  for (const choice of Array.isArray(choices) ? (choices as readonly Json[]) : []) {
    if (!isObject(choice)) continue;
    const { message, finish_reason, index, ...others } = choice;
    const at = typeof index === 'number' ? index : 0;
    chunks.push({ ...envelope, choices: [{ ...others, index: at, delta: deltaOf(message), finish_reason: null }] });
    chunks.push({
      ...envelope,
      choices: [{ index: at, delta: {}, logprobs: null, finish_reason: finish_reason ?? 'stop' }],
    });
  }
  if (chunks.length > 0 && isObject(usage)) chunks.push({ ...envelope, choices: [], usage });
  // The upstream's own members stand for the hub's: nothing here was checked beyond what is used.
  return chunks as unknown as readonly ChatChunk[];
}

function deltaOf(message: Json | undefined): JsonObject {
  if (!isObject(message)) return { role: 'assistant' };
  const { tool_calls: calls, ...rest } = message;
  if (!Array.isArray(calls)) return { role: 'assistant', ...rest };
  const indexed = (calls as readonly Json[]).map((call, index) => (isObject(call) ? { index, ...call } : call));
  return { role: 'assistant', ...rest, tool_calls: indexed };
}
