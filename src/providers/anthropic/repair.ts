import type { RequestBlock, TextBlock, ToolResultBlock, ToolUseBlock, Turn } from '../../wire/anthropic/messages.ts';
import { placeholder } from './history.ts';
import { refuseInvalid } from './refusal.ts';

/** Whether the request may be changed in content (`modify_params`), and what the model bears. */
export interface RepairPolicy {
  readonly modifyParams: boolean;
  /** Whether the conversation may end with an assistant turn. */
  readonly prefill: boolean;
}

/** What LiteLLM writes in these places. */
const GO_ON: TextBlock = { type: 'text', text: 'Please continue.' };

/**
 * The turns in an order that Anthropic accepts (specs/anthropic.md §3.2).
 *
 * What needs words that the client did not say is done only under `modify_params`; else the request is refused where
 * the fault is certain, and left to the upstream where it is not.
 */
export function repairTurns(turns: readonly Turn[], policy: RepairPolicy): readonly Turn[] {
  const begun = withUserFirst(turns, policy);
  const answered = policy.modifyParams ? withEveryToolAnswered(begun) : begun;
  return withLegalEnd(answered, policy);
}

function withUserFirst(turns: readonly Turn[], policy: RepairPolicy): readonly Turn[] {
  const first = turns[0];
  if (first === undefined) {
    if (policy.modifyParams) return [userTurn(GO_ON)];
    return refuseInvalid(
      'Anthropic requires at least one non-system message. Add a user message, or set modify_params: true to have one added.',
      'messages',
    );
  }
  if (first.role === 'user') return turns;
  if (policy.modifyParams) return [userTurn(placeholder()), ...turns];
  return refuseInvalid(
    'Anthropic requires the first message after the system messages to be a user message. Put one first, or set modify_params: true to have one added.',
    'messages',
  );
}

/** Gives every tool call without a result an empty one that says "error". */
function withEveryToolAnswered(turns: readonly Turn[]): readonly Turn[] {
  const repaired: Turn[] = [];
  for (let index = 0; index < turns.length; index++) {
    const turn = turns[index] as Turn; // index < length
    repaired.push(turn);
    if (turn.role !== 'assistant') continue;
    const next = turns[index + 1];
    const missing = unanswered(turn, next);
    if (missing.length === 0) continue;
    repaired.push({ role: 'user', content: next === undefined ? missing : inFront(missing, next.content) });
    index++; // the next turn, if any, went into the one just pushed
  }
  return repaired;
}

function unanswered(assistant: Turn, user: Turn | undefined): ToolResultBlock[] {
  const answered = new Set(user?.content.filter(isToolResult).map((block) => block.tool_use_id));
  return assistant.content
    .filter(isToolUse)
    .filter((call) => !answered.has(call.id))
    .map((call) => ({ type: 'tool_result', tool_use_id: call.id, content: '', is_error: true }));
}

/** Results after the results that are there, but before everything else. */
function inFront(results: readonly ToolResultBlock[], content: readonly RequestBlock[]): readonly RequestBlock[] {
  return [...content.filter(isToolResult), ...results, ...content.filter((block) => !isToolResult(block))];
}

function withLegalEnd(turns: readonly Turn[], policy: RepairPolicy): readonly Turn[] {
  const last = turns.at(-1);
  if (last?.role !== 'assistant') return turns;
  if (!policy.prefill && policy.modifyParams) return [...turns, userTurn(GO_ON)];
  return [...turns.slice(0, -1), ...withoutTrailingBlanks(last)];
}

/** A prefill may not end in white space; texts here are never all blank. */
function withoutTrailingBlanks(turn: Turn): readonly Turn[] {
  const block = turn.content.at(-1);
  if (block?.type !== 'text') return [turn];
  const { text } = block as TextBlock; // its type was just read
  return [{ ...turn, content: [...turn.content.slice(0, -1), { ...block, text: text.trimEnd() } as TextBlock] }];
}

/** Whether the conversation holds tool calls or results, so that the API wants `tools` as well. */
export function hasToolBlocks(turns: readonly Turn[]): boolean {
  return turns.some((turn) => turn.content.some((block) => isToolUse(block) || isToolResult(block)));
}

/** Whether the last assistant turn that calls tools lacks the thinking that must stand before them (manual mode). */
export function lastToolTurnLacksThinking(turns: readonly Turn[]): boolean {
  const turn = turns.findLast(({ role, content }) => role === 'assistant' && content.some(isToolUse));
  return turn !== undefined && !turn.content.some(({ type }) => type === 'thinking' || type === 'redacted_thinking');
}

function userTurn(block: RequestBlock): Turn {
  return { role: 'user', content: [block] };
}

function isToolUse(block: RequestBlock): block is ToolUseBlock {
  return block.type === 'tool_use';
}

function isToolResult(block: RequestBlock): block is ToolResultBlock {
  return block.type === 'tool_result';
}
