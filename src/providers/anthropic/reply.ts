import { arrayMember, isObject, type Json, type JsonObject, objectMember, stringMember } from '../../core/json.ts';
import type { Failure } from '../../core/outcome.ts';
import type { MessageUsage } from '../../wire/anthropic/messages.ts';
import type { ChatMessage, FinishReason, ThinkingBlock, ToolCall } from '../../wire/openai/chat.ts';
import type { AnswerHints, CallContext, Reply, ReplyHead } from '../provider.ts';
import { annotationsOf, calledTool, customInput, jsonAnswer, parsedOr, serverField } from './answer.ts';
import { classifyEvent } from './errors.ts';
import { finishReason, hiddenStopReason } from './stop-reason.ts';
import { clientUsage, usageOf } from './usage.ts';

/** Reads a complete answer with a 2xx status (specs/translation.md §2); equals the fold of the same answer's stream. */
export function readReply(_head: ReplyHead, body: Uint8Array, context: CallContext): Reply {
  const message = parsedOr(new TextDecoder().decode(body), null);
  if (!isObject(message)) return failed(broken('the answer is not a JSON object'));
  if (isObject(message.error)) return failed(classifyEvent(message));
  if (!Array.isArray(message.content)) return failed(broken('the answer has no content'));
  const blocks = new BlockReader(context.answer);
  for (const block of message.content) if (isObject(block)) blocks.read(block);
  return chatReply(message, blocks, context);
}

function chatReply(message: JsonObject, blocks: BlockReader, context: CallContext): Reply {
  const stopReason = stringMember(message, 'stop_reason');
  const wireUsage = (objectMember(message, 'usage') ?? {}) as MessageUsage; // each count is checked by usageOf
  const usage = usageOf(wireUsage, blocks.reasoning.length);
  return {
    kind: 'chat',
    chat: {
      id: `chatcmpl-${context.id}`,
      object: 'chat.completion',
      created: context.created,
      model: stringMember(message, 'model') ?? context.model,
      choices: [
        {
          index: 0,
          message: chatMessage(message, blocks, context.answer),
          logprobs: null,
          finish_reason: clientFinish(stopReason, blocks, context.answer),
        },
      ],
      usage: clientUsage(usage, wireUsage),
    },
    usage,
    finish: stopReason === 'refusal' ? 'content-filter' : 'normal',
  };
}

function clientFinish(stopReason: string | null, blocks: BlockReader, hints: AnswerHints | null): FinishReason {
  const finish = finishReason(stopReason);
  if (finish !== 'tool_calls') return finish;
  if (blocks.toolCalls.length === 0 && blocks.json !== null) return 'stop';
  return hints?.legacyFunctions === true ? 'function_call' : finish;
}

function chatMessage(message: JsonObject, blocks: BlockReader, hints: AnswerHints | null): ChatMessage {
  const content = blocks.json ?? blocks.text;
  const refusal = refusalText(message);
  const fields = specificFields(message, blocks);
  return {
    role: 'assistant',
    content: content === '' ? null : content,
    ...(refusal === null ? {} : { refusal }),
    ...(blocks.reasoning === '' ? {} : { reasoning_content: blocks.reasoning }),
    ...(blocks.thinking.length === 0 ? {} : { thinking_blocks: blocks.thinking }),
    ...calls(blocks.toolCalls, hints),
    ...(blocks.annotations.length === 0 ? {} : { annotations: blocks.annotations }),
    ...(Object.keys(fields).length === 0 ? {} : { provider_specific_fields: fields }),
  };
}

/** Why the model refused, in Anthropic's words; null when it did not, or does not say. */
function refusalText(message: JsonObject): string | null {
  const details = objectMember(message, 'stop_details');
  return message.stop_reason === 'refusal' && details !== null ? stringMember(details, 'explanation') : null;
}

function calls(toolCalls: readonly ToolCall[], hints: AnswerHints | null): Partial<ChatMessage> {
  const first = toolCalls[0];
  if (first === undefined) return {};
  if (hints?.legacyFunctions === true && first.type === 'function') return { function_call: first.function };
  return { tool_calls: toolCalls };
}

function specificFields(message: JsonObject, blocks: BlockReader): JsonObject {
  const stopReason = hiddenStopReason(stringMember(message, 'stop_reason'));
  return {
    ...(blocks.reasoning === '' ? {} : { reasoning_content: blocks.reasoning }),
    ...(blocks.thinking.length === 0 ? {} : { thinking_blocks: blocks.thinking.map((block) => ({ ...block })) }),
    ...(blocks.citations.length === 0 ? {} : { citations: blocks.citations }),
    ...Object.fromEntries(blocks.serverBlocks),
    ...(stopReason === null ? {} : { stop_reason: stopReason }),
  };
}

/** Sorts the blocks of an answer into the places where a chat client looks for them. */
class BlockReader {
  text = '';
  /** The input of the JSON tool, which takes the place of the text; null when it was not called. */
  json: string | null = null;
  reasoning = '';
  readonly thinking: ThinkingBlock[] = [];
  readonly toolCalls: ToolCall[] = [];
  readonly annotations: Json[] = [];
  /** One list for each text block that has citations, as LiteLLM gives them. */
  readonly citations: Json[] = [];
  readonly serverBlocks = new Map<string, Json[]>();
  readonly #hints: AnswerHints | null;

  constructor(hints: AnswerHints | null) {
    this.#hints = hints;
  }

  read(block: JsonObject): void {
    const type = stringMember(block, 'type') ?? '';
    switch (type) {
      case 'text':
        this.#readText(block);
        break;
      case 'thinking':
        this.#readThinking(block);
        break;
      case 'redacted_thinking':
        this.thinking.push({ type, data: stringMember(block, 'data') ?? '' });
        return;
      case 'tool_use':
        this.#readToolUse(block);
        break;
      default:
        this.#readServerBlock(type, block);
        break;
    }
  }

  #readText(block: JsonObject): void {
    const start = this.text.length;
    this.text += stringMember(block, 'text') ?? '';
    const citations = arrayMember(block, 'citations');
    if (citations.length === 0) return;
    this.citations.push(citations);
    this.annotations.push(...annotationsOf(citations, start, this.text.length));
  }

  #readThinking(block: JsonObject): void {
    const thinking = stringMember(block, 'thinking') ?? '';
    this.reasoning += thinking;
    this.thinking.push({ type: 'thinking', thinking, signature: stringMember(block, 'signature') ?? '' });
  }

  #readToolUse(block: JsonObject): void {
    const { kind, name } = calledTool(stringMember(block, 'name') ?? '', this.#hints);
    const id = stringMember(block, 'id') ?? '';
    const input = JSON.stringify(block.input ?? {});
    const jsonTool = this.#hints?.jsonTool ?? null;
    if (kind === 'json' && jsonTool !== null) this.json = (this.json ?? '') + jsonAnswer(input, jsonTool);
    else if (kind === 'custom')
      this.toolCalls.push({ id, type: 'custom', custom: { name, input: customInput(input) } });
    else this.toolCalls.push({ id, type: 'function', function: { name, arguments: input } });
  }

  #readServerBlock(type: string, block: JsonObject): void {
    const field = serverField(type);
    if (field === null) return;
    const blocks = this.serverBlocks.get(field) ?? [];
    blocks.push(block);
    this.serverBlocks.set(field, blocks);
  }
}

function broken(detail: string): Failure {
  return { kind: 'broken-stream', committed: false, detail };
}

function failed(outcome: Failure): Reply {
  return { kind: 'failed', outcome };
}
