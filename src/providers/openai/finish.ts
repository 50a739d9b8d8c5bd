import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import type { AnswerRules } from './rules.ts';

/**
 * An unescaped `"finish_reason":"…"`. Inside a JSON string its quotes would be escaped, so a match is a real member.
 */
const FINISH_REASON = /(?<!\\)"finish_reason"(\s*:\s*)"([^"\\]+)"/g;

/** Whether a host's finish reasons may have to be replaced at all. */
export function mayRewriteFinish(answers: AnswerRules): boolean {
  return answers.toolCallsFinish === 'says-stop' || Object.keys(answers.finishReasons).length > 0;
}

/**
 * The bytes with finish reasons replaced that strict clients do not know, or null when there are none.
 *
 * Only those words change; the rest is not parsed and written again, so that big integers survive.
 *
 * @param json the same bytes parsed
 * @param hadToolCalls whether tool calls came earlier in the stream
 */
export function finishEdits(
  bytes: Buffer,
  json: JsonObject,
  answers: AnswerRules,
  hadToolCalls = false,
): Buffer | null {
  if (!mayRewriteFinish(answers)) return null;
  const stopMeansTools = answers.toolCallsFinish === 'says-stop' && (hadToolCalls || hasToolCalls(json));
  // One character a byte, so that bytes outside ASCII come back as they were.
  const text = bytes.toString('latin1');
  const changed = text.replace(FINISH_REASON, (match, colon: string, word: string) => {
    const meant = stopMeansTools && word === 'stop' ? 'tool_calls' : answers.finishReasons[word];
    return meant === undefined ? match : `"finish_reason"${colon}"${meant}"`;
  });
  return changed === text ? null : Buffer.from(changed, 'latin1');
}

/** Whether a complete answer or a chunk holds tool calls. */
export function hasToolCalls(json: JsonObject): boolean {
  const { choices } = json;
  return Array.isArray(choices) && choices.some((choice: Json) => callsIn(choice).length > 0);
}

function callsIn(choice: Json): readonly Json[] {
  if (!isObject(choice)) return [];
  const message = choice.message ?? choice.delta;
  return isObject(message) && Array.isArray(message.tool_calls) ? message.tool_calls : [];
}
