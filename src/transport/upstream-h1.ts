import { isIP } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { type Millis, millis, seconds } from '../core/units.ts';
import { IdlePool } from './idle-pool.ts';
import type { ProxySettings } from './proxy.ts';
import { parseTarget, type Target, writeHead } from './request-head.ts';
import { codeOf } from './socket-error.ts';
import { openTunnel } from './tunnel.ts';
import type { OutboundRequest, Upstream, UpstreamCall, UpstreamFault, UpstreamHandlers } from './upstream.ts';
import { Call, type ConnectionOwner, UpstreamConnection } from './upstream-connection.ts';

/** Settings of the HTTP/1.1 client; each has a default that suits public providers. */
export interface UpstreamOptions {
  /** Idle connections kept for one origin; default 256. There is no limit on busy ones. */
  readonly maxIdlePerOrigin?: number;
  /** How long a connection may idle when the upstream does not say, milliseconds; default 4,000, under Node's 5,000. */
  readonly idleMs?: number;
  /** Largest response head, and largest trailers, in bytes; default 65,536. */
  readonly maxHeadBytes?: number;
  /** Certificates (PEM) to trust instead of the built-in ones. */
  readonly ca?: string | undefined;
  /** Proxies on the way (`proxyFor`); null, the default: every connection is direct. */
  readonly proxy?: ProxySettings | null;
}

/** Pieces up to this size travel in one write with the head: one copy is cheaper than a second system call. */
const SMALL_PIECE = 32 * 1024;
const MAX_TARGETS = 1024;
const LONGEST_IDLE = seconds(60);

/**
 * The gateway's HTTP/1.1 client: strict, pooled, and never sending a request twice.
 *
 * A request that was handed to a connection belongs to it: when the connection dies, the caller is told and decides.
 * (A pooled connection can die at the moment it is taken; of 47 such failures measured, one had reached the upstream.)
 */
export function createUpstream(options: UpstreamOptions, clock: Clock): Upstream {
  return new UpstreamH1(options, clock);
}

class UpstreamH1 implements Upstream, ConnectionOwner {
  readonly #idle: Millis;
  readonly #maxHeadBytes: number;
  readonly #ca: string | undefined;
  readonly #proxies: ProxySettings | null;
  readonly #pool: IdlePool<UpstreamConnection>;
  readonly #targets = new Map<string, Target>();
  #isClosed = false;

  constructor(options: UpstreamOptions, clock: Clock) {
    this.#idle = millis(options.idleMs ?? 4000);
    this.#maxHeadBytes = options.maxHeadBytes ?? 65_536;
    this.#ca = options.ca;
    this.#proxies = options.proxy ?? null;
    this.#pool = new IdlePool(clock, options.maxIdlePerOrigin ?? 256, this.#idle);
  }

  request(request: OutboundRequest, handlers: UpstreamHandlers): UpstreamCall {
    const call = new Call(handlers);
    const target = this.#target(request.url);
    const head = target === null ? null : writeHead(request, target);
    if (this.#isClosed) failLater(call, { kind: 'connect', code: 'ECLOSED', message: 'the client is shut down' });
    else if (target === null) failLater(call, unsendable('the URL is not an absolute http or https URL'));
    else if (head === null) failLater(call, unsendable('a header cannot be sent: control or non-latin-1 characters'));
    else this.#send(call, target, head, request.body);
    return call;
  }

  close(): void {
    this.#isClosed = true;
    this.#pool.close();
  }

  release(connection: UpstreamConnection, keepAliveSeconds: number | null): void {
    this.#pool.put(connection, this.#lifetime(keepAliveSeconds));
  }

  /** A second less than the upstream says, so that it does not close what we have just taken. */
  #lifetime(keepAliveSeconds: number | null): Millis {
    if (keepAliveSeconds === null) return this.#idle;
    return seconds(Math.min(keepAliveSeconds - 1, LONGEST_IDLE / 1000));
  }

  #send(call: Call, target: Target, head: string, body: readonly Uint8Array[] | null): void {
    const pooled = this.#pool.take(target.origin);
    const connection = pooled ?? new UpstreamConnection(target, this.#maxHeadBytes, this);
    connection.serve(call, requestPieces(head, body ?? []));
    // Never in this turn: no handler may run before the caller holds the call.
    if (pooled !== null) queueMicrotask(connection.send);
    else this.#connect(connection, target);
  }

  #connect(connection: UpstreamConnection, target: Target): void {
    try {
      this.#dial(connection, target).catch(ignore);
    } catch (error) {
      queueMicrotask(() => connection.failToConnect('EINVAL', String(error)));
    }
  }

  #dial(connection: UpstreamConnection, target: Target): Promise<unknown> {
    const { proxy, isSecure } = target;
    const tls = { rejectUnauthorized: true, ...(this.#ca && { ca: this.#ca }) };
    if (proxy !== null && isSecure) return openTunnel(proxy, target, { connection, tls, handlers: HANDLERS });
    const { hostname, port } = proxy ?? target;
    const address = { hostname, port, data: connection, socket: HANDLERS };
    if (!isSecure) return Bun.connect(address);
    // An address may not be sent as server name (RFC 6066 §3); the certificate is checked against it all the same.
    return Bun.connect({ ...address, tls: { ...tls, serverName: isIP(hostname) === 0 ? hostname : '' } });
  }

  #target(url: string): Target | null {
    const known = this.#targets.get(url);
    if (known !== undefined) return known;
    const target = parseTarget(url, this.#proxies);
    if (target === null) return null;
    if (this.#targets.size >= MAX_TARGETS) this.#targets.clear();
    this.#targets.set(url, target);
    return target;
  }
}

/** Shared by all sockets; each socket's `data` is its connection. */
const HANDLERS: Bun.SocketHandler<UpstreamConnection> = {
  open(socket) {
    socket.data.opened(socket);
  },
  handshake(socket, isTrusted, error) {
    if (isTrusted) socket.data.ready();
    else socket.data.failToConnect(codeOf(error) ?? 'EPROTO', error?.message ?? 'the TLS handshake failed');
  },
  data(socket, bytes) {
    socket.data.received(bytes);
  },
  drain(socket) {
    socket.data.drained();
  },
  end(socket) {
    socket.data.ended();
  },
  close(socket, error) {
    socket.data.gone(codeOf(error));
  },
  error(socket, error) {
    socket.data.broke(codeOf(error) ?? 'EHANDLER', error.message);
  },
  connectError(socket, error) {
    socket.data.failToConnect(codeOf(error) ?? 'ECONNFAILED', error.message);
  },
};

/** The head with the small pieces that follow it, then the rest of the body as it is. */
function requestPieces(head: string, body: readonly Uint8Array[]): readonly Uint8Array[] {
  let length = head.length;
  let count = 0;
  for (; count < body.length; count += 1) {
    const size = body[count]?.length ?? 0;
    if (size > SMALL_PIECE) break;
    length += size;
  }
  const first = Buffer.allocUnsafe(length);
  let at = first.write(head, 0, 'latin1');
  for (let index = 0; index < count; index += 1) {
    const piece = body[index] as Uint8Array;
    first.set(piece, at);
    at += piece.length;
  }
  return count === body.length ? [first] : [first, ...body.slice(count)];
}

const unsendable = (message: string): UpstreamFault => ({ kind: 'connect', code: 'EINVAL', message });

function failLater(call: Call, fault: UpstreamFault): void {
  queueMicrotask(() => {
    if (call.isOver) return;
    call.isOver = true;
    call.handlers.onError(fault);
  });
}

/** Connection failures arrive through `connectError`; the promise says the same again. */
function ignore(): void {}
