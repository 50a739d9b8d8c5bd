import { isObject, type Json, type JsonObject, numberMember, objectMember, stringMember } from '../../core/json.ts';
import type { ModelTraits } from './models.ts';
import type { Notes } from './notes.ts';
import { refuseInvalid } from './refusal.ts';

/** `thinking`, `output_config.effort` and `max_tokens`, which depend on one another. */
export interface ThinkingPlan {
  readonly thinking: JsonObject | null;
  readonly effort: string | null;
  readonly maxTokens: Json;
}

export interface ThinkingSetting {
  readonly traits: ModelTraits;
  readonly isStreaming: boolean;
  /** The deployment's own limit on output, or null. */
  readonly maxOutput: number | null;
  readonly modifyParams: boolean;
  /** The last assistant turn with tool calls has no thinking, which the API refuses in manual mode. */
  readonly historyLacksThinking: boolean;
}

/** The API's lower limit of `budget_tokens`. */
const LEAST_BUDGET = 1024;
/** Room for the answer beside the budget, and LiteLLM's `DEFAULT_MAX_TOKENS`. */
const ANSWER_TOKENS = 4096;
/** Beyond this a reply that is not streamed may take longer than connections last (Anthropic's SDK, ten minutes). */
const MOST_UNSTREAMED = 21_333;
/** LiteLLM's budgets for models that think by budget; its 128 for `minimal` is below what the API takes. */
const BUDGETS: Readonly<Record<string, number>> = { minimal: 1024, low: 1024, medium: 2048, high: 4096, xhigh: 4096 };
const EFFORTS: ReadonlySet<string> = new Set(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']);

/** Decides about thinking and the output limit (translation.md §1.1). */
export function planThinking(parameters: JsonObject, setting: ThinkingSetting, notes: Notes): ThinkingPlan {
  const asked = askedMaxTokens(parameters, setting);
  const effort = askedEffort(parameters.reasoning_effort);
  const own = objectMember(parameters, 'thinking');
  const thinking = own ?? (effort === null ? null : thinkingFor(effort, asked, setting));
  const level =
    effort === null || setting.traits.effort === null ? null : effortLevel(effort, setting.traits, thinking);
  const wanted = isMisplaced(thinking, setting) ? null : thinking;
  if (wanted !== thinking) notes.dropped.add(own === null ? 'reasoning_effort' : 'thinking');
  const fitted = fitBudget(wanted, asked, setting);
  if (fitted.thinking === null && wanted !== null) notes.dropped.add(own === null ? 'reasoning_effort' : 'thinking');
  return { ...fitted, effort: level };
}

/** Whether the request makes the model think, so that sampling is restricted. */
export function thinks(thinking: JsonObject | null): boolean {
  return thinking !== null && thinking.type !== 'disabled';
}

function askedMaxTokens(parameters: JsonObject, setting: ThinkingSetting): Json {
  const asked = parameters.max_completion_tokens ?? parameters.max_tokens ?? null;
  return setting.modifyParams && typeof asked === 'number' ? Math.min(asked, ceiling(setting)) : asked;
}

/** `reasoning_effort` as a word; some clients send `{effort, summary}`. */
function askedEffort(value: Json | undefined): string | null {
  const effort = isObject(value) ? stringMember(value, 'effort') : (value ?? null);
  if (effort === null) return null;
  if (typeof effort === 'string' && EFFORTS.has(effort)) return effort;
  return refuseInvalid(
    `There is no reasoning_effort '${String(effort)}'. Use one of ${[...EFFORTS].join(', ')}.`,
    'reasoning_effort',
  );
}

function thinkingFor(effort: string, asked: Json, setting: ThinkingSetting): JsonObject | null {
  const { thinking, hidesThinking } = setting.traits;
  if (effort === 'none') return thinking.includes('adaptive') ? noThinking(setting.traits) : null;
  // A client that names an effort reads `reasoning_content`, which would be empty by default.
  if (thinking.includes('adaptive')) return { type: 'adaptive', ...(hidesThinking ? { display: 'summarized' } : {}) };
  if (!thinking.includes('enabled')) return null;
  return { type: 'enabled', budget_tokens: BUDGETS[effort] ?? largestBudget(asked, setting) };
}

function noThinking({ thinking }: ModelTraits): JsonObject | null {
  if (thinking.includes('disabled')) return { type: 'disabled' };
  return thinking.includes('between_tools') ? { type: 'between_tools' } : null;
}

/** The word for `output_config.effort`; null when nothing need be said. */
function effortLevel(effort: string, traits: ModelTraits, thinking: JsonObject | null): string | null {
  switch (effort) {
    case 'none':
      return thinking === null ? 'low' : null;
    case 'minimal':
      return 'low';
    case 'xhigh':
      return traits.effort === 'xhigh+max' ? 'xhigh' : 'high';
    default:
      return effort;
  }
}

function isMisplaced(thinking: JsonObject | null, setting: ThinkingSetting): boolean {
  return thinking?.type === 'enabled' && setting.modifyParams && setting.historyLacksThinking;
}

/** `max_tokens` must exceed the budget: one of the two gives way, and the client's own `max_tokens` never does. */
function fitBudget(
  thinking: JsonObject | null,
  asked: Json,
  setting: ThinkingSetting,
): { readonly thinking: JsonObject | null; readonly maxTokens: Json } {
  const budget = thinking?.type === 'enabled' ? numberMember(thinking, 'budget_tokens') : null;
  if (thinking === null || budget === null) return { thinking, maxTokens: asked ?? defaultMaxTokens(setting) };
  const maxTokens = asked ?? Math.min(budget + ANSWER_TOKENS, ceiling(setting));
  if (typeof maxTokens !== 'number' || budget < maxTokens) return { thinking, maxTokens };
  const lowered = maxTokens - 1;
  return { thinking: lowered < LEAST_BUDGET ? null : { ...thinking, budget_tokens: lowered }, maxTokens };
}

function largestBudget(asked: Json, setting: ThinkingSetting): number {
  const room = typeof asked === 'number' ? asked - 1 : defaultMaxTokens(setting) - ANSWER_TOKENS;
  return Math.max(LEAST_BUDGET, room);
}

function defaultMaxTokens(setting: ThinkingSetting): number {
  return setting.isStreaming ? ceiling(setting) : Math.min(ceiling(setting), MOST_UNSTREAMED);
}

function ceiling(setting: ThinkingSetting): number {
  return setting.maxOutput ?? setting.traits.maxOutput;
}
