import { describe, expect, test } from 'bun:test';
import { isObject, type Json, type JsonObject, objectMember } from '../core/json.ts';
import type { Answer } from './answer.ts';
import { invent } from './answering.ts';
import { loadCorpus, type Recording } from './corpus.ts';
import type { Dialect, Operation } from './dialect.ts';
import { FAILURES, type FailureName } from './failure.ts';
import { providerError } from './provider-errors.ts';

const folder = process.env.TOLLGATE_RECORDINGS || undefined;
const corpus = folder === undefined ? [] : loadCorpus(folder);

/** Paths of all members of a value, array positions left out: `choices.message.content`. */
function memberPaths(value: Json | undefined, prefix = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item: Json) => memberPaths(item, prefix));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, member]) => [
    `${prefix}${key}`,
    ...memberPaths(member, `${prefix}${key}.`),
  ]);
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** The JSON bodies of an answer: one, or one for each event. */
function bodies(answer: Answer): JsonObject[] {
  const texts =
    answer.kind === 'whole'
      ? [Buffer.from(answer.body).toString()]
      : answer.events.map((event) => /^data: ?(.*)$/m.exec(Buffer.from(event.bytes).toString())?.[1] ?? '');
  return texts.map(parsed).filter(isObject);
}

function recordings(provider: string, path: string, stream: boolean): Recording[] {
  return corpus.filter(
    (one) =>
      one.name.includes(`${provider}/`) &&
      one.path.endsWith(path) &&
      one.stream === stream &&
      one.answer.status === 200,
  );
}

/** Members that this simulator sends in place of something else, or that only newer answers have. */
const OURS = ['choices.logprobs', 'choices.message.annotations'];

const CHAT = { model: 'gpt-4o', messages: [{ role: 'user', content: 'use the tool' }] };
const OPENAI_TOOLS = {
  tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }],
};
const USAGE = { stream_options: { include_usage: true } };
const MESSAGE = { model: 'claude', max_tokens: 99, messages: CHAT.messages };
const CLAUDE_TOOLS = { tools: [{ name: 'f', input_schema: { type: 'object', properties: {} } }] };
const PROMPT = { model: 'm', prompt: 'hi' };

const rows: readonly (readonly [Dialect, Operation, path: string, body: JsonObject])[] = [
  ['openai', 'chat', '/chat/completions', CHAT],
  ['openai', 'chat', '/chat/completions', { ...CHAT, ...OPENAI_TOOLS }],
  ['openai', 'chat', '/chat/completions', { ...CHAT, ...USAGE, stream: true }],
  ['openai', 'chat', '/chat/completions', { ...CHAT, ...OPENAI_TOOLS, stream: true }],
  ['openai', 'completions', '/v1/completions', PROMPT],
  ['openai', 'completions', '/v1/completions', { ...PROMPT, ...USAGE, stream: true }],
  ['openai', 'embeddings', '/v1/embeddings', { model: 'm', input: 'hi' }],
  ['azure', 'chat', '/chat/completions', CHAT],
  ['azure', 'chat', '/chat/completions', { ...CHAT, ...USAGE, stream: true }],
  ['azure', 'chat', '/chat/completions', { ...CHAT, ...OPENAI_TOOLS, stream: true }],
  ['azure', 'embeddings', '/embeddings', { model: 'm', input: 'hi' }],
  ['anthropic', 'messages', '/v1/messages', MESSAGE],
  ['anthropic', 'messages', '/v1/messages', { ...MESSAGE, ...CLAUDE_TOOLS }],
  ['anthropic', 'messages', '/v1/messages', { ...MESSAGE, stream: true }],
  ['anthropic', 'messages', '/v1/messages', { ...MESSAGE, ...CLAUDE_TOOLS, stream: true }],
];

describe.skipIf(folder === undefined)('against the recordings', () => {
  for (const [dialect, operation, path, body] of rows) {
    const words = `${body.stream === true ? ' stream' : ''}${body.tools === undefined ? '' : ' with tools'}`;
    test(`an invented ${dialect} ${operation}${words} has no member that no recording has`, () => {
      const recorded = recordings(dialect, path, body.stream === true);
      expect(recorded.length).toBeGreaterThan(0);
      const known = new Set([
        ...recorded.flatMap((one) => bodies(one.answer).flatMap((item) => memberPaths(item))),
        ...OURS,
      ]);
      const call = { dialect, operation, name: null, model: 'm', body, requestId: 'r' };
      const answer = invent(call, { seed: 1, size: 40, pieceSize: 8, demo: false }, { faults: [], wantsTool: false });
      const unknown = bodies(answer)
        .flatMap((item) => memberPaths(item))
        .filter((path) => !known.has(path));
      expect([...new Set(unknown)]).toEqual([]);
    });

    test(`an invented ${dialect} ${operation}${words} has every member that all recordings have`, () => {
      const recorded = recordings(dialect, path, body.stream === true);
      const call = { dialect, operation, name: null, model: 'm', body, requestId: 'r' };
      const answer = invent(call, { seed: 1, size: 40, pieceSize: 8, demo: false }, { faults: [], wantsTool: false });
      const invented = new Set(bodies(answer).flatMap((item) => memberPaths(item)));
      const sets = recorded.map((one) => new Set(bodies(one.answer).flatMap((item) => memberPaths(item))));
      const common = [...(sets[0] ?? [])].filter((member) => sets.every((set) => set.has(member)));
      expect(common.filter((member) => !invented.has(member))).toEqual([]);
    });
  }

  const errors: readonly (readonly [Dialect, FailureName, recording: string])[] = [
    ['openai', 'invalid-key', 'openai/error-401-invalid-key'],
    ['openai', 'forbidden', 'openai/error-403-not-allowed'],
    ['openai', 'model-not-found', 'openai/error-404-model-not-found'],
    ['openai', 'server-error', 'openai/error-500-server-error'],
    ['openai', 'context-length', 'openai/error-400-context-length'],
    ['azure', 'invalid-key', 'azure/error-401'],
    ['azure', 'model-not-found', 'azure/error-404-deployment-not-found'],
    ['azure', 'unknown-path', 'azure/error-404-resource-not-found'],
    ['anthropic', 'invalid-key', 'anthropic/error-401'],
    ['anthropic', 'model-not-found', 'anthropic/error-404-model'],
    ['anthropic', 'context-length', 'anthropic/error-400-prompt-too-long'],
  ];
  for (const [dialect, name, recording] of errors) {
    test(`the ${dialect} error ${name} has the members, type and code of ${recording}`, () => {
      const recorded = corpus.find((one) => one.name.endsWith(recording))?.answer;
      const context = {
        model: 'm',
        credential: 'k',
        requestId: 'req_1',
        now: 0,
        status: null,
        message: null,
        param: null,
        retryAfter: null,
      };
      const ours = providerError(dialect, name, context);
      const [theirBody, ourBody] = [recorded, ours].map((answer) => (answer ? bodies(answer)[0] : undefined));
      expect(memberPaths(ourBody).sort()).toEqual(memberPaths(theirBody).sort());
      const typed = (body: JsonObject = {}) => ['type', 'code'].map((key) => objectMember(body, 'error')?.[key]);
      expect([...typed(ourBody), ours.status]).toEqual([...typed(theirBody), FAILURES[name]]);
      expect(recorded?.status).toBe(ours.status);
    });
  }

  test('every stream is cut into events that are its bytes again', () => {
    for (const { answer } of corpus) {
      if (answer.kind !== 'stream' || answer.reads === null) continue;
      const length = answer.events.reduce((sum, event) => sum + event.bytes.length, 0);
      expect(answer.reads.reduce((sum, read) => sum + read, 0)).toBe(length);
    }
  });
});
