import type { HeaderPair } from '../../core/http.ts';
import type { CallContext, ClientCall, Dialect, Facet, Refusal, UpstreamRequest } from '../provider.ts';
import { upstreamBody } from './body.ts';
import { type AuthStyle, hasOwnCredential, requestHeaders } from './headers.ts';
import { readReply } from './reply.ts';
import type { Rules } from './rules.ts';
import { OpenAiStream } from './stream.ts';

/** What a provider that speaks an OpenAI dialect tells its facets. */
export interface Wiring {
  /** LiteLLM's prefix, for messages. */
  readonly provider: string;
  readonly needsKey: (context: CallContext) => boolean;
  /** Names of variables, for the message about a missing key. */
  readonly keyVariables: readonly string[];
  readonly rules: (context: CallContext) => Rules;
  readonly auth: (context: CallContext) => AuthStyle;
  /** The absolute URL, or what is missing to build it. */
  readonly url: (context: CallContext, dialect: Dialect) => string | Refusal;
  readonly headers: (context: CallContext) => readonly HeaderPair[];
}

/** Path of an endpoint below the base URL of everything that looks like OpenAI. */
export const OPENAI_PATHS: Readonly<Record<Dialect, string>> = {
  'openai-chat': '/chat/completions',
  'openai-completions': '/completions',
  'openai-embeddings': '/embeddings',
};

/** One endpoint of a provider that speaks the client's own dialect: bytes pass through in both directions. */
export function passThroughFacet(dialect: Dialect, wiring: Wiring): Facet {
  return {
    speaks: dialect,
    request: (call, context) => upstreamRequest(call, context, dialect, wiring),
    reply: (head, body, context) => readReply(head, body, dialect, wiring.rules(context).answers),
    stream: (context) => new OpenAiStream(context, wiring.rules(context).answers),
  };
}

function upstreamRequest(
  call: ClientCall,
  context: CallContext,
  dialect: Dialect,
  wiring: Wiring,
): UpstreamRequest | Refusal {
  if (wiring.needsKey(context) && context.deployment.upstream.apiKey === null && !hasOwnCredential(context)) {
    return misconfigured(`No API key for ${wiring.provider}: set ${wiring.keyVariables[0] ?? 'api_key'} or api_key.`);
  }
  const url = wiring.url(context, dialect);
  if (typeof url !== 'string') return url;
  const body = upstreamBody(call, context, wiring.rules(context), wiring.provider);
  if (body.kind === 'refused') return body;
  const headers = requestHeaders(context, wiring.auth(context), wiring.headers(context));
  return { kind: 'request', method: 'POST', url, headers, body: body.pieces, dropped: body.dropped };
}

/** The operator's configuration lacks something. */
export function misconfigured(message: string): Refusal {
  return { kind: 'refused', reason: 'misconfigured', message, param: null };
}

/**
 * A path below a base URL that operators write in many ways: with a slash at the end, with a query, or with the whole
 * path of the endpoint already.
 */
export function joinUrl(base: string, path: string): string {
  const [address = '', ...query] = base.split('?');
  const trimmed = address.replace(/\/+$/, '');
  const whole = trimmed.endsWith(path) ? trimmed : trimmed + path;
  return query.length === 0 ? whole : `${whole}?${query.join('?')}`;
}
