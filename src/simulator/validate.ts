import type { HeaderPair } from '../core/http.ts';
import { arrayMember, isObject, type Json, type JsonObject, numberMember, stringMember } from '../core/json.ts';
import type { Dialect, Operation } from './dialect.ts';
import { type StatusFault, statusFault } from './fault.ts';

/**
 * Why the real provider would refuse this request, or null.
 *
 * Only what a gateway could get wrong: a missing member, an option without its partner, a missing version header.
 */
export function refusal(
  dialect: Dialect,
  operation: Operation,
  body: Json | undefined,
  headers: readonly HeaderPair[],
): StatusFault | null {
  if (operation === 'models' || operation === 'model') return null;
  if (!isObject(body)) return invalid(dialect === 'anthropic' ? NOT_JSON_ANTHROPIC : NOT_JSON_OPENAI, null);
  return operation === 'messages' ? refusedMessages(body, headers) : refusedOpenAi(operation, dialect, body);
}

const NOT_JSON_OPENAI =
  "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble figuring out how to fix this, please contact us through our help center at help.openai.com.)";
const NOT_JSON_ANTHROPIC = 'The request body is not valid JSON';

function invalid(message: string, param: string | null): StatusFault {
  return statusFault('invalid-request', { message, param });
}

function refusedOpenAi(operation: Operation, dialect: Dialect, body: JsonObject): StatusFault | null {
  const required = { chat: 'messages', embeddings: 'input', completions: null }[operation as string] ?? null;
  if (dialect === 'openai' && stringMember(body, 'model') === null)
    return invalid('you must provide a model parameter', null);
  if (required !== null && body[required] === undefined) {
    return invalid(`Missing required parameter: '${required}'.`, required);
  }
  if (operation === 'chat' && arrayMember(body, 'messages').length === 0) {
    return invalid(
      "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
      'messages',
    );
  }
  if (body.stream_options !== undefined && body.stream_options !== null && body.stream !== true) {
    return invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.", 'stream_options');
  }
  if (body.tool_choice !== undefined && body.tools === undefined && operation === 'chat') {
    return invalid(
      "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
      'tool_choice',
    );
  }
  return null;
}

function refusedMessages(body: JsonObject, headers: readonly HeaderPair[]): StatusFault | null {
  if (!headers.some(([name]) => name === 'anthropic-version'))
    return invalid('anthropic-version: header is required', null);
  if (stringMember(body, 'model') === null) return invalid('model: Field required', null);
  if (numberMember(body, 'max_tokens') === null) return invalid('max_tokens: Field required', null);
  const messages = arrayMember(body, 'messages').filter(isObject);
  if (messages.length === 0) return invalid('messages: at least one message is required', null);
  if (messages[0]?.role !== 'user') return invalid('messages: first message must use the "user" role', null);
  const empty = messages.findIndex((message) => arrayMember(message, 'content').some(isEmptyText));
  if (empty >= 0) return invalid(`messages.${empty}: text content blocks must be non-empty`, null);
  if (body.tool_choice !== undefined && body.tools === undefined)
    return invalid('tool_choice: may only be specified while providing tools', null);
  return unansweredTools(messages);
}

function isEmptyText(block: Json): boolean {
  return isObject(block) && block.type === 'text' && block.text === '';
}

/** Each `tool_use` must find its `tool_result` in the next message (anthropic.md §3.2). */
function unansweredTools(messages: readonly JsonObject[]): StatusFault | null {
  for (const [index, message] of messages.entries()) {
    const used = blockIds(message, 'tool_use', 'id');
    const answered = blockIds(messages[index + 1] ?? {}, 'tool_result', 'tool_use_id');
    const missing = used.filter((id) => !answered.includes(id));
    if (missing.length > 0) {
      return invalid(
        `messages.${index}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${missing.join(', ')}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
        null,
      );
    }
  }
  return null;
}

function blockIds(message: JsonObject, type: string, key: string): string[] {
  return arrayMember(message, 'content')
    .filter(isObject)
    .filter((block) => block.type === type)
    .map((block) => stringMember(block, key) ?? '');
}
