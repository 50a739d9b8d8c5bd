import type { HeaderPair } from '../../core/http.ts';
import type { Secret } from '../../core/secret.ts';
import type { CallContext } from '../provider.ts';

/** How the credential travels: as a bearer token, or bare in a header of this name. */
export type AuthStyle = 'bearer' | { readonly header: string };

/**
 * Client headers that only another family of upstreams understands (transport.md §1.2), and credentials, which the
 * caller has taken out already: here a slip would hand a virtual key to a provider.
 */
const FOREIGN = /^(?:anthropic-|x-claude-code-|authorization$|api-key$|x-api-key$|cookie$)/;

/**
 * The headers of a JSON request: the client's allowed ones, the host's, ours, then the operator's.
 *
 * Later ones replace earlier ones of the same name, so that `extra_headers` may replace even the credential, and a
 * client never can.
 */
export function requestHeaders(
  context: CallContext,
  auth: AuthStyle,
  ours: readonly HeaderPair[] = [],
): readonly HeaderPair[] {
  const { apiKey, extraHeaders } = context.deployment.upstream;
  if (context.forwardedHeaders.length + ours.length + extraHeaders.length === 0) return plainHeaders(context, auth);
  const headers = new Map<string, string>();
  for (const [name, value] of context.forwardedHeaders) {
    if (!FOREIGN.test(name)) headers.set(name, value);
  }
  for (const [name, value] of common(context)) headers.set(name, value);
  for (const [name, value] of ours) headers.set(name, value);
  // `azure_ad_token` comes as a header: a token and a key of two accounts would not agree.
  if (apiKey !== null && !extraHeaders.some(([name]) => /^authorization$/i.test(name))) {
    const [name, value] = credential(apiKey, auth);
    headers.set(name, value);
  }
  for (const [name, value] of extraHeaders) headers.set(name.toLowerCase(), value.reveal());
  return [...headers];
}

/** What nearly every request has: nothing of the client's, the host's or the operator's own. */
function plainHeaders(context: CallContext, auth: AuthStyle): readonly HeaderPair[] {
  const { apiKey } = context.deployment.upstream;
  return apiKey === null ? common(context) : [...common(context), credential(apiKey, auth)];
}

const FOR_REPLY = headersFor('application/json');
const FOR_STREAM = headersFor('text/event-stream');

function headersFor(accept: string): readonly HeaderPair[] {
  return [
    ['content-type', 'application/json'],
    ['accept', accept],
  ];
}

const common = ({ isStreaming }: CallContext): readonly HeaderPair[] => (isStreaming ? FOR_STREAM : FOR_REPLY);

function credential(apiKey: Secret, auth: AuthStyle): HeaderPair {
  return auth === 'bearer' ? ['authorization', `Bearer ${apiKey.reveal()}`] : [auth.header, apiKey.reveal()];
}

/** Whether the operator gives a credential as a header of his own. */
export function hasOwnCredential(context: CallContext): boolean {
  return context.deployment.upstream.extraHeaders.some(([name]) => /^(?:authorization|api-key|x-api-key)$/i.test(name));
}
