import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import type { Rewrite } from './rules.ts';

/** Names below which schema keys are the user's own words, not the schema's. */
const USER_NAMED = new Set(['properties', '$defs', 'definitions', 'patternProperties']);
/** Schema keys that hold values, not schemas. */
const EXAMPLES = new Set(['default', 'const', 'enum', 'examples', 'example']);

/** Takes Anthropic's cache marks off tools. */
export const STRIP_TOOL_CACHE_CONTROL: Rewrite = {
  member: 'tools',
  needles: ['"cache_control"'],
  apply: (tools) => (Array.isArray(tools) ? tools.map((tool: Json) => stripOwn(tool, ['cache_control'])) : tools),
};

/**
 * Takes keys out of function tools that a host refuses: `strict`, and schema keys such as `additionalProperties`.
 *
 * Parameters that only happen to have such a name (`properties.strict`) stay.
 */
export function stripToolKeys(keys: readonly string[]): Rewrite {
  return {
    member: 'tools',
    needles: keys.map((key) => `"${key}"`),
    apply: (tools) => (Array.isArray(tools) ? tools.map((tool: Json) => strip(tool, keys)) : tools),
  };
}

/** Replaces values of `tool_choice` that a host does not know: `required` is `any` at Mistral. */
export function mapToolChoice(words: Readonly<Record<string, string>>): Rewrite {
  return {
    member: 'tool_choice',
    needles: Object.keys(words).map((word) => `"${word}"`),
    apply: (choice) => (typeof choice === 'string' ? (words[choice] ?? choice) : choice),
  };
}

/** For hosts that cannot be told which function to call: a named choice becomes this word. */
export function namedToolChoiceTo(word: string): Rewrite {
  return { member: 'tool_choice', needles: ['{'], apply: (choice) => (isObject(choice) ? word : choice) };
}

function strip(value: Json, keys: readonly string[]): Json {
  if (Array.isArray(value)) return value.map((entry: Json) => strip(entry, keys));
  if (!isObject(value)) return value;
  const kept: [string, Json | undefined][] = [];
  for (const [key, member] of Object.entries(value)) {
    if (keys.includes(key) || member === undefined) continue;
    if (EXAMPLES.has(key)) kept.push([key, member]);
    else if (USER_NAMED.has(key) && isObject(member)) kept.push([key, stripEach(member, keys)]);
    else kept.push([key, strip(member, keys)]);
  }
  return Object.fromEntries(kept);
}

function stripEach(members: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(
    Object.entries(members).map(([name, schema]) => [name, schema === undefined ? schema : strip(schema, keys)]),
  );
}

function stripOwn(tool: Json, keys: readonly string[]): Json {
  if (!isObject(tool)) return tool;
  const entries = Object.entries(tool)
    .filter(([key]) => !keys.includes(key))
    .map(([key, member]) => [key, isObject(member) ? stripOwn(member, keys) : member]);
  return Object.fromEntries(entries);
}
