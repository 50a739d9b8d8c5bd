import { arrayMember, type Json, type JsonObject, objectMember } from '../../src/core/json.ts';
import type { Folded } from './fold.ts';

/** What a stream and a complete answer must have in common; usage only where the stream was asked for it. */
interface Comparable {
  readonly choices: readonly JsonObject[];
  readonly usage: Json;
}

/**
 * A folded stream in the form of `comparable.reply`.
 *
 * Left out is what a stream cannot or need not say: members that are null or empty, log probabilities, and the copies
 * of reasoning that LiteLLM has in `provider_specific_fields` of complete answers. Citations, one list for each text
 * there and one event each here, are laid in one list.
 */
export function comparable(folded: Folded, reply: JsonObject): Comparable {
  const choices = folded.choices.map(({ index, message, finish_reason }) => ({
    index,
    finish_reason,
    message: plainMessage(message),
  }));
  return { choices, usage: folded.usage ?? (reply.usage as Json) };
}

comparable.reply = (reply: JsonObject): Comparable => {
  const choices = arrayMember(reply, 'choices').map((each) => {
    const choice = each as JsonObject;
    const message = objectMember(choice, 'message') ?? { text: choice.text };
    return { index: choice.index, finish_reason: choice.finish_reason, message: plainMessage(message) };
  });
  return { choices, usage: reply.usage as Json };
};

function plainMessage(message: JsonObject): JsonObject {
  const { role: _role, provider_specific_fields: fields, tool_calls: calls, ...rest } = message;
  const {
    reasoning_content: _reasoning,
    thinking_blocks: _blocks,
    citation,
    citations,
    ...specific
  } = (fields ?? {}) as JsonObject;
  return present({
    ...rest,
    tool_calls: arrayMember(message, 'tool_calls').map((call) => present(call as JsonObject)) as Json[],
    provider_specific_fields: present({
      ...specific,
      citations: [...[citations ?? []].flat(2), ...[citation ?? []].flat()] as Json[],
    }),
  });
}

/** The members that say something. */
function present(object: JsonObject): JsonObject {
  const members = Object.entries(object).filter(([, value]) => {
    if (value === null || value === undefined || value === '') return false;
    return typeof value !== 'object' || Object.keys(value).length > 0;
  });
  return Object.fromEntries(members);
}
