import type { JsonObject } from '../../core/json.ts';
import { dataEvent, type StreamEvent } from '../answer.ts';
import { chatCompletion, chatUsage, chunkChoices, type Identity, type StreamShape } from './openai.ts';
import type { Saying } from './saying.ts';

const SAFE = { filtered: false, severity: 'safe' };

/** What Azure's content filter says of harmless text. */
const FILTER_RESULTS = { hate: SAFE, self_harm: SAFE, sexual: SAFE, violence: SAFE };

const PROMPT_FILTER_RESULTS = [
  { prompt_index: 0, content_filter_results: { ...FILTER_RESULTS, jailbreak: { filtered: false, detected: false } } },
];

/** OpenAI's `chat.completion` with Azure's content-filter members. */
export function azureCompletion(identity: Identity, sayings: readonly Saying[], inputTokens: number): JsonObject {
  const { service_tier: _, ...completion } = chatCompletion(identity, sayings, inputTokens);
  const choices = (completion.choices as readonly JsonObject[]).map((choice, index) => ({
    content_filter_results: sayings[index]?.stop === 'tool' ? {} : FILTER_RESULTS,
    ...choice,
  }));
  return { ...completion, choices, prompt_filter_results: PROMPT_FILTER_RESULTS };
}

/** Azure's stream: a first chunk without choices or identity, then filter results beside every delta. */
export function azureStream(
  identity: Identity,
  sayings: readonly Saying[],
  inputTokens: number,
  shape: StreamShape,
): StreamEvent[] {
  const opening = {
    choices: [],
    created: 0,
    id: '',
    model: '',
    object: '',
    prompt_filter_results: PROMPT_FILTER_RESULTS,
  };
  const tail = {
    created: identity.created,
    id: `chatcmpl-${identity.id}`,
    model: identity.model,
    object: 'chat.completion.chunk',
    system_fingerprint: 'fp_simulated',
  };
  const withoutUsage = shape.includeUsage ? { usage: null } : {};
  const chunks: JsonObject[] = chunkChoices(sayings, shape.pieceSize).map(({ index, delta, finishReason }) => ({
    choices: [
      {
        content_filter_results: typeof delta.content === 'string' && delta.content !== '' ? FILTER_RESULTS : {},
        delta,
        finish_reason: finishReason,
        index,
        logprobs: null,
      },
    ],
    ...tail,
    ...withoutUsage,
  }));
  if (shape.includeUsage) chunks.push({ choices: [], ...tail, usage: chatUsage(inputTokens, sayings) });
  return [dataEvent(opening), ...chunks.map((chunk) => dataEvent(chunk)), dataEvent('[DONE]', 'end')];
}
