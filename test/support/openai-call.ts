import type { JsonObject } from '../../src/core/json.ts';
import type { Failure } from '../../src/core/outcome.ts';
import type { Deployment, UpstreamSettings } from '../../src/core/snapshot.ts';
import type { Usage } from '../../src/core/usage.ts';
import type { CallContext, ClientCall, ReplyHead, StreamDecoder } from '../../src/providers/provider.ts';
import * as call from './call.ts';
import { cut, play } from './play.ts';

// The same as call.ts and play.ts, shorter to write for tests about one small thing of an OpenAI dialect.

/** A deployment of `openai/gpt-4o`. */
export function testDeployment(
  overrides: Partial<Deployment> = {},
  upstream: Partial<UpstreamSettings> = {},
): Deployment {
  return call.testDeployment('openai', 'gpt-4o', upstream, overrides);
}

/** The client's call for a body given as text or as an object. */
export function testCall(body: string | JsonObject): ClientCall {
  return call.testCall(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
}

/** A context in which nothing is dropped, and usage may be asked for upstream but nobody did. */
export function testContext(overrides: Partial<CallContext> = {}): CallContext {
  return call.testContext(testDeployment(), testCall('{"model":"gpt-4o"}'), { model: 'gpt-4o', ...overrides });
}

/** The head of an answer, by default without headers. */
export function testHead(status: number, headers: Readonly<Record<string, string>> = {}): ReplyHead {
  return call.testHead(status, headers);
}

/** What a decoder said about a stream. */
export interface Heard {
  /** Without a `[DONE]` of our own. */
  readonly forwarded: string;
  readonly usage: Usage | null;
  /** Names of the sink's methods in the order of the calls. */
  readonly calls: readonly string[];
  readonly failure: Failure | null;
}

/** Runs a decoder over a whole body, cut into reads at these offsets. */
export function hear(decoder: StreamDecoder, body: string | Buffer, offsets: readonly number[] = []): Heard {
  const { calls, usage, failure } = play(decoder, cut(Buffer.from(body), offsets));
  const forwarded = calls.filter((each) => each.startsWith('forward ')).map((each) => each.slice('forward '.length));
  return {
    forwarded: Buffer.from(forwarded.join(''), 'latin1').toString(),
    usage,
    calls: calls.map((each) => each.split(' ', 1)[0] as string),
    failure,
  };
}
