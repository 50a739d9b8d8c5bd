import type { Failure } from '../../src/core/outcome.ts';
import type { Deployment, UpstreamSettings } from '../../src/core/snapshot.ts';
import type { Usage } from '../../src/core/usage.ts';
import { buildRequest } from '../../src/providers/anthropic/request.ts';
import { decodeStream } from '../../src/providers/anthropic/stream.ts';
import type { CallContext, Refusal, ReplyHead, UpstreamRequest } from '../../src/providers/provider.ts';
import type { ChatChunk } from '../../src/wire/openai/chat.ts';
import * as call from './call.ts';
import { play } from './play.ts';

// The same as call.ts and play.ts, shorter to write for tests about one small thing of the Anthropic translation.

/** What a test says about the context; everything else has a plain default. */
export interface Given extends Partial<Omit<CallContext, 'deployment'>> {
  readonly deployment?: Partial<Omit<Deployment, 'upstream'>> & { readonly upstream?: Partial<UpstreamSettings> };
}

/** A context for `claude-sonnet-4-5` under the name `claude`: not streamed, nothing dropped or modified. */
export function exampleContext(given: Given = {}, body: object = { model: 'claude', messages: [] }): CallContext {
  const { deployment: { upstream, ...overrides } = {}, ...rest } = given;
  const deployment = call.testDeployment('anthropic', 'claude-sonnet-4-5', upstream, overrides);
  return call.testContext(deployment, exampleCall(body), rest);
}

/** The head of an answer. */
export function exampleHead(status = 200, headers: Readonly<Record<string, string>> = {}): ReplyHead {
  return call.testHead(status, headers);
}

function exampleCall(body: object) {
  return call.testCall(Buffer.from(JSON.stringify(body)));
}

/** What goes upstream for `body`: the request, with its own body parsed beside it. */
export function requested(
  body: object,
  given: Given = {},
): UpstreamRequest & { readonly json: Readonly<Record<string, unknown>> } {
  const result = built(body, given);
  if (result.kind === 'refused') throw new Error(`refused: ${result.message}`);
  return { ...result, json: JSON.parse(Buffer.concat(result.body).toString()) as Record<string, unknown> };
}

/** Why `body` is refused. */
export function refused(body: object, given: Given = {}): Refusal {
  const result = built(body, given);
  if (result.kind === 'request') throw new Error('the request was not refused');
  return result;
}

function built(body: object, given: Given): UpstreamRequest | Refusal {
  const whole = { model: 'claude', messages: [{ role: 'user', content: 'Hi' }], ...body };
  return buildRequest(exampleCall(whole), exampleContext(given, whole));
}

/** What a decoder said about a stream. */
export interface Decoded {
  readonly chunks: readonly ChatChunk[];
  /** How many chunks there were when the output first meant something; null when it never did. */
  readonly committedAfter: number | null;
  readonly usage: Usage | null;
  readonly end: 'complete' | Failure | null;
}

/** Decodes a body of server-sent events that ended by HTTP's rules. */
export function decoded(body: string, given: Given = {}): Decoded {
  const decoder = decodeStream(exampleContext({ isStreaming: true, ...given }));
  const { calls, usage, end, failure } = play(decoder, [Buffer.from(body)]);
  const isChunk = (each: string) => each.startsWith('chunk ');
  const commit = calls.indexOf('meaningful');
  return {
    chunks: calls.filter(isChunk).map((each) => JSON.parse(each.slice('chunk '.length)) as ChatChunk),
    committedAfter: commit < 0 ? null : calls.slice(0, commit).filter(isChunk).length,
    usage,
    end: end === 'complete' ? end : failure,
  };
}

/** Server-sent events for these payloads. */
export function sse(...payloads: readonly object[]): string {
  return payloads
    .map((payload) => `event: ${(payload as { type?: string }).type}\ndata: ${JSON.stringify(payload)}\n\n`)
    .join('');
}
