import { arrayMember, isObject, type Json, type JsonObject, numberMember, objectMember } from '../../src/core/json.ts';
import { SseSplitter } from '../../src/wire/sse.ts';

/** A choice of a complete answer, as far as a stream can tell it. */
export interface FoldedChoice {
  readonly index: number;
  readonly message: JsonObject;
  readonly finish_reason: Json;
}

/** What a client has at the end of a stream. */
export interface Folded {
  readonly choices: readonly FoldedChoice[];
  readonly usage: Json;
  /** Whether the stream said `[DONE]`. */
  readonly isDone: boolean;
}

/**
 * The answer that a stream of chat chunks adds up to, put together as the official clients do it: texts are joined,
 * tool calls found by their index, lists appended, of everything else the last value counts.
 */
export function fold(stream: Buffer): Folded {
  const choices = new Map<number, ChoiceFold>();
  let usage: Json = null;
  let isDone = false;
  for (const payload of payloads(stream)) {
    if (payload.trim() === '[DONE]') {
      isDone = true;
      continue;
    }
    const chunk = JSON.parse(payload) as JsonObject;
    usage = objectMember(chunk, 'usage') ?? usage;
    for (const choice of arrayMember(chunk, 'choices')) {
      if (!isObject(choice)) continue;
      const index = numberMember(choice, 'index') ?? 0;
      const folded = choices.get(index) ?? new ChoiceFold(index);
      choices.set(index, folded);
      folded.take(choice);
    }
  }
  const inOrder = [...choices.values()].sort((a, b) => a.index - b.index);
  return { choices: inOrder.map((choice) => choice.result()), usage, isDone };
}

/** The payloads of a stream's events. */
export function payloads(stream: Buffer): readonly string[] {
  const found: string[] = [];
  const splitter = new SseSplitter();
  splitter.push(stream, (event) => found.push(event.data()));
  splitter.end((event) => found.push(event.data()));
  return found;
}

class ChoiceFold {
  readonly index: number;
  readonly #message: Record<string, Json> = {};
  readonly #calls = new Map<number, Record<string, Json>>();
  #finish: Json = null;

  constructor(index: number) {
    this.index = index;
  }

  take(choice: JsonObject): void {
    if (choice.finish_reason !== null && choice.finish_reason !== undefined) this.#finish = choice.finish_reason;
    if (choice.text !== undefined) this.#message.text = joined(this.#message.text, choice.text);
    const delta = objectMember(choice, 'delta') ?? {};
    for (const [name, value] of Object.entries(delta)) {
      if (value === undefined || name === 'role') continue;
      if (name === 'tool_calls') for (const call of arrayMember(delta, name)) this.#takeCall(call as JsonObject);
      else if (name === 'thinking_blocks') this.#takeThinking(arrayMember(delta, name));
      else this.#message[name] = joined(this.#message[name], value);
    }
  }

  #takeCall(delta: JsonObject): void {
    const { index, ...rest } = delta;
    const place = typeof index === 'number' ? index : this.#calls.size;
    const call = this.#calls.get(place) ?? {};
    this.#calls.set(place, call);
    for (const [name, value] of Object.entries(rest)) {
      // Only a call's inner texts come in pieces; its id and type are said once.
      if (value !== undefined && value !== null) call[name] = isObject(value) ? joined(call[name], value) : value;
    }
  }

  /** A block is open until its signature comes. */
  #takeThinking(blocks: readonly Json[]): void {
    const all = [...((this.#message.thinking_blocks ?? []) as JsonObject[])];
    for (const block of blocks as readonly JsonObject[]) {
      const last = all.at(-1);
      if (block.type === 'thinking' && last?.type === 'thinking' && last.signature === '') {
        all[all.length - 1] = joined(last, {
          thinking: block.thinking ?? '',
          signature: block.signature ?? '',
        }) as JsonObject;
      } else all.push(block);
    }
    this.#message.thinking_blocks = all;
  }

  result(): FoldedChoice {
    const calls = [...this.#calls].sort(([a], [b]) => a - b).map(([, call]) => call);
    const message = calls.length === 0 ? this.#message : { ...this.#message, tool_calls: calls };
    return { index: this.index, message, finish_reason: this.#finish };
  }
}

/** Texts one behind the other, lists one behind the other, objects member by member, else the later value. */
function joined(before: Json | undefined, after: Json): Json {
  if (after === null) return before ?? null;
  if (typeof before === 'string' && typeof after === 'string') return before + after;
  if (Array.isArray(before) && Array.isArray(after)) return [...before, ...after];
  if (isObject(before) && isObject(after)) {
    const members: Record<string, Json> = { ...before } as Record<string, Json>;
    for (const [name, value] of Object.entries(after))
      if (value !== undefined) members[name] = joined(members[name], value);
    return members;
  }
  return after;
}
