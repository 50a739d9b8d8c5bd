import { arrayMember, type Json, type JsonObject, numberMember, objectMember, stringMember } from '../../core/json.ts';
import type { Usage } from '../../core/usage.ts';
import { parseStreamEvent, type StreamEvent } from '../../wire/anthropic/events.ts';
import type { MessageUsage } from '../../wire/anthropic/messages.ts';
import type { ChatChunk, ChatDelta, FinishReason } from '../../wire/openai/chat.ts';
import type { SseEvent } from '../../wire/sse.ts';
import type { CallContext, StreamDecoder, StreamSink } from '../provider.ts';
import { annotationsOf, calledTool, customInput, EMPTY_INPUT, jsonAnswer, parsedOr, serverField } from './answer.ts';
import { classifyEvent } from './errors.ts';
import { finishReason, hiddenStopReason } from './stop-reason.ts';
import { clientUsage, mergeUsage, usageOf } from './usage.ts';

/**
 * Anthropic's stream of events as OpenAI's stream of chunks (specs/translation.md §3).
 *
 * 1. The first chunk carries the role and is sent once, before every other.
 * 2. A delta belongs to the block with its index; deltas of unknown blocks are skipped.
 * 3. Tool calls are numbered by themselves: Anthropic's block index counts texts and server tools as well.
 * 4. The stream is whole only after `message_stop`; any other end is a failure.
 * 5. Nothing is said after `complete` or `fail`.
 *
 *     before -- message_start --> open -- message_stop --> ended (complete)
 *       |                          |
 *       +------- error, malformed event, end of the body --> ended (fail)
 */
export function decodeStream(context: CallContext): StreamDecoder {
  return new AnthropicStream(context);
}

/** What is remembered of a block between its start and its stop. */
type OpenBlock =
  | { readonly kind: 'text'; readonly start: number; readonly citations: Json[] }
  | { readonly kind: 'thinking' }
  | { readonly kind: 'function'; readonly index: number; sawArguments: boolean; readonly isComplete: boolean }
  /** Kinds whose input is needed whole. */
  | { readonly kind: 'custom'; readonly index: number; input: string }
  | { readonly kind: 'json'; input: string }
  | { readonly kind: 'server'; readonly block: JsonObject; input: string };

class AnthropicStream implements StreamDecoder {
  readonly #context: CallContext;
  readonly #blocks = new Map<number, OpenBlock>();
  /** As the upstream says it: what a client reads as `model` is who answered, after a fallback above all. */
  #model: string;
  #state: 'before' | 'open' | 'ended' = 'before';
  #committed = false;
  #toolCount = 0;
  #textLength = 0;
  #reasoningLength = 0;
  /** Text that waits in JSON mode: the JSON tool's input replaces it, should the tool be called. */
  #heldText = '';
  #sawJson = false;
  #stopReason: string | null = null;
  #refusal: string | null = null;
  #wireUsage: MessageUsage = {};

  constructor(context: CallContext) {
    this.#context = context;
    this.#model = context.model;
  }

  push(event: SseEvent, sink: StreamSink): void {
    if (this.#state === 'ended') return;
    const payload = parseStreamEvent(event.data());
    if (payload === null) this.#break('an event is malformed', sink);
    else this.#handle(payload, sink);
  }

  end(sink: StreamSink): void {
    if (this.#state !== 'ended') this.#break('the stream ended without message_stop', sink);
  }

  #handle(event: StreamEvent, sink: StreamSink): void {
    switch (event.type) {
      case 'message_start':
        this.#onMessageStart(event, sink);
        break;
      case 'content_block_start':
        this.#onBlockStart(event, sink);
        break;
      case 'content_block_delta':
        this.#onBlockDelta(event, sink);
        break;
      case 'content_block_stop':
        this.#onBlockStop(event, sink);
        break;
      case 'message_delta':
        this.#onMessageDelta(event, sink);
        break;
      case 'message_stop':
        this.#onMessageStop(sink);
        break;
      case 'error':
        this.#state = 'ended';
        sink.fail(classifyEvent(event));
        break;
      default:
        // Pings, and events of a later version, which the API's documentation tells clients to skip.
        return;
    }
  }

  #onMessageStart(event: StreamEvent, sink: StreamSink): void {
    const message = objectMember(event, 'message') ?? {};
    const usage = objectMember(message, 'usage');
    this.#model = stringMember(message, 'model') ?? this.#model;
    if (usage !== null) this.#takeUsage(usage, sink);
    this.#open(sink);
  }

  #open(sink: StreamSink): void {
    if (this.#state !== 'before') return;
    this.#state = 'open';
    sink.chunk(this.#chunk({ role: 'assistant', content: '' }, null));
  }

  #onMessageDelta(event: StreamEvent, sink: StreamSink): void {
    const delta = objectMember(event, 'delta') ?? {};
    this.#stopReason = stringMember(delta, 'stop_reason') ?? this.#stopReason;
    this.#refusal = stringMember(objectMember(delta, 'stop_details') ?? {}, 'explanation') ?? this.#refusal;
    const usage = objectMember(event, 'usage');
    if (usage !== null) this.#takeUsage(usage, sink);
  }

  #onMessageStop(sink: StreamSink): void {
    this.#open(sink);
    if (this.#heldText !== '' && !this.#sawJson) this.#emit({ content: this.#heldText }, sink);
    if (this.#stopReason === 'refusal' && this.#refusal !== null) this.#emit({ refusal: this.#refusal }, sink);
    const hidden = hiddenStopReason(this.#stopReason);
    const delta = hidden === null ? {} : { provider_specific_fields: { stop_reason: hidden } };
    sink.chunk(this.#chunk(delta, this.#clientFinish()));
    if (this.#context.wantsUsage) sink.chunk(this.#usageChunk());
    this.#state = 'ended';
    sink.complete();
  }

  #clientFinish(): FinishReason {
    const finish = finishReason(this.#stopReason);
    if (finish !== 'tool_calls') return finish;
    if (this.#sawJson && this.#toolCount === 0) return 'stop';
    return this.#isLegacy() ? 'function_call' : finish;
  }

  // Blocks: each kind has a start, deltas and a stop.

  #onBlockStart(event: StreamEvent, sink: StreamSink): void {
    const block = objectMember(event, 'content_block');
    const index = numberMember(event, 'index');
    if (block === null || index === null) return;
    this.#open(sink);
    const open = this.#startBlock(block, sink);
    if (open !== null) this.#blocks.set(index, open);
  }

  #startBlock(block: JsonObject, sink: StreamSink): OpenBlock | null {
    const type = stringMember(block, 'type') ?? '';
    switch (type) {
      case 'text': {
        const text = { kind: 'text', start: this.#textLength, citations: [] } satisfies OpenBlock;
        this.#onText(stringMember(block, 'text') ?? '', sink);
        for (const citation of arrayMember(block, 'citations')) this.#onCitation(text, citation, sink);
        return text;
      }
      case 'thinking':
        this.#onThinking(stringMember(block, 'thinking') ?? '', sink);
        this.#onSignature(stringMember(block, 'signature') ?? '', sink);
        return { kind: 'thinking' };
      case 'redacted_thinking':
        this.#emit({ thinking_blocks: [{ type, data: stringMember(block, 'data') ?? '' }] }, sink);
        return null;
      case 'tool_use':
        return this.#startTool(block, sink);
      default:
        return this.#startServerBlock(type, block, sink);
    }
  }

  #onBlockDelta(event: StreamEvent, sink: StreamSink): void {
    const delta = objectMember(event, 'delta');
    const block = this.#blocks.get(numberMember(event, 'index') ?? -1);
    if (delta === null || block === undefined) return;
    switch (delta.type) {
      case 'text_delta':
        this.#onText(stringMember(delta, 'text') ?? '', sink);
        break;
      case 'thinking_delta':
        this.#onThinking(stringMember(delta, 'thinking') ?? '', sink);
        break;
      case 'signature_delta':
        this.#onSignature(stringMember(delta, 'signature') ?? '', sink);
        break;
      case 'input_json_delta':
        this.#onInput(block, stringMember(delta, 'partial_json') ?? '', sink);
        break;
      case 'citations_delta':
        this.#onCitation(block, delta.citation, sink);
        break;
      default:
        return;
    }
  }

  #onBlockStop(event: StreamEvent, sink: StreamSink): void {
    const index = numberMember(event, 'index') ?? -1;
    const block = this.#blocks.get(index);
    this.#blocks.delete(index);
    switch (block?.kind) {
      case undefined:
      case 'thinking':
        return;
      case 'text':
        this.#stopText(block, sink);
        break;
      case 'function':
        if (!block.sawArguments) this.#emitArguments(block.index, EMPTY_INPUT, sink);
        return;
      case 'custom':
        this.#emit(
          { tool_calls: [{ index: block.index, custom: { input: customInput(block.input || EMPTY_INPUT) } }] },
          sink,
        );
        break;
      case 'json':
        this.#stopJson(block, sink);
        break;
      case 'server':
        this.#emitServerBlock({ ...block.block, input: parsedOr(block.input, block.block.input ?? {}) }, sink);
        break;
    }
  }

  // Text and citations

  #onText(text: string, sink: StreamSink): void {
    if (text === '') return;
    this.#textLength += text.length;
    if (this.#jsonTool() === null) this.#emit({ content: text }, sink);
    else this.#heldText += text;
  }

  #onCitation(block: OpenBlock, citation: Json | undefined, sink: StreamSink): void {
    if (block.kind !== 'text' || citation === undefined) return;
    block.citations.push(citation);
    this.#emit({ provider_specific_fields: { citation } }, sink);
  }

  /** Annotations need the end of the text that they are about, so they come after it. */
  #stopText(block: Extract<OpenBlock, { kind: 'text' }>, sink: StreamSink): void {
    const annotations = annotationsOf(block.citations, block.start, this.#textLength);
    if (annotations.length > 0) this.#emit({ annotations }, sink);
  }

  // Thinking

  #onThinking(thinking: string, sink: StreamSink): void {
    if (thinking === '') return;
    this.#reasoningLength += thinking.length;
    const block = { type: 'thinking', thinking, signature: '' } as const;
    this.#emit({ reasoning_content: thinking, thinking_blocks: [block] }, sink);
  }

  #onSignature(signature: string, sink: StreamSink): void {
    if (signature !== '') this.#emit({ thinking_blocks: [{ type: 'thinking', thinking: '', signature }] }, sink);
  }

  // Tools

  #startTool(block: JsonObject, sink: StreamSink): OpenBlock {
    const { kind, name } = calledTool(stringMember(block, 'name') ?? '', this.#context.answer);
    // Anthropic's own `input` is a placeholder here; servers that imitate it send the whole.
    const input = objectMember(block, 'input') ?? {};
    const whole = Object.keys(input).length === 0 ? '' : JSON.stringify(input);
    if (kind === 'json') {
      this.#sawJson = true;
      if (this.#jsonTool()?.wrapper === null) this.#emitJson(whole, sink);
      return { kind, input: whole };
    }
    const index = this.#toolCount++;
    const id = stringMember(block, 'id') ?? '';
    if (kind === 'custom') {
      this.#emit({ tool_calls: [{ index, id, type: 'custom', custom: { name, input: '' } }] }, sink);
      return { kind, index, input: whole };
    }
    this.#emitCall(index, id, name, sink);
    this.#emitArguments(index, whole, sink);
    return { kind, index, sawArguments: whole !== '', isComplete: whole !== '' };
  }

  #onInput(block: OpenBlock, fragment: string, sink: StreamSink): void {
    if (fragment === '') return;
    switch (block.kind) {
      case 'function':
        if (block.isComplete) return;
        block.sawArguments = true;
        this.#emitArguments(block.index, fragment, sink);
        break;
      case 'json':
        block.input += fragment;
        if (this.#jsonTool()?.wrapper === null) this.#emitJson(fragment, sink);
        return;
      case 'custom':
      case 'server':
        block.input += fragment;
        return;
      case 'text':
      case 'thinking':
        return;
    }
  }

  #emitCall(index: number, id: string, name: string, sink: StreamSink): void {
    const called = { name, arguments: '' };
    if (!this.#isLegacy()) this.#emit({ tool_calls: [{ index, id, type: 'function', function: called }] }, sink);
    else if (index === 0) this.#emit({ function_call: called }, sink);
  }

  #emitArguments(index: number, fragment: string, sink: StreamSink): void {
    if (fragment === '') return;
    if (!this.#isLegacy()) this.#emit({ tool_calls: [{ index, function: { arguments: fragment } }] }, sink);
    else if (index === 0) this.#emit({ function_call: { arguments: fragment } }, sink);
  }

  #stopJson(block: Extract<OpenBlock, { kind: 'json' }>, sink: StreamSink): void {
    const tool = this.#jsonTool();
    if (tool === null) return;
    if (tool.wrapper !== null) this.#emitJson(jsonAnswer(block.input || EMPTY_INPUT, tool), sink);
    else if (block.input === '') this.#emitJson(EMPTY_INPUT, sink);
  }

  #emitJson(text: string, sink: StreamSink): void {
    if (text !== '') this.#emit({ content: text }, sink);
  }

  // Server tools

  #startServerBlock(type: string, block: JsonObject, sink: StreamSink): OpenBlock | null {
    const field = serverField(type);
    if (field === 'server_tool_use') return { kind: 'server', block, input: '' };
    if (field !== null) this.#emitServerBlock(block, sink);
    return null;
  }

  #emitServerBlock(block: JsonObject, sink: StreamSink): void {
    const field = serverField(stringMember(block, 'type') ?? '');
    if (field !== null) this.#emit({ provider_specific_fields: { [field]: [block] } }, sink);
  }

  // Output

  #emit(delta: ChatDelta, sink: StreamSink): void {
    sink.chunk(this.#chunk(delta, null));
    if (this.#committed) return;
    this.#committed = true;
    sink.meaningful();
  }

  #chunk(delta: ChatDelta, finish: FinishReason | null): ChatChunk {
    const { id, created, wantsUsage } = this.#context;
    return {
      id: `chatcmpl-${id}`,
      object: 'chat.completion.chunk',
      created,
      model: this.#model,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
      ...(wantsUsage ? { usage: null } : {}),
    };
  }

  #usageChunk(): ChatChunk {
    const { id, created } = this.#context;
    const usage = clientUsage(this.#usage(), this.#wireUsage);
    return {
      id: `chatcmpl-${id}`,
      object: 'chat.completion.chunk',
      created,
      model: this.#model,
      choices: [],
      usage,
    };
  }

  #takeUsage(usage: JsonObject, sink: StreamSink): void {
    this.#wireUsage = mergeUsage(this.#wireUsage, usage);
    sink.usage(this.#usage());
  }

  #usage(): Usage {
    return usageOf(this.#wireUsage, this.#reasoningLength);
  }

  #break(detail: string, sink: StreamSink): void {
    this.#state = 'ended';
    sink.fail({ kind: 'broken-stream', committed: this.#committed, detail });
  }

  #jsonTool() {
    return this.#context.answer?.jsonTool ?? null;
  }

  #isLegacy(): boolean {
    return this.#context.answer?.legacyFunctions === true;
  }
}
