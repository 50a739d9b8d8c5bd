import type { HeaderPair } from '../../core/http.ts';
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
  const headers = new Map<string, string>();
  for (const [name, value] of context.forwardedHeaders) {
    if (!FOREIGN.test(name)) headers.set(name, value);
  }
  headers.set('content-type', 'application/json');
  headers.set('accept', context.isStreaming ? 'text/event-stream' : 'application/json');
  for (const [name, value] of ours) headers.set(name, value);
  const { apiKey, extraHeaders } = context.deployment.upstream;
  // `azure_ad_token` comes as a header: a token and a key of two accounts would not agree.
  if (apiKey !== null && !extraHeaders.some(([name]) => /^authorization$/i.test(name))) {
    if (auth === 'bearer') headers.set('authorization', `Bearer ${apiKey.reveal()}`);
    else headers.set(auth.header, apiKey.reveal());
  }
  for (const [name, value] of extraHeaders) headers.set(name.toLowerCase(), value.reveal());
  return [...headers];
}

/** Whether the operator gives a credential as a header of his own. */
export function hasOwnCredential(context: CallContext): boolean {
  return context.deployment.upstream.extraHeaders.some(([name]) => /^(?:authorization|api-key|x-api-key)$/i.test(name));
}
