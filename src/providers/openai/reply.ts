import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import type { Failure } from '../../core/outcome.ts';
import type { Usage } from '../../core/usage.ts';
import { classifyObject } from '../classify.ts';
import type { Dialect, Reply, ReplyHead } from '../provider.ts';
import { clean } from '../words.ts';
import { choicesOf, failedFinish, isErrorObject } from './chunk.ts';
import { finishEdits } from './finish.ts';
import type { AnswerRules } from './rules.ts';
import { lastTopLevelMember } from './tail.ts';
import { usageFrom } from './usage.ts';

/** Up to this many bytes an answer is parsed whole, which also proves it to be JSON; larger ones are searched. */
const PARSED_WHOLE = 32 * 1024;

const CLOSE_BRACE = 125;
const OPEN_BRACE = 123;

/**
 * Reads a complete answer in an OpenAI dialect: checks that it is one, takes the usage, and leaves the bytes alone.
 *
 * An error inside a 200 (OpenRouter, MiniMax), a body that is empty, HTML or cut off is a failure, so that another
 * deployment can answer. Answers above 32 KiB that show no sign of an error or a content filter are not parsed: one
 * megabyte of embeddings costs about 5 ms to parse, and nothing in it is needed but `usage`.
 */
export function readReply(head: ReplyHead, body: Uint8Array, dialect: Dialect, answers: AnswerRules): Reply {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const broken = brokenBody(head, bytes);
  if (broken !== null) return { kind: 'failed', outcome: broken };
  const list = dialect === 'openai-embeddings' ? 'data' : 'choices';
  if (canBeSearched(bytes, list, answers)) {
    return { kind: 'bytes', body, usage: searchedUsage(bytes, answers, dialect), finish: 'normal' };
  }
  const json = parse(bytes);
  if (!isObject(json)) return failed(`the answer is not valid JSON: ${quote(bytes)}`);
  if (isErrorObject(json, list)) return { kind: 'failed', outcome: classifyObject(json, head) };
  if (!Array.isArray(json[list])) return failed(`the answer has no "${list}": ${quote(bytes)}`);
  const finish = failedFinish(json);
  if (finish !== null) return failed(`the provider ended the answer with finish_reason "${finish}"`);
  return {
    kind: 'bytes',
    body: finishEdits(bytes, json, answers) ?? body,
    usage: usageFrom(json, answers.reasoning),
    finish: hasFiltered(json) ? 'content-filter' : 'normal',
  };
}

/** Bytes that cannot be a JSON object, or null. DeepSeek sends empty lines first while a request waits. */
function brokenBody(head: ReplyHead, bytes: Buffer): Failure | null {
  let start = 0;
  while (start < bytes.length && (bytes[start] as number) <= 32) start++;
  let end = bytes.length;
  while (end > start && (bytes[end - 1] as number) <= 32) end--;
  if (start === end) return broken('the answer is empty');
  if (bytes[start] === OPEN_BRACE && bytes[end - 1] === CLOSE_BRACE) return null;
  // Gemini's endpoint wraps an error in a list.
  const json = bytes.length <= PARSED_WHOLE ? parse(bytes) : undefined;
  if (Array.isArray(json) && isObject(json[0]) && isErrorObject(json[0])) return classifyObject(json[0], head);
  const type = head.header('content-type') ?? 'unknown type';
  const cut = bytes[start] === OPEN_BRACE ? 'JSON that breaks off' : type;
  return broken(`the answer is not a JSON object but ${cut}: ${quote(bytes)}`);
}

function canBeSearched(bytes: Buffer, list: 'choices' | 'data', answers: AnswerRules): boolean {
  if (bytes.length <= PARSED_WHOLE || !bytes.includes(`"${list}"`) || bytes.includes('"error"')) return false;
  if (list === 'data') return true;
  const telling = ['content_filter', 'network_error', ...Object.keys(answers.finishReasons)];
  return answers.toolCallsFinish === 'right' && telling.every((reason) => !bytes.includes(`"${reason}"`));
}

/** Embeddings have no tiers of service, so that a megabyte of numbers need not be searched for one. */
function searchedUsage(bytes: Buffer, answers: AnswerRules, dialect: Dialect): Usage | null {
  const usage = searched(bytes, 'usage');
  if (usage === undefined) return null;
  const tier = dialect === 'openai-embeddings' ? undefined : searched(bytes, 'service_tier');
  return usageFrom({ usage, service_tier: tier }, answers.reasoning);
}

function searched(bytes: Buffer, key: string): Json | undefined {
  const text = lastTopLevelMember(bytes, key);
  return text === null ? undefined : parse(Buffer.from(text));
}

function hasFiltered(json: JsonObject): boolean {
  return choicesOf(json).some((choice) => choice.finish_reason === 'content_filter');
}

function parse(bytes: Buffer): Json | undefined {
  try {
    return JSON.parse(bytes.toString('utf8')) as Json;
  } catch {
    return undefined;
  }
}

function quote(bytes: Buffer): string {
  return JSON.stringify(
    clean(bytes.toString('utf8', 0, 200))
      .replace(/\s+/g, ' ')
      .trim()
      .slice(0, 120),
  );
}

function failed(detail: string): Reply {
  return { kind: 'failed', outcome: broken(detail) };
}

function broken(detail: string): Failure {
  return { kind: 'broken-stream', committed: false, detail };
}
