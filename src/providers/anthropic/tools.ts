import { arrayMember, isObject, type Json, type JsonObject, objectMember, stringMember } from '../../core/json.ts';
import { cacheMark } from './cache-control.ts';
import type { ModelTraits } from './models.ts';
import { upstreamToolName } from './names.ts';
import type { Notes } from './notes.ts';
import { refuseInvalid } from './refusal.ts';
import { sanitisedSchema } from './schema.ts';

/** `tools` and what else comes out of the client's list. */
export interface Toolbox {
  readonly tools: readonly JsonObject[];
  readonly mcpServers: readonly JsonObject[];
}

/** Tools that Anthropic defines or runs itself; these begin the `type`, a date follows. */
const HOSTED = [
  'web_search',
  'web_fetch',
  'bash',
  'text_editor',
  'computer_',
  'code_execution',
  'memory',
  'tool_search',
];
const MCP_BETA = 'mcp-client-2025-11-20';
/** Tools that need a beta, by the whole type (Anthropic's "Computer use tool", read November 2026). */
const TOOL_BETAS: ReadonlyMap<string, string> = new Map([
  ['computer_20241022', 'computer-use-2024-10-22'],
  ['computer_20250124', 'computer-use-2025-01-24'],
  ['computer_20251124', 'computer-use-2025-11-24'],
]);
/** Most tools with `strict` in one request (specs/anthropic.md §9). */
const MOST_STRICT = 20;
/** Searches for each `search_context_size`, as LiteLLM counts them. */
const SEARCHES: ReadonlyMap<string, number> = new Map([
  ['low', 1],
  ['medium', 5],
  ['high', 10],
]);

/** Stands in for tools that the history used and the request no longer names (LiteLLM, under `modify_params`). */
export const DUMMY_TOOL: JsonObject = {
  name: 'dummy_tool',
  description: 'This is a dummy tool call',
  input_schema: { type: 'object', properties: {} },
};

/** Translates `tools`, or the older `functions`, and `web_search_options`. */
export function toolbox(parameters: JsonObject, traits: ModelTraits, notes: Notes): Toolbox {
  const mcpServers: JsonObject[] = [];
  const tools: JsonObject[] = [];
  for (const tool of allowedTools(parameters)) {
    if (!isObject(tool)) return refuseInvalid('Each tool must be an object.', 'tools');
    if (tool.type === 'mcp') mcpServers.push(mcpServer(tool));
    else tools.push(toolDefinition(tool, traits, notes));
  }
  if (mcpServers.length > 0) notes.betas.add(MCP_BETA);
  const search = objectMember(parameters, 'web_search_options');
  if (search !== null) tools.push(webSearch(search));
  return { tools: withFewStrict(tools), mcpServers };
}

/** Whether the client speaks of `functions`, so that the answer must as well. */
export function usesLegacyFunctions(parameters: JsonObject): boolean {
  return arrayMember(parameters, 'functions').length > 0 && arrayMember(parameters, 'tools').length === 0;
}

/** The declared tools; only the listed ones when `tool_choice` is `allowed_tools`. */
function allowedTools(parameters: JsonObject): readonly Json[] {
  if (usesLegacyFunctions(parameters)) {
    return arrayMember(parameters, 'functions').map((declared) => ({ type: 'function', function: declared }));
  }
  const tools = arrayMember(parameters, 'tools');
  const choice = objectMember(parameters, 'tool_choice');
  if (choice?.type !== 'allowed_tools') return tools;
  const listed = new Set(arrayMember(objectMember(choice, 'allowed_tools') ?? choice, 'tools').map(toolName));
  return tools.filter((tool) => listed.has(toolName(tool)));
}

/** The client's name of a tool in any of its forms; null when it has none. */
export function toolName(tool: Json): string | null {
  if (!isObject(tool)) return null;
  const inner = objectMember(tool, 'function') ?? objectMember(tool, 'custom') ?? tool;
  return stringMember(inner, 'name');
}

function toolDefinition(tool: JsonObject, traits: ModelTraits, notes: Notes): JsonObject {
  const declared = objectMember(tool, 'function');
  if (declared !== null) return functionTool(tool, declared, traits, notes);
  const custom = objectMember(tool, 'custom');
  if (custom !== null) return customTool(tool, custom, notes);
  const type = stringMember(tool, 'type') ?? '';
  if (isObject(tool.input_schema)) return { ...tool, name: upstreamToolName(stringMember(tool, 'name') ?? '', notes) };
  if (!HOSTED.some((beginning) => type.startsWith(beginning))) {
    return refuseInvalid(`Anthropic has no tool of type '${type}'. Declare it as a function.`, 'tools');
  }
  const beta = TOOL_BETAS.get(type);
  if (beta !== undefined) notes.betas.add(beta);
  return tool;
}

function functionTool(tool: JsonObject, declared: JsonObject, traits: ModelTraits, notes: Notes): JsonObject {
  const schema = objectSchema(objectMember(declared, 'parameters'));
  const isStrict = declared.strict === true && traits.nativeJson;
  return {
    name: upstreamToolName(requiredName(declared), notes),
    ...described(stringMember(declared, 'description')),
    input_schema: isStrict ? sanitisedSchema(schema) : schema,
    ...(isStrict ? { strict: true } : {}),
    ...('cache_control' in tool ? cacheMark(tool, notes) : cacheMark(declared, notes)),
  };
}

/** A tool with free text as its input: Anthropic has only objects, so the text becomes a member. */
function customTool(tool: JsonObject, custom: JsonObject, notes: Notes): JsonObject {
  const name = requiredName(custom);
  notes.customTools.add(name);
  const texts = [stringMember(custom, 'description'), grammarText(custom)].filter((text) => text !== null);
  return {
    name: upstreamToolName(name, notes),
    ...described(texts.length === 0 ? null : texts.join('\n\n')),
    input_schema: { type: 'object', properties: { input: { type: 'string' } }, required: ['input'] },
    ...cacheMark(tool, notes),
  };
}

function grammarText(custom: JsonObject): string | null {
  const grammar = objectMember(objectMember(custom, 'format') ?? {}, 'grammar');
  if (grammar === null) return null;
  const syntax = stringMember(grammar, 'syntax') ?? 'lark';
  return `The input must match this ${syntax} grammar:\n${stringMember(grammar, 'definition') ?? ''}`;
}

function mcpServer(tool: JsonObject): JsonObject {
  const allowed = Array.isArray(tool.allowed_tools) ? tool.allowed_tools : null;
  const token = stringMember(tool, 'authorization_token') ?? stringMember(tool, 'authorization');
  return {
    type: 'url',
    url: tool.server_url,
    name: tool.server_label,
    ...(token === null ? {} : { authorization_token: token }),
    ...(allowed === null ? {} : { tool_configuration: { allowed_tools: allowed } }),
  };
}

function webSearch(options: JsonObject): JsonObject {
  const searches = SEARCHES.get(stringMember(options, 'search_context_size') ?? '');
  const location = objectMember(options, 'user_location');
  return {
    type: 'web_search_20250305',
    name: 'web_search',
    ...(searches === undefined ? {} : { max_uses: searches }),
    ...(location === null
      ? {}
      : { user_location: { type: 'approximate', ...(objectMember(location, 'approximate') ?? location) } }),
  };
}

function objectSchema(parameters: JsonObject | null): JsonObject {
  if (parameters === null) return { type: 'object', properties: {} };
  return parameters.type === 'object' ? parameters : { ...parameters, type: 'object' };
}

function withFewStrict(tools: readonly JsonObject[]): readonly JsonObject[] {
  let strict = 0;
  return tools.map((tool) => {
    if (tool.strict !== true || ++strict <= MOST_STRICT) return tool;
    const { strict: _tooMany, ...rest } = tool;
    return rest;
  });
}

function requiredName(declared: JsonObject): string {
  return stringMember(declared, 'name') ?? refuseInvalid('Each tool needs a name.', 'tools');
}

function described(description: string | null): JsonObject {
  return description === null ? {} : { description };
}
