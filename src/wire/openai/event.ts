import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import type { SseEvent } from '../sse.ts';

/** What the pass-through path asks about one event of an OpenAI chat or completions stream. */
export interface EventFacts {
  /** The payload is `[DONE]`. */
  readonly isDone: boolean;
  /** A truthy `error` member, or `event: error`: what the official clients throw on. */
  readonly hasError: boolean;
  /** `usage` is an object. */
  readonly hasUsage: boolean;
  /** The chunk that a client gets only when it asked for usage: an empty `choices` and usage. */
  readonly isUsageOnly: boolean;
  /** Something that a user would miss: text, a refusal, reasoning, tool calls, audio, or the end of a choice. */
  readonly isMeaningful: boolean;
  /** A choice has its finish reason. */
  readonly hasFinish: boolean;
  /** The payload is no JSON object, and not `[DONE]` either. */
  readonly isMalformed: boolean;
}

const DONE = 1;
const ERROR = 2;
const USAGE = 4;
const NO_CHOICES = 8;
const OUTPUT = 16;
const FINISH = 32;
const MALFORMED = 64;

/** One frozen object for each combination of facts, so that they cost no allocation and may be kept. */
const COMBINATIONS: readonly EventFacts[] = Array.from({ length: 128 }, (_, bits) =>
  Object.freeze({
    isDone: (bits & DONE) !== 0,
    hasError: (bits & ERROR) !== 0,
    hasUsage: (bits & USAGE) !== 0,
    isUsageOnly: (bits & USAGE) !== 0 && (bits & NO_CHOICES) !== 0,
    isMeaningful: (bits & (OUTPUT | FINISH)) !== 0,
    hasFinish: (bits & FINISH) !== 0,
    isMalformed: (bits & MALFORMED) !== 0,
  }),
);

/** Members of a delta that are output; a role alone is none. */
const OUTPUT_MEMBERS = [
  'content',
  'refusal',
  'tool_calls',
  'function_call',
  'reasoning_content',
  'reasoning',
  'reasoning_details',
  'thinking_blocks',
  'audio',
  'text',
] as const;

/**
 * The facts of one event, without memory of the others: it parses the payload.
 *
 * 0.3–0.5 µs for 310 bytes on Bun 1.4.5. A strict walk over the bytes in TypeScript took twice as long; looking for
 * needles alone cannot tell a broken chunk from a whole one.
 */
export function inspectEvent(event: SseEvent): EventFacts {
  const bits = factsOf(event.data()) | (event.name === 'error' ? ERROR : 0);
  return COMBINATIONS[bits] as EventFacts;
}

function factsOf(data: string): number {
  const json = parse(data);
  if (!isObject(json)) return data.trim() === '[DONE]' ? DONE : MALFORMED;
  let bits = json.error ? ERROR : 0;
  if (isObject(json.usage)) bits |= USAGE;
  if (!Array.isArray(json.choices)) return bits;
  if (json.choices.length === 0) bits |= NO_CHOICES;
  for (const choice of json.choices as readonly Json[]) if (isObject(choice)) bits |= choiceFacts(choice);
  return bits;
}

function choiceFacts(choice: JsonObject): number {
  const { delta, text, finish_reason: finish } = choice;
  const isOutput = isPresent(text) || (isObject(delta) && OUTPUT_MEMBERS.some((member) => isPresent(delta[member])));
  return (isOutput ? OUTPUT : 0) | (isPresent(finish) ? FINISH : 0);
}

/** Whether a member says anything: not null, false, or an empty string, list or object. */
function isPresent(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === false || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
