import type { HeaderPair } from '../core/http.ts';

/**
 * The sockets towards providers, without policy.
 *
 * One call is one attempt: it is never sent twice, nothing is followed, nothing is retried, no time limit is kept
 * (the caller has the clock). Every way in which a body can end is told apart.
 */
export interface Upstream {
  /**
   * Sends a request. Never throws; every ending comes through the handlers, after this call has returned.
   * Exactly one of `onEnd` and `onError` is called, and nothing after it; neither after `abort`.
   */
  request(request: OutboundRequest, handlers: UpstreamHandlers): UpstreamCall;
  /** Closes idle connections and refuses new requests; running calls go on. */
  close(): void;
}

export interface OutboundRequest {
  readonly method: 'POST' | 'GET';
  /** Absolute `http:` or `https:` URL. */
  readonly url: string;
  readonly headers: readonly HeaderPair[];
  /** Pieces that follow one another; null for none. */
  readonly body: readonly Uint8Array[] | null;
}

export interface UpstreamHandlers {
  /** The connection is open and trusted, and the request begins to be written, which a large body makes long. */
  onConnected(): void;
  /** The request has been written in full to an open connection. */
  onSent(): void;
  /** Final response head (1xx are swallowed). Headers in order, lower-case names. */
  onHead(status: number, headers: readonly HeaderPair[]): void;
  /** Body bytes without transfer coding; the buffer belongs to the receiver. */
  onData(bytes: Buffer): void;
  /** The body is complete by HTTP's framing. */
  onEnd(): void;
  onError(fault: UpstreamFault): void;
}

export interface UpstreamCall {
  /** Closes the connection at once; no handler is called afterwards. */
  abort(): void;
  /** Stops reading; the provider feels it through TCP. */
  pause(): void;
  resume(): void;
}

/**
 * `connect`: no connection (refused, DNS, TLS). `closed`: it ended where it must not have. `malformed`: bytes that
 * are not HTTP/1.1. `too-large`: a head beyond the limit. `code` is for logs: ECONNREFUSED, ENOTFOUND, ECONNRESET …
 */
export interface UpstreamFault {
  readonly kind: 'connect' | 'closed' | 'malformed' | 'too-large';
  readonly code: string;
  readonly message: string;
}
