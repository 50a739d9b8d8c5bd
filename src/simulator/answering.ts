import type { HeaderPair } from '../core/http.ts';
import { isObject, type Json, type JsonObject, objectMember, stringMember } from '../core/json.ts';
import { type Answer, dataEvent, jsonAnswer, namedEvent, type StreamAnswer, type StreamEvent } from './answer.ts';
import type { DemoOrder } from './demo.ts';
import { DEMO_BACKUP_MODEL, DEMO_MODEL } from './demo.ts';
import type { Dialect, Operation } from './dialect.ts';
import type { ErrorContext, FailureName } from './failure.ts';
import type { Fault } from './fault.ts';
import { message, messageStream } from './invent/anthropic.ts';
import { type Ask, askOfAnthropic, askOfOpenAi } from './invent/ask.ts';
import { azureCompletion, azureStream } from './invent/azure.ts';
import { embeddings, inputsOf } from './invent/embeddings.ts';
import { anthropicModel, anthropicModels, openAiModel, openAiModels } from './invent/models.ts';
import { chatCompletion, chatStream, type Identity, textCompletion, textStream } from './invent/openai.ts';
import { tokensOf } from './invent/prose.ts';
import { echoText, type Saying, say } from './invent/saying.ts';
import { hash, type Random, randomFrom, token } from './invent/seed.ts';
import { providerError, streamErrorBody } from './provider-errors.ts';

/** A request as the inventing side sees it: read, told apart, without a socket. */
export interface Call {
  readonly dialect: Dialect;
  readonly operation: Operation;
  /** The deployment or model named in the path, or null. */
  readonly name: string | null;
  readonly model: string;
  readonly body: JsonObject;
  readonly requestId: string;
}

/** How answers are invented. */
export interface InventOptions {
  readonly seed: number;
  /** Characters of an invented text. */
  readonly size: number;
  /** Characters of text in one event of a stream. */
  readonly pieceSize: number;
  /** Whether the demo model's manners apply: it repeats what was said, and calls tools whenever it gets some. */
  readonly demo: boolean;
}

/**
 * Invents the answer of a healthy provider: the same call and options give the same bytes of body.
 *
 * Whether it streams makes no difference to what is said: the stream folds to the whole answer.
 */
export function invent(call: Call, options: InventOptions, order: DemoOrder): Answer {
  const { dialect, operation, body, model } = call;
  const headers = healthyHeaders(call);
  switch (operation) {
    case 'models':
      return jsonAnswer(
        200,
        headers,
        dialect === 'anthropic' ? anthropicModels(modelNames(options)) : openAiModels(modelNames(options)),
      );
    case 'model':
      return jsonAnswer(
        200,
        headers,
        dialect === 'anthropic' ? anthropicModel(call.name ?? '') : openAiModel(call.name ?? ''),
      );
    case 'embeddings':
      return jsonAnswer(200, headers, embeddings(body, model, options.seed), 2);
    case 'completions':
      return inventText(call, headers, options);
    case 'chat':
    case 'messages':
      return inventChat(call, headers, options, order);
  }
}

function inventChat(call: Call, headers: HeaderPair[], options: InventOptions, order: DemoOrder): Answer {
  const { body, dialect } = call;
  const ask = askWith(dialect === 'anthropic' ? askOfAnthropic(body) : askOfOpenAi(body), order);
  const random = randomOf(body, options.seed);
  const identity = identityOf(call, random);
  const sayings = sayAll(ask, random, options);
  const input = ask.inputTokens;
  const shape = { pieceSize: options.pieceSize, includeUsage: wantsUsage(body) };
  if (dialect === 'anthropic') {
    const saying = sayings[0] as Saying; // `choices` is at least 1
    if (body.stream !== true) return jsonAnswer(200, headers, message(identity, saying, input));
    return streamAnswer(headers, messageStream(identity, saying, input, options.pieceSize));
  }
  if (dialect === 'azure') {
    if (body.stream !== true) return jsonAnswer(200, headers, azureCompletion(identity, sayings, input));
    return streamAnswer(headers, azureStream(identity, sayings, input, shape));
  }
  if (body.stream !== true) return jsonAnswer(200, headers, chatCompletion(identity, sayings, input), 2);
  return streamAnswer(headers, chatStream(identity, sayings, input, shape));
}

function inventText(call: Call, headers: HeaderPair[], options: InventOptions): Answer {
  const { body } = call;
  const prompts = inputsOf(body.prompt);
  const ask: Ask = { ...askOfOpenAi(body), lastText: prompts.map(String).join(' '), fromUser: true };
  const random = randomOf(body, options.seed);
  const identity = identityOf(call, random);
  const bounded = { ...ask, maxTokens: ask.maxTokens ?? LEGACY_MAX_TOKENS };
  const sayings = prompts.flatMap(() => sayAll(bounded, random, options));
  const input = prompts.reduce<number>((sum, prompt) => sum + promptTokens(prompt), 0);
  if (body.stream !== true) return jsonAnswer(200, headers, textCompletion(identity, sayings, input), 2);
  return streamAnswer(headers, textStream(identity, sayings, input, { ...options, includeUsage: wantsUsage(body) }));
}

/** `max_tokens` of `/v1/completions` when the request gives none (openai.md §5). */
const LEGACY_MAX_TOKENS = 16;

function promptTokens(prompt: Json): number {
  return Array.isArray(prompt) ? prompt.length : tokensOf(String(prompt));
}

function sayAll(ask: Ask, random: Random, options: InventOptions): Saying[] {
  const text = options.demo && ask.jsonSchema === null ? echoText(ask) : null;
  const toolHabit = options.demo ? 'always' : 'when-asked';
  return Array.from({ length: ask.choices }, () => say(ask, random, { size: options.size, toolHabit, text }));
}

function randomOf(body: JsonObject, seed: number): Random {
  const { stream: _, stream_options: __, ...said } = body;
  return randomFrom(hash(JSON.stringify(said)) ^ seed);
}

function askWith(ask: Ask, order: DemoOrder): Ask {
  if (!order.wantsTool || ask.tools.length > 0) return ask;
  const schema = { type: 'object', properties: { city: { type: 'string' } } };
  return { ...ask, tools: [{ name: 'simulated_tool', schema }], toolChoice: 'any' };
}

function wantsUsage(body: JsonObject): boolean {
  return objectMember(body, 'stream_options')?.include_usage === true;
}

/** The same request has the same identity, so that two answers can be compared byte by byte. */
function identityOf(call: Call, random: Random): Identity {
  const created = 1_750_000_000 + Math.floor(random() * 10_000_000);
  return { id: token(random, call.dialect === 'anthropic' ? 22 : 29), created, model: call.model };
}

function streamAnswer(headers: readonly HeaderPair[], events: readonly StreamEvent[]): StreamAnswer {
  const type: HeaderPair = ['content-type', 'text/event-stream; charset=utf-8'];
  return { kind: 'stream', status: 200, headers: [type, ...headers], events, reads: null };
}

function modelNames(options: InventOptions): string[] {
  if (options.demo) return [DEMO_MODEL, DEMO_BACKUP_MODEL];
  return ['gpt-4', 'gpt-4o-mini', 'text-embedding-3-small', 'claude-3-5-sonnet-20241022'];
}

/** Headers that a healthy answer carries, as recorded (`openai/chat-basic`, `azure/chat-basic`, anthropic.md §1). */
function healthyHeaders({ dialect, requestId, model }: Call): HeaderPair[] {
  switch (dialect) {
    case 'openai':
      return [
        ['openai-organization', 'org-simulated'],
        ['openai-processing-ms', '12'],
        ['openai-version', '2020-10-01'],
        ['x-ratelimit-limit-requests', '500'],
        ['x-ratelimit-limit-tokens', '200000'],
        ['x-ratelimit-remaining-requests', '499'],
        ['x-ratelimit-remaining-tokens', '199996'],
        ['x-ratelimit-reset-requests', '120ms'],
        ['x-ratelimit-reset-tokens', '1ms'],
        ['x-request-id', requestId],
      ];
    case 'azure':
      return [
        ['apim-request-id', requestId],
        ['x-request-id', requestId],
        ['x-ms-region', 'East US 2'],
        ['x-ms-deployment-name', model],
        ['x-ms-rai-invoked', 'true'],
        ['x-ratelimit-limit-requests', '100'],
        ['x-ratelimit-limit-tokens', '100000'],
        ['x-ratelimit-remaining-requests', '99'],
        ['x-ratelimit-remaining-tokens', '99998'],
      ];
    case 'anthropic':
      return [
        ['request-id', requestId],
        ['anthropic-organization-id', '00000000-0000-4000-8000-000000000000'],
        ...['requests', 'tokens', 'input-tokens', 'output-tokens'].flatMap((kind): HeaderPair[] => [
          [`anthropic-ratelimit-${kind}-limit`, '50000'],
          [`anthropic-ratelimit-${kind}-remaining`, '49000'],
          [`anthropic-ratelimit-${kind}-reset`, '2026-01-01T00:00:00Z'],
        ]),
      ];
  }
}

/** The request id in the form of the dialect's provider. */
export function requestIdOf(dialect: Dialect, random: Random): string {
  if (dialect === 'anthropic') return `req_011C${token(random, 20)}`;
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('');
  if (dialect === 'openai') return `req_${hex}`;
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Headers that tell a client when to come back. */
const WAIT_HINT = /^retry-after|ratelimit/;

/** The answer that a status fault stands for. */
export function failureAnswer(
  dialect: Dialect,
  fault: Extract<Fault, { kind: 'status' }>,
  context: ErrorContext,
): Answer {
  const { status, param } = fault;
  const isSilent = fault.retryAfter === 'none';
  const retryAfter = fault.retryAfter === 'none' ? null : fault.retryAfter;
  const words = fault.message ?? (isSilent ? 'Rate limit reached.' : null);
  const answer = providerError(dialect, fault.error, { ...context, status, message: words, param, retryAfter });
  const isOverridden = (name: string) =>
    fault.headers.some(([own]) => own === name) || (isSilent && WAIT_HINT.test(name));
  const headers = [...answer.headers.filter(([name]) => !isOverridden(name)), ...fault.headers];
  if (fault.body === null || answer.kind !== 'whole') return { ...answer, headers };
  return { ...answer, headers, body: new TextEncoder().encode(fault.body) };
}

/** How a dialect says inside a 200 that it failed: as an event of a stream, and as a whole body. */
export function failureInside(
  dialect: Dialect,
  name: FailureName,
  context: ErrorContext,
): { event: StreamEvent; body: Uint8Array } {
  const body = streamErrorBody(dialect, name, context);
  const event = dialect === 'anthropic' ? namedEvent('error', body) : dataEvent(body);
  return { event, body: new TextEncoder().encode(JSON.stringify(body)) };
}

/** The model that a request names: in its body, or as Azure's deployment in the path. */
export function modelOf(body: Json | undefined, name: string | null): string {
  return name ?? (isObject(body) ? (stringMember(body, 'model') ?? '') : '');
}
