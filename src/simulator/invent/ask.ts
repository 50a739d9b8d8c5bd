import {
  arrayMember,
  isObject,
  type Json,
  type JsonObject,
  numberMember,
  objectMember,
  stringMember,
} from '../../core/json.ts';
import { tokensOf } from './prose.ts';

/** What a request asks for, in no dialect. */
export interface Ask {
  readonly model: string;
  /** Text of the last message, whoever wrote it. */
  readonly lastText: string;
  /** Whether the last message is a user's own words, not the result of a tool. */
  readonly fromUser: boolean;
  readonly tools: readonly AskedTool[];
  readonly toolChoice: 'auto' | 'none' | 'any' | { readonly name: string };
  readonly parallelTools: boolean;
  /** JSON Schema of the answer, `{}` for any JSON object, null for prose. */
  readonly jsonSchema: Json;
  readonly maxTokens: number | null;
  readonly choices: number;
  readonly wantsThinking: boolean;
  readonly inputTokens: number;
}

export interface AskedTool {
  readonly name: string;
  readonly schema: Json;
}

/** Reads a chat completions request; members of the wrong type count as absent. */
export function askOfOpenAi(body: JsonObject): Ask {
  const messages = arrayMember(body, 'messages').filter(isObject);
  const last = messages.at(-1);
  return {
    model: stringMember(body, 'model') ?? '',
    lastText: textOf(last?.content),
    fromUser: last?.role === 'user',
    tools: openAiTools(body),
    toolChoice: openAiChoice(body.tool_choice),
    parallelTools: body.parallel_tool_calls !== false,
    jsonSchema: openAiSchema(objectMember(body, 'response_format')),
    maxTokens: numberMember(body, 'max_completion_tokens') ?? numberMember(body, 'max_tokens'),
    choices: Math.min(128, Math.max(1, numberMember(body, 'n') ?? 1)),
    wantsThinking: false,
    inputTokens: inputTokens(messages, body.tools),
  };
}

/** Reads a Messages request; members of the wrong type count as absent. */
export function askOfAnthropic(body: JsonObject): Ask {
  const messages = arrayMember(body, 'messages').filter(isObject);
  const last = messages.at(-1);
  const blocks = Array.isArray(last?.content) ? last.content.filter(isObject) : [];
  const choice = objectMember(body, 'tool_choice');
  return {
    model: stringMember(body, 'model') ?? '',
    lastText: textOf(last?.content),
    fromUser: last?.role === 'user' && !blocks.some((block) => block.type === 'tool_result'),
    tools: arrayMember(body, 'tools')
      .filter(isObject)
      .map((tool) => ({ name: stringMember(tool, 'name') ?? '', schema: tool.input_schema ?? {} })),
    toolChoice: anthropicChoice(choice),
    parallelTools: choice?.disable_parallel_tool_use !== true,
    jsonSchema: objectMember(objectMember(body, 'output_config') ?? {}, 'format')?.schema ?? null,
    maxTokens: numberMember(body, 'max_tokens'),
    choices: 1,
    wantsThinking: ['enabled', 'adaptive'].includes(stringMember(objectMember(body, 'thinking') ?? {}, 'type') ?? ''),
    inputTokens: inputTokens([body.system ?? null, ...messages], body.tools),
  };
}

/** The text of a message's content: a string, or its text parts joined. */
export function textOf(content: Json | undefined): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .filter(isObject)
    .map((part) => stringMember(part, 'text') ?? '')
    .join('');
}

function openAiTools(body: JsonObject): AskedTool[] {
  return arrayMember(body, 'tools')
    .filter(isObject)
    .map((tool) => objectMember(tool, 'function'))
    .filter((tool) => tool !== null)
    .map((tool) => ({ name: stringMember(tool, 'name') ?? '', schema: tool.parameters ?? {} }));
}

function openAiChoice(choice: Json | undefined): Ask['toolChoice'] {
  if (choice === 'none') return 'none';
  if (choice === 'required') return 'any';
  if (!isObject(choice)) return 'auto';
  const name = stringMember(objectMember(choice, 'function') ?? {}, 'name');
  return name === null ? 'auto' : { name };
}

function anthropicChoice(choice: JsonObject | null): Ask['toolChoice'] {
  if (choice?.type === 'none') return 'none';
  if (choice?.type === 'any') return 'any';
  return choice?.type === 'tool' ? { name: stringMember(choice, 'name') ?? '' } : 'auto';
}

function openAiSchema(format: JsonObject | null): Json {
  if (format?.type === 'json_object') return {};
  if (format?.type !== 'json_schema') return null;
  return objectMember(format, 'json_schema')?.schema ?? {};
}

function inputTokens(parts: readonly Json[], tools: Json | undefined): number {
  return tokensOf(JSON.stringify(parts) + (tools === undefined ? '' : JSON.stringify(tools)));
}
