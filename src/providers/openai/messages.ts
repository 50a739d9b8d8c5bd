import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import type { Rewrite } from './rules.ts';

/** Members of assistant messages that come back from other providers' answers (openai.md §1.1). */
const FOREIGN_FIELDS = [
  'reasoning_content',
  'reasoning',
  'reasoning_details',
  'thinking_blocks',
  'provider_specific_fields',
  'annotations',
] as const;

/** Takes what other providers added to assistant messages out again: OpenAI answers 400 to it. */
export const STRIP_FOREIGN_FIELDS: Rewrite = stripFields(FOREIGN_FIELDS, [
  // Begins three of them; each needle costs a search through the whole prompt.
  '"reasoning',
  '"thinking_blocks"',
  '"provider_specific_fields"',
  '"annotations"',
]);

/** The same, but reasoning stays for hosts that want it back. */
export const STRIP_THINKING_BLOCKS: Rewrite = stripFields(['thinking_blocks', 'provider_specific_fields']);

/** Takes Anthropic's cache marks off messages and their parts. */
export const STRIP_CACHE_CONTROL: Rewrite = forMessages(['"cache_control"'], (message) => {
  const bare = without(message, ['cache_control']);
  const { content } = bare;
  if (!Array.isArray(content)) return bare;
  const parts = mapSame(content, (part: Json) => (isObject(part) ? without(part, ['cache_control']) : part));
  return parts === content ? bare : { ...bare, content: parts };
});

/** `developer` is OpenAI's newer word for `system`; most others refuse it. */
export const DEVELOPER_TO_SYSTEM: Rewrite = forMessages(['"developer"'], (message) =>
  message.role === 'developer' ? { ...message, role: 'system' } : message,
);

/** For hosts that take text only: a list of text parts becomes one string; a list with anything else stays. */
export const CONTENT_TO_STRING: Rewrite = forMessages(['"text"'], (message) => {
  const { content } = message;
  if (!Array.isArray(content)) return message;
  const texts = content.map((part: Json) => (isObject(part) && part.type === 'text' ? part.text : null));
  return texts.every((text) => typeof text === 'string') ? { ...message, content: texts.join('') } : message;
});

/** Takes `name` off messages of roles other than the given one. */
export function stripNames(exceptRole: string | null): Rewrite {
  return forMessages(['"name"'], (message) => (message.role === exceptRole ? message : without(message, ['name'])));
}

/**
 * Keeps `reasoning_content` only in the tool loop that is still open, after the last user message.
 *
 * DeepSeek refuses it in plain turns and demands it within a loop (providers.md, DeepSeek and Moonshot).
 */
export const REASONING_IN_TOOL_LOOP_ONLY: Rewrite = {
  member: 'messages',
  needles: ['"reasoning_content"'],
  apply(value) {
    if (!Array.isArray(value)) return value;
    const lastUser = value.findLastIndex((message: Json) => isObject(message) && message.role === 'user');
    return mapSame(value, (message: Json, index) =>
      isObject(message) && index < lastUser ? without(message, ['reasoning_content']) : message,
    );
  },
};

/**
 * Mistral takes tool call ids of exactly nine letters and digits; others are mapped, the same id always to the same.
 *
 * A hash, not a counter, so that an id keeps its name from one turn to the next.
 */
export const NINE_CHARACTER_TOOL_IDS: Rewrite = forMessages(['"tool_call'], (message) => {
  const id = message.tool_call_id;
  const calls = message.tool_calls;
  const named =
    typeof id === 'string' && id !== nineCharacters(id) ? { ...message, tool_call_id: nineCharacters(id) } : message;
  if (!Array.isArray(calls)) return named;
  const mapped = mapSame(calls, (call: Json) => {
    const callId = isObject(call) ? call.id : null;
    if (!isObject(call) || typeof callId !== 'string' || callId === nineCharacters(callId)) return call;
    return { ...call, id: nineCharacters(callId) };
  });
  return mapped === calls ? named : { ...named, tool_calls: mapped };
});

function nineCharacters(id: string): string {
  if (/^[A-Za-z0-9]{9}$/.test(id)) return id;
  // Two FNV-1a hashes with different starts: 9 characters of base 36 hold 46 bits.
  const text = hash(id, 0x811c9dc5).toString(36) + hash(id, 0x01000193).toString(36);
  return text.padEnd(9, '0').slice(-9);
}

function hash(text: string, start: number): number {
  let value = start;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}

function stripFields(fields: readonly string[], needles = fields.map((field) => `"${field}"`)): Rewrite {
  return forMessages(needles, (message) => (message.role === 'assistant' ? without(message, fields) : message));
}

function forMessages(needles: readonly string[], change: (message: JsonObject) => JsonObject): Rewrite {
  return {
    member: 'messages',
    needles,
    apply: (value) =>
      Array.isArray(value) ? mapSame(value, (message: Json) => (isObject(message) ? change(message) : message)) : value,
  };
}

function without(object: JsonObject, fields: readonly string[]): JsonObject {
  if (!fields.some((field) => field in object)) return object;
  return Object.fromEntries(Object.entries(object).filter(([key]) => !fields.includes(key)));
}

/** `list.map`, but the very same list when no entry changed. */
function mapSame(list: readonly Json[], change: (entry: Json, index: number) => Json): readonly Json[] {
  const changed = list.map(change);
  return changed.some((entry, index) => entry !== list[index]) ? changed : list;
}
