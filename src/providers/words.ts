import { isObject, type Json, type JsonObject, numberMember, stringMember } from '../core/json.ts';
import type { ProviderWords } from '../core/outcome.ts';
import { redact } from '../core/secret.ts';

/** Longest message kept: some providers repeat the whole request in it. */
const LONGEST_MESSAGE = 4000;

/** A larger error body is not parsed, only quoted. */
const LARGEST_PARSED = 1024 * 1024;

/** What an error body says, before anything is made of it. */
export interface ErrorWords extends ProviderWords {
  /** Further text to recognise the reason by (an inner error's code, an upstream's raw words); not for clients. */
  readonly hints: string;
  /** Google's `RetryInfo.retryDelay`, or null. */
  readonly retryDelay: string | null;
}

/**
 * What an error body says, in any of the shapes that OpenAI and the hosts that look like it use.
 *
 * `{error:{message,type,param,code}}` (OpenAI, Azure, most), numeric or missing members (OpenRouter, Azure),
 * `{error:"text",code}` (xAI, Ollama), `{message,type,code}` with a text or an object as message (Mistral, old vLLM),
 * `{detail}` (FastAPI), `[{error}]` (Gemini's endpoint), `{errors:[…]}` (Cloudflare), `{base_resp}` (MiniMax), and what
 * is no JSON at all: HTML of a proxy in front, plain text, nothing.
 *
 * @returns words free of credentials, message never empty; never throws
 */
export function wordsIn(status: number, body: Uint8Array): ErrorWords {
  const text = Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, LARGEST_PARSED)).toString('utf8');
  const json = body.byteLength <= LARGEST_PARSED ? parse(text) : undefined;
  const root = Array.isArray(json) ? json[0] : json;
  return isObject(root) ? wordsInJson(status, root) : plainWords(status, text);
}

/**
 * What an object with an error in it says; for errors inside a 200 and inside a stream.
 *
 * @param status the answer's own status; a 2xx gives way to the status that the error names or implies
 */
export function wordsInJson(status: number, root: JsonObject): ErrorWords {
  const error = errorObject(root);
  const code = textOf(error.code ?? root.code);
  const type = stringMember(error, 'type') ?? stringMember(error, 'status') ?? outerType(root);
  const real = status >= 200 && status < 300 ? statusNamed(error, code, type) : status;
  const raw = objectText(error.metadata, 'raw');
  const message = messageOf(error);
  return {
    status: real,
    message: clean(message === '' ? statusText(real) : raw !== null ? `${message}: ${raw.slice(0, 1000)}` : message),
    type,
    param: stringMember(error, 'param'),
    code,
    hints: [objectText(error.innererror, 'code'), raw].filter((hint) => hint !== null).join(' '),
    retryDelay: retryDelayIn(error.details),
  };
}

/** The member that describes the error: `error`, the first of `errors`, `base_resp`, or the object itself. */
function errorObject(root: JsonObject): JsonObject {
  const error = root.error;
  if (isObject(error)) return error;
  if (typeof error === 'string') return { message: error, code: root.code, type: root.type };
  const errors = root.errors;
  if (Array.isArray(errors) && isObject(errors[0])) return errors[0];
  const base = root.base_resp;
  if (isObject(base)) return { message: base.status_msg, code: base.status_code };
  return root;
}

/** `type` beside a nested error is Anthropic's `"error"` and says nothing. */
function outerType(root: JsonObject): string | null {
  const type = stringMember(root, 'type');
  return type === 'error' ? null : type;
}

function messageOf(error: JsonObject): string {
  for (const key of ['message', 'detail', 'msg', 'error', 'error_description', 'title']) {
    const value = error[key];
    if (typeof value === 'string' && value.trim() !== '') return value;
    if (typeof value === 'object' && value !== null) return detailText(value);
  }
  return '';
}

/** Mistral and FastAPI: a list of `{loc, msg}`; without its `input`, which repeats the prompt. */
function detailText(value: Json): string {
  const list = Array.isArray(value) ? value : isObject(value) && Array.isArray(value.detail) ? value.detail : null;
  if (list === null) return written(value);
  const lines = list.map((entry: Json) => {
    if (!isObject(entry) || typeof entry.msg !== 'string') return written(entry);
    return Array.isArray(entry.loc) ? `${entry.loc.join('.')}: ${entry.msg}` : entry.msg;
  });
  return lines.join('; ');
}

/** Deeper than this is no message of anyone's. */
const DEEPEST = 32;

/**
 * JSON text of what is not nested too deeply.
 *
 * An upstream may send 40,000 brackets: Bun 1.4.5 reads them in 3 ms, and takes three seconds to find that it cannot
 * write them.
 */
function written(value: Json): string {
  return isWithin(value, DEEPEST) ? JSON.stringify(value) : 'unreadable';
}

function isWithin(value: Json, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((member) => member === undefined || isWithin(member, levels - 1));
}

/** The HTTP status that an error inside a 200 stands for. */
function statusNamed(error: JsonObject, code: string | null, type: string | null): number {
  const named = [numberMember(error, 'status_code'), numberMember(error, 'status'), Number(code)];
  const status = named.find((value) => value !== null && Number.isInteger(value) && value >= 400 && value < 600);
  if (status !== undefined && status !== null) return status;
  for (const word of [type, code]) {
    const implied = STATUS_OF_TYPE.find(([pattern]) => word !== null && pattern.test(word));
    if (implied !== undefined) return implied[1];
  }
  return 500;
}

const STATUS_OF_TYPE: readonly (readonly [RegExp, number])[] = [
  [/rate_limit|too_many_requests|insufficient_quota|^tokens$|^requests$/i, 429],
  [/overloaded/i, 503],
  [/timeout/i, 504],
  [/authentication|invalid_api_key/i, 401],
  [/permission/i, 403],
  [/not_found/i, 404],
  [/billing|payment/i, 402],
  [/invalid_request|bad_?request|context_length|content_filter|content_policy|invalid_prompt/i, 400],
];

function retryDelayIn(details: Json | undefined): string | null {
  if (!Array.isArray(details)) return null;
  for (const detail of details) {
    if (isObject(detail) && typeof detail.retryDelay === 'string') return detail.retryDelay;
  }
  return null;
}

/** A body that is no JSON: what the status means, and how the text begins. */
function plainWords(status: number, text: string): ErrorWords {
  const readable = text
    // Short enough that a page of nothing but `<` costs nothing.
    .slice(0, 4_000)
    .replace(/<(script|style)\b[^<>]{0,200}>[\s\S]*?<\/\1>/gi, ' ')
    .replace(/<[^<>]{0,500}>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 200);
  const message = readable === '' ? statusText(status) : `${statusText(status)}: ${readable}`;
  return { status, message: clean(message), type: null, param: null, code: null, hints: '', retryDelay: null };
}

/**
 * Text from a provider made fit for clients and logs: without credentials and account names, and not endless.
 *
 * Beyond `redact`: starred keys of any form (`<not-a-r****key>` in OpenAI's 401, recorded 2024) and organisation ids
 * (OpenAI's 429), which are the gateway's, not the client's.
 */
export function clean(text: string): string {
  // Cut first, and with bounded repetitions: these expressions are quadratic in a long word.
  return redact(text.slice(0, LONGEST_MESSAGE))
    .replace(/[^\s"'`<>(),:=]{0,64}\*{3,}[^\s"'`<>(),:=]{0,64}/g, '[redacted]')
    .replace(/\borg-[A-Za-z0-9]{6,}/g, '[redacted]');
}

function textOf(value: Json | undefined): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : null;
}

function objectText(value: Json | undefined, key: string): string | null {
  return isObject(value) ? stringMember(value, key) : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Payload Too Large',
  422: 'Unprocessable Entity',
  424: 'Failed Dependency',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  529: 'Overloaded',
};

function statusText(status: number): string {
  return STATUS_TEXTS[status] ?? `HTTP status ${status}`;
}
