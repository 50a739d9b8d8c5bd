import { isObject, type Json } from '../../core/json.ts';
import type { Ask, AskedTool } from './ask.ts';
import { clip, prose, SIMULATED, tokensOf } from './prose.ts';
import { sample } from './schema-sample.ts';
import { type Random, token } from './seed.ts';

/** One answer, in no dialect: what is said, why it stops, what it costs. */
export interface Saying {
  readonly text: string;
  readonly thinking: string | null;
  readonly toolCalls: readonly SaidToolCall[];
  readonly stop: 'stop' | 'length' | 'tool';
  readonly outputTokens: number;
}

export interface SaidToolCall {
  /** Letters and digits; each dialect adds its prefix. */
  readonly id: string;
  readonly name: string;
  /** JSON text. */
  readonly arguments: string;
}

/** When an answer is a tool call: when the last message asks for one, or whenever there are tools. */
export type ToolHabit = 'when-asked' | 'always';

export interface SayingOptions {
  /** Length of an invented text in characters. */
  readonly size: number;
  readonly toolHabit: ToolHabit;
  /** Text to say instead of invented prose, or null. */
  readonly text: string | null;
}

/** Decides what to answer; the same request and random source give the same answer. */
export function say(ask: Ask, random: Random, options: SayingOptions): Saying {
  const thinking = ask.wantsThinking ? prose(random, 60, 'Simulated thought: ') : null;
  const called = calledTools(ask, options.toolHabit);
  if (called.length > 0) return toolSaying(called, thinking, random);
  const full = options.text ?? textFor(ask, random, options.size);
  const room = ask.maxTokens === null ? full.length : ask.maxTokens * 4;
  const text = full.length > room ? clip(full, room) : full;
  const stop = text.length < full.length ? 'length' : 'stop';
  return { text, thinking, toolCalls: [], stop, outputTokens: tokensOf(text + (thinking ?? '')) };
}

function textFor(ask: Ask, random: Random, size: number): string {
  if (ask.jsonSchema === null) return prose(random, size);
  const isFreeForm = isObject(ask.jsonSchema) && Object.keys(ask.jsonSchema).length === 0;
  const value: Json = isFreeForm ? { simulated: true, text: prose(random, size) } : sample(ask.jsonSchema, random);
  return JSON.stringify(value);
}

function calledTools(ask: Ask, habit: ToolHabit): readonly AskedTool[] {
  const { toolChoice, tools } = ask;
  if (toolChoice === 'none' || tools.length === 0) return [];
  if (typeof toolChoice === 'object') return tools.filter((tool) => tool.name === toolChoice.name).slice(0, 1);
  const asked = ask.fromUser && (habit === 'always' || asksForTool(ask));
  if (toolChoice !== 'any' && !asked) return [];
  const isParallel = ask.parallelTools && /\bparallel\b/i.test(ask.lastText);
  return tools.slice(0, isParallel ? 2 : 1);
}

function asksForTool(ask: Ask): boolean {
  return /\btools?\b/i.test(ask.lastText) || ask.tools.some((tool) => ask.lastText.includes(tool.name));
}

function toolSaying(tools: readonly AskedTool[], thinking: string | null, random: Random): Saying {
  const toolCalls = tools.map((tool) => ({
    id: token(random, 24),
    name: tool.name,
    arguments: JSON.stringify(sample(tool.schema, random) ?? {}),
  }));
  const spent = toolCalls.map((call) => call.name + call.arguments).join('') + (thinking ?? '');
  return { text: '', thinking, toolCalls, stop: 'tool', outputTokens: tokensOf(spent) };
}

/** Text of an answer that repeats what was said, for the demo model. */
export function echoText(ask: Ask): string {
  const heard = clip(ask.lastText.trim(), 200);
  const quote = heard === '' ? 'nothing' : `"${heard}"`;
  return `${SIMULATED}This answer comes from the gateway's own demo model, not from a provider. You said ${quote}.`;
}
