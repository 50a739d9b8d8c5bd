/**
 * An address without what may be a credential in it: people write one before the host, or behind a question mark.
 *
 * For rows, headers, metrics and logs; never for calling.
 */
export function withoutCredentials(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1').replace(/[?#].*$/, '');
}
