import type { HeaderPair } from '../../core/http.ts';
import type { CallContext } from '../provider.ts';

/** The version whose sampling parameters still work on the models that take them (specs/anthropic.md §1). */
const API_VERSION = '2023-06-01';
/** Keys of Claude subscriptions: they go as bearer tokens, under a beta. */
const OAUTH_KEY = /^sk-ant-oat/;
const OAUTH_BETA = 'oauth-2025-04-20';
/** Headers that only OpenAI and its look-alikes understand (transport.md §1.2). */
const FOREIGN = /^openai-/;
/** The gateway decides these; a client's own may not replace them. */
const OURS: ReadonlySet<string> = new Set([
  'anthropic-beta',
  'anthropic-version',
  'authorization',
  'x-api-key',
  'content-type',
  'accept',
]);

/**
 * The headers of one call: the client's allowed ones, ours, then the operator's `extra_headers` over both.
 *
 * `anthropic-beta` is merged from all three, first mention first.
 *
 * @param betas what the translation itself needs
 */
export function requestHeaders(context: CallContext, betas: ReadonlySet<string>): readonly HeaderPair[] {
  const { apiKey, extraHeaders } = context.deployment.upstream;
  const key = apiKey?.reveal() ?? null;
  const isOauth = key !== null && OAUTH_KEY.test(key);
  const headers = new Map<string, string>();
  for (const [name, value] of context.forwardedHeaders) {
    if (!OURS.has(name) && !FOREIGN.test(name)) headers.set(name, value);
  }
  headers.set('content-type', 'application/json');
  headers.set('accept', context.isStreaming ? 'text/event-stream' : 'application/json');
  headers.set('anthropic-version', API_VERSION);
  if (key !== null) headers.set(...credential(key, isOauth));
  const operators = extraHeaders.map(([name, value]) => [name.toLowerCase(), value.reveal()] as const);
  for (const [name, value] of operators) headers.set(name, value);
  const beta = mergedBetas([
    ...valuesOf(context.forwardedHeaders, 'anthropic-beta'),
    ...valuesOf(operators, 'anthropic-beta'),
    ...betas,
    ...(isOauth ? [OAUTH_BETA] : []),
  ]);
  if (beta !== '') headers.set('anthropic-beta', beta);
  return [...headers];
}

/** Whether the call has a credential at all: the deployment's key, or a header of the operator's. */
export function hasCredential(context: CallContext): boolean {
  const { apiKey, extraHeaders } = context.deployment.upstream;
  return apiKey !== null || extraHeaders.some(([name]) => /^(?:x-api-key|authorization)$/i.test(name));
}

function credential(key: string, isOauth: boolean): [name: string, value: string] {
  return isOauth ? ['authorization', `Bearer ${key}`] : ['x-api-key', key];
}

function valuesOf(headers: readonly HeaderPair[], wanted: string): readonly string[] {
  return headers.filter(([name]) => name === wanted).map(([, value]) => value);
}

function mergedBetas(values: readonly string[]): string {
  const names = values.flatMap((value) => value.split(',')).map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ''))].join(',');
}
