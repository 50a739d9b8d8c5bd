import { arrayMember, isObject, type Json, type JsonObject, objectMember, stringMember } from '../../core/json.ts';
import { parseExact } from '../../wire/anthropic/exact-json.ts';
import type { RequestBlock, TextBlock, ToolResultBlock, ToolUseBlock, Turn } from '../../wire/anthropic/messages.ts';
import { cacheMark } from './cache-control.ts';
import { type ContentPolicy, contentBlocks, textBlocks } from './content.ts';
import { upstreamCallId, upstreamToolName } from './names.ts';
import { refuseInvalid } from './refusal.ts';

/**
 * A client's messages as Anthropic wants them: system texts apart, then turns.
 *
 * Neighbours of one side become one turn, and in a user's turn tool results stand before everything else
 * (specs/anthropic.md §3.2). Rules on the whole conversation are in `repair.ts`.
 */
export interface History {
  readonly system: readonly TextBlock[];
  readonly turns: readonly Turn[];
}

/** Sorts the messages into system texts and turns. */
export function readHistory(messages: Json | undefined, policy: ContentPolicy): History {
  if (!Array.isArray(messages)) return refuseInvalid('messages must be a list.', 'messages');
  const reader = new HistoryReader(policy);
  for (const message of messages) reader.read(message);
  return { system: reader.system, turns: reader.turns() };
}

/** A turn while it grows; tool results are kept apart because they go first. */
interface OpenTurn {
  readonly role: 'user' | 'assistant';
  readonly results: RequestBlock[];
  readonly rest: RequestBlock[];
}

class HistoryReader {
  readonly system: TextBlock[] = [];
  readonly #policy: ContentPolicy;
  readonly #turns: OpenTurn[] = [];
  /** Legacy function calls that wait for their `function` message; these carry a name and no id. */
  readonly #functionCalls: { readonly name: string; readonly id: string }[] = [];
  #functionCount = 0;

  constructor(policy: ContentPolicy) {
    this.#policy = policy;
  }

  read(message: Json): void {
    if (!isObject(message)) refuseInvalid('Each message must be an object with a role.', 'messages');
    switch (message.role) {
      case 'system':
      case 'developer':
        this.#readSystem(message);
        break;
      case 'user':
        this.#addToUser(this.#marked(contentBlocks(message.content, this.#policy), message));
        break;
      case 'tool':
        this.#addToUser([this.#toolResult(message, stringMember(message, 'tool_call_id') ?? '')]);
        break;
      case 'function':
        this.#addToUser([this.#toolResult(message, this.#functionId(message))]);
        break;
      case 'assistant':
        this.#readAssistant(message);
        break;
      default:
        refuseInvalid(`There is no message role '${String(message.role)}'.`, 'messages');
    }
  }

  turns(): Turn[] {
    return this.#turns.map(({ role, results, rest }) => {
      const content = [...results, ...rest];
      return { role, content: content.length === 0 ? [placeholder()] : content };
    });
  }

  #readSystem(message: JsonObject): void {
    for (const block of this.#marked(contentBlocks(message.content, this.#policy), message)) {
      if (block.type === 'text') this.system.push(block as TextBlock); // its type was just read
    }
  }

  #addToUser(blocks: readonly RequestBlock[]): void {
    const turn = this.#turnOf('user');
    for (const block of blocks) (block.type === 'tool_result' ? turn.results : turn.rest).push(block);
  }

  #readAssistant(message: JsonObject): void {
    const blocks = [
      ...contentBlocks(message.content, this.#policy),
      ...refusalBlocks(message, this.#policy),
      ...arrayMember(message, 'tool_calls').map((call) => this.#toolUse(call)),
      ...this.#legacyCall(message),
    ];
    const all = [...thinkingBlocks(message), ...this.#marked(blocks, message)];
    // A message with nothing in it does not part its neighbours.
    if (all.length > 0) this.#turnOf('assistant').rest.push(...all);
  }

  #toolUse(call: Json): ToolUseBlock {
    if (!isObject(call)) return refuseInvalid('Each tool call must be an object.', 'messages');
    const id = upstreamCallId(stringMember(call, 'id') ?? '');
    const mark = cacheMark(call, this.#policy.notes);
    const custom = objectMember(call, 'custom');
    if (custom !== null) {
      return {
        type: 'tool_use',
        id,
        name: this.#name(custom),
        input: { input: stringMember(custom, 'input') ?? '' },
        ...mark,
      };
    }
    const called = objectMember(call, 'function') ?? {};
    return {
      type: 'tool_use',
      id,
      name: this.#name(called),
      input: toolInput(stringMember(called, 'arguments')),
      ...mark,
    };
  }

  #legacyCall(message: JsonObject): ToolUseBlock[] {
    const call = objectMember(message, 'function_call');
    if (call === null) return [];
    const id = `call_${++this.#functionCount}`;
    this.#functionCalls.push({ name: stringMember(call, 'name') ?? '', id });
    return [{ type: 'tool_use', id, name: this.#name(call), input: toolInput(stringMember(call, 'arguments')) }];
  }

  /** The id of the earliest unanswered call of that function. */
  #functionId(message: JsonObject): string {
    const index = this.#functionCalls.findIndex((call) => call.name === message.name);
    const call = index < 0 ? undefined : this.#functionCalls.splice(index, 1)[0];
    return (
      call?.id ?? refuseInvalid(`No function_call of '${String(message.name)}' stands before its result.`, 'messages')
    );
  }

  #toolResult(message: JsonObject, id: string): ToolResultBlock {
    const content =
      typeof message.content === 'string' ? message.content : contentBlocks(message.content, this.#policy);
    return {
      type: 'tool_result',
      tool_use_id: upstreamCallId(id),
      content: content.length === 0 ? '' : content,
      ...cacheMark(message, this.#policy.notes),
    };
  }

  /** A cache mark on the message goes on its last block, unless that has one of its own. */
  #marked(blocks: readonly RequestBlock[], message: JsonObject): readonly RequestBlock[] {
    const last = blocks.at(-1);
    if (last === undefined || 'cache_control' in last) return blocks;
    return [...blocks.slice(0, -1), { ...last, ...cacheMark(message, this.#policy.notes) }];
  }

  #name(call: JsonObject): string {
    return upstreamToolName(stringMember(call, 'name') ?? '', this.#policy.notes);
  }

  #turnOf(role: 'user' | 'assistant'): OpenTurn {
    const last = this.#turns.at(-1);
    if (last?.role === role) return last;
    const turn: OpenTurn = { role, results: [], rest: [] };
    this.#turns.push(turn);
    return turn;
  }
}

/** Stands for a user's turn that says nothing, which the API refuses. */
export function placeholder(): TextBlock {
  return { type: 'text', text: '.' };
}

function refusalBlocks(message: JsonObject, policy: ContentPolicy): TextBlock[] {
  const refusal = stringMember(message, 'refusal');
  return refusal === null ? [] : textBlocks(refusal, {}, policy.notes);
}

/**
 * The blocks of thinking that the client sends back, strings untouched.
 *
 * All or none: Anthropic checks each signature, and a gap among them is refused like a false one.
 */
function thinkingBlocks(message: JsonObject): RequestBlock[] {
  const sent = 'thinking_blocks' in message ? arrayMember(message, 'thinking_blocks') : thinkingParts(message);
  const blocks: RequestBlock[] = [];
  for (const block of sent) {
    const signed = signedThinking(block);
    if (signed === null) return [];
    blocks.push(signed);
  }
  return blocks;
}

/** Some clients keep the blocks among the parts of the content. */
function thinkingParts(message: JsonObject): readonly Json[] {
  return arrayMember(message, 'content').filter(
    (part) => isObject(part) && (part.type === 'thinking' || part.type === 'redacted_thinking'),
  );
}

function signedThinking(block: Json): RequestBlock | null {
  if (!isObject(block)) return null;
  const { type, thinking, signature, data } = block;
  if (type === 'redacted_thinking') return typeof data === 'string' && data !== '' ? { type, data } : null;
  if (type !== 'thinking' || typeof thinking !== 'string') return null;
  return typeof signature === 'string' && signature !== '' ? { type, thinking, signature } : null;
}

/** A tool call's arguments as an object; what is none is wrapped, so that nothing the model said gets lost. */
function toolInput(text: string | null): JsonObject {
  if (text === null || text.trim() === '') return {};
  try {
    const value = parseExact(text);
    // The text decides: a number that had to stay exact is an object to JavaScript.
    return isObject(value) && text.trimStart().startsWith('{') ? value : { value };
  } catch {
    return { _raw: text };
  }
}
