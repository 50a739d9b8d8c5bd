/** The system's or the TLS library's code of a socket error (`ECONNRESET`), or null. */
export function codeOf(error: (Error & { readonly code?: unknown }) | null | undefined): string | null {
  return typeof error?.code === 'string' ? error.code : null;
}
