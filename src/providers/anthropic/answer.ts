import { isObject, type Json, type JsonObject, stringMember } from '../../core/json.ts';
import { parseExact } from '../../wire/anthropic/exact-json.ts';
import type { AnswerHints, JsonTool } from '../provider.ts';

/** What replies and streams have in common: how pieces of an answer look to the client. */

/** The arguments of a call without arguments: a stream may send nothing for them at all. */
export const EMPTY_INPUT = '{}';

/** How a called tool is known to the client. */
export interface CalledTool {
  /** `json`: the made-up tool whose input is the answer's text; `custom`: one with free text as input. */
  readonly kind: 'function' | 'custom' | 'json';
  readonly name: string;
}

/** The client's name and kind of a tool that the model called. */
export function calledTool(upstreamName: string, hints: AnswerHints | null): CalledTool {
  if (hints !== null && hints.jsonTool?.name === upstreamName) return { kind: 'json', name: upstreamName };
  const name = hints?.toolNames.get(upstreamName) ?? upstreamName;
  return { kind: hints?.customTools.has(name) === true ? 'custom' : 'function', name };
}

/** The free text in a custom tool's input; the input itself when the model gave another shape. */
export function customInput(argumentsText: string): string {
  const input = parsedOr(argumentsText, null);
  const text = isObject(input) ? stringMember(input, 'input') : null;
  return text ?? (argumentsText === EMPTY_INPUT ? '' : argumentsText);
}

/** The JSON that the client asked for, out of the input of the tool that stands for it. */
export function jsonAnswer(argumentsText: string, tool: JsonTool): string {
  if (tool.wrapper === null) return argumentsText;
  const input = parsedOr(argumentsText, null);
  const value = isObject(input) ? input[tool.wrapper] : undefined;
  return value === undefined ? argumentsText : JSON.stringify(value);
}

/** Parsed JSON, or the given value when the text is none (an answer cut off by `max_tokens`). */
export function parsedOr(text: string, otherwise: Json): Json {
  try {
    return parseExact(text);
  } catch {
    return otherwise;
  }
}

/**
 * OpenAI's annotations for the citations of one text block: those that name a web page.
 *
 * @param start offset of the block in the whole content, in UTF-16 units
 */
export function annotationsOf(citations: readonly Json[], start: number, end: number): readonly JsonObject[] {
  return citations.flatMap((citation) => {
    const url = isObject(citation) ? stringMember(citation, 'url') : null;
    if (!isObject(citation) || url === null) return [];
    const title = stringMember(citation, 'title') ?? '';
    return [{ type: 'url_citation', url_citation: { start_index: start, end_index: end, title, url } }];
  });
}

/**
 * Under which name a block that is not for the client to act on stands in `provider_specific_fields`.
 *
 * Server tools run at Anthropic; shown as tool calls, the client would try to run them. Null for blocks that are left
 * out.
 */
export function serverField(blockType: string): 'server_tool_use' | 'web_search_results' | 'tool_results' | null {
  if (blockType === 'server_tool_use' || blockType === 'mcp_tool_use') return 'server_tool_use';
  if (blockType === 'web_search_tool_result') return 'web_search_results';
  return blockType.endsWith('_tool_result') ? 'tool_results' : null;
}
