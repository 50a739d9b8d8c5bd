import type { HeaderPair } from '../core/http.ts';
import type { HttpProxy } from './proxy.ts';
import { type Target, writeConnect } from './request-head.ts';
import { ResponseParser, type ResponseSink } from './response-parser.ts';
import { codeOf } from './socket-error.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** What the socket through the tunnel needs to become the target's. */
export interface TunnelEnd {
  readonly connection: UpstreamConnection;
  readonly tls: Bun.TLSOptions;
  readonly handlers: Bun.SocketHandler<UpstreamConnection>;
}

/** Answers to CONNECT are small; Squid's error pages have heads of some 400 bytes. */
const MAX_ANSWER_BYTES = 16 * 1024;

/**
 * A connection to a proxy, until TLS with the target begins inside it.
 *
 * Invariants
 * 1. Only CONNECT is written in clear; everything else is TLS with the target, whose certificate is checked.
 * 2. No byte after the head of the proxy's answer is taken for the target's: the client speaks first in TLS (RFC 8446 §4),
 *    so such a byte is the proxy's.
 * 3. Every ending before that is one `connect` fault of the connection.
 *
 *   dialling ─(open: CONNECT)─► asked ─(2xx, nothing behind it)─► through: the socket is the connection's
 *       └──────────────────────────┴──(other answer, FIN, RST, abort)──► closed
 */
class Tunnel implements ResponseSink {
  readonly #proxy: HttpProxy;
  readonly #target: Target;
  readonly #end: TunnelEnd;
  readonly #parser = new ResponseParser(MAX_ANSWER_BYTES, this);
  #unwritten: Buffer;
  #status = 0;

  constructor(proxy: HttpProxy, target: Target, end: TunnelEnd) {
    this.#proxy = proxy;
    this.#target = target;
    this.#end = end;
    this.#unwritten = Buffer.from(writeConnect(proxy, target), 'latin1');
    this.#parser.begin('no-body');
  }

  opened(socket: Bun.Socket<Tunnel>): void {
    this.#end.connection.dialled(socket);
    this.flush(socket);
  }

  flush(socket: Bun.Socket<Tunnel>): void {
    if (this.#unwritten.length === 0) return;
    const taken = socket.write(this.#unwritten);
    if (taken < 0) this.fail('EPIPE', 'closed the connection before CONNECT was sent');
    else this.#unwritten = this.#unwritten.subarray(taken);
  }

  received(socket: Bun.Socket<Tunnel>, bytes: Buffer): void {
    const fault = this.#parser.push(bytes);
    if (fault !== null) this.fail(fault.code, `gave no valid answer to CONNECT: ${fault.message}`);
    else if (this.#status === 407) this.fail('EPROXYAUTH', 'refused the credentials, or wants some (407)');
    else if (this.#status >= 300) this.fail(`EPROXY_${this.#status}`, `answered CONNECT with ${this.#status}`);
    else if (this.#parser.hasSurplus) this.fail('EPROTO', 'sent bytes behind its answer to CONNECT');
    else if (this.#status >= 200) this.#enter(socket);
  }

  /** There is no tunnel; `what` continues "the proxy HOST (VARIABLE) …". */
  fail(code: string, what: string): void {
    const { host, variable } = this.#proxy;
    this.#end.connection.failToConnect(code, `the proxy ${host} (${variable}) ${what}`);
  }

  onHead(status: number, _headers: readonly HeaderPair[]): void {
    this.#status = status;
  }

  onData(): void {}

  #enter(socket: Bun.Socket<Tunnel>): void {
    // An address goes as server name too, against RFC 6066 §3: without a name the engine (Bun 1.4.5) checks the
    // certificate against the name that was dialled, which is the proxy's.
    const tls = { ...this.#end.tls, serverName: this.#target.hostname };
    const [raw] = socket.upgradeTLS({ data: this.#end.connection, tls, socket: this.#end.handlers });
    // Else every encrypted packet would be shown here as well.
    raw.reload({ socket: NOTHING });
  }
}

/** Opens a tunnel for the connection; it is told of the socket, or of the failure. */
export function openTunnel(proxy: HttpProxy, target: Target, end: TunnelEnd): Promise<unknown> {
  const data = new Tunnel(proxy, target, end);
  return Bun.connect({ hostname: proxy.hostname, port: proxy.port, data, socket: HANDLERS });
}

const HANDLERS: Bun.SocketHandler<Tunnel> = {
  open(socket) {
    socket.data.opened(socket);
  },
  data(socket, bytes) {
    socket.data.received(socket, bytes);
  },
  drain(socket) {
    socket.data.flush(socket);
  },
  close(socket, error) {
    socket.data.fail(codeOf(error) ?? 'ECONNRESET', 'closed the connection before it answered CONNECT');
  },
  error(socket, error) {
    socket.data.fail(codeOf(error) ?? 'EHANDLER', error.message);
  },
  connectError(socket, error) {
    socket.data.fail(codeOf(error) ?? 'ECONNFAILED', `cannot be reached: ${error.message}`);
  },
};

/** The engine wants at least one handler. */
const NOTHING = { drain() {} };
