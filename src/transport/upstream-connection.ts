import type { HeaderPair } from '../core/http.ts';
import { type Millis, millis } from '../core/units.ts';
import type { PooledConnection } from './idle-pool.ts';
import type { Target } from './request-head.ts';
import { ResponseParser, type ResponseSink } from './response-parser.ts';
import type { UpstreamCall, UpstreamFault, UpstreamHandlers } from './upstream.ts';

/** Bytes handed to the socket at once, so that TLS does not encrypt a whole body ahead of a slow upstream. */
const WRITE_SLICE = 1 << 20;

type Socket = Bun.Socket<UpstreamConnection>;

/** Gets connections back when their response is complete. */
export interface ConnectionOwner {
  release(connection: UpstreamConnection, keepAliveSeconds: number | null): void;
}

/** One request as its caller holds it. It outlives its hold on the connection, which may serve others by then. */
export class Call implements UpstreamCall {
  readonly handlers: UpstreamHandlers;
  /** Null before the request got one, and again when the call is over. */
  connection: UpstreamConnection | null = null;
  isPaused = false;
  isOver = false;

  constructor(handlers: UpstreamHandlers) {
    this.handlers = handlers;
  }

  abort(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.connection?.abandon();
  }

  pause(): void {
    if (this.isOver || this.isPaused) return;
    this.isPaused = true;
    this.connection?.pause();
  }

  resume(): void {
    if (this.isOver || !this.isPaused) return;
    this.isPaused = false;
    this.connection?.resume();
  }
}

/**
 * One connection to an upstream, serving one call at a time.
 *
 * Invariants
 * 1. A request is written at most once, to this connection only.
 * 2. Nothing is written before the connection is open and, with TLS, the certificate has been checked.
 * 3. It is released for reuse only when request and response are complete, the framing allows it and no byte follows.
 * 4. After a call has ended no handler of it runs.
 *
 *   opening ─(open, handshake)─► serving ─(response complete)─► idle ─(serve)─► serving
 *      └────────────────────────────┴──(fault, abort, FIN, RST, surplus bytes)──┴──► closed
 */
export class UpstreamConnection implements PooledConnection, ResponseSink {
  readonly origin: string;
  readonly isSecure: boolean;
  expiresAt: Millis = millis(0);
  readonly #owner: ConnectionOwner;
  readonly #parser: ResponseParser;
  /** The proxy reads the request itself, and its refusals come as answers. */
  readonly #isRelayed: boolean;
  /** The socket to the proxy, below the one to the target. */
  #tunnel: Pick<Socket, 'terminate'> | null = null;
  #socket: Socket | null = null;
  #isReady = false;
  #isClosed = false;
  #call: Call | null = null;
  /** What is still to be written; the first piece from `#writtenBytes` on. */
  #pieces: readonly Uint8Array[] = [];
  #pieceIndex = 0;
  #writtenBytes = 0;

  constructor(target: Target, maxHeadBytes: number, owner: ConnectionOwner) {
    this.origin = target.origin;
    this.isSecure = target.isSecure;
    this.#isRelayed = target.proxy !== null && !target.isSecure;
    this.#owner = owner;
    this.#parser = new ResponseParser(maxHeadBytes, this);
  }

  /** Takes a call and the pieces of its request, none of them empty; `send` writes them. */
  serve(call: Call, pieces: readonly Uint8Array[]): void {
    this.#call = call;
    call.connection = this;
    this.#pieces = pieces;
    this.#pieceIndex = 0;
    this.#writtenBytes = 0;
    this.#parser.begin('body');
  }

  /** Starts writing if the connection is ready. A bound function, so that a request needs no closure to queue it. */
  readonly send = (): void => {
    if (this.#call === null || !this.#isReady) return;
    if (this.#call.isPaused) this.#socket?.pause();
    try {
      this.#call.handlers.onConnected();
      this.#flush();
    } catch (error) {
      this.broke('EHANDLER', String(error));
    }
  };

  isOpen(): boolean {
    return !this.#isClosed && this.#socket !== null && this.#socket.readyState === 1;
  }

  /** Ends the connection in order. */
  close(): void {
    this.#isClosed = true;
    this.#socket?.end();
  }

  /** Cuts the connection at once: the call has no more interest. */
  abandon(): void {
    this.#detach();
    this.#cut();
  }

  pause(): void {
    if (this.#isReady) this.#socket?.pause();
  }

  resume(): void {
    if (this.#isReady) this.#socket?.resume();
  }

  /** No connection came about, or TLS refused it. */
  failToConnect(code: string, message: string): void {
    this.#fail({ kind: 'connect', code, message });
  }

  /** The socket to the proxy is open: from now on it goes when the connection goes. */
  dialled(socket: Pick<Socket, 'terminate'>): void {
    this.#tunnel = socket;
    if (this.#isClosed) socket.terminate();
  }

  opened(socket: Socket): void {
    this.#socket = socket;
    if (this.#isClosed) socket.terminate();
    else if (!this.isSecure) this.ready();
  }

  ready(): void {
    this.#isReady = true;
    this.send();
  }

  received(bytes: Buffer): void {
    if (this.#call === null) {
      // Nobody asked for these: whatever they are, they must not become the next answer.
      this.#cut();
      return;
    }
    const fault = this.#parser.push(bytes);
    if (fault !== null) this.#fail(fault);
    else if (this.#parser.isDone) this.#complete();
  }

  drained(): void {
    if (this.#call !== null) this.#flush();
  }

  /** The upstream has sent FIN. */
  ended(): void {
    this.#isClosed = true;
    if (this.#call === null) return;
    if (!this.#isReady) {
      this.failToConnect('ECONNRESET', 'the connection was closed during the TLS handshake');
      return;
    }
    const fault = this.#parser.finish();
    if (fault !== null) this.#fail(fault);
    else if (this.#parser.isDone) this.#complete();
  }

  /** The connection is gone; without a FIN before, it was cut. */
  gone(code: string | null): void {
    this.#isClosed = true;
    const kind = this.#isReady ? 'closed' : 'connect';
    this.#fail({ kind, code: code ?? 'ECONNRESET', message: 'the connection was cut' });
  }

  /** A handler has thrown, or TLS has broken: the call must not be left hanging. */
  broke(code: string, message: string): void {
    this.#fail({ kind: this.#isReady ? 'closed' : 'connect', code, message });
    this.#cut();
  }

  onHead(status: number, headers: readonly HeaderPair[]): void {
    if (status === 407 && this.#isRelayed) {
      this.failToConnect('EPROXYAUTH', 'the proxy refused the credentials, or wants some (407)');
      return;
    }
    this.#call?.handlers.onHead(status, headers);
  }

  onData(bytes: Buffer): void {
    this.#call?.handlers.onData(bytes);
  }

  #flush(): void {
    const socket = this.#socket;
    while (socket !== null && this.#isWriting) {
      const piece = this.#pieces[this.#pieceIndex] as Uint8Array;
      const left = piece.length - this.#writtenBytes;
      if (left <= 0) {
        // Its owner took the memory back: the answer is over, and nobody waits for the rest to be sent.
        this.#cut();
        return;
      }
      const slice = Math.min(left, WRITE_SLICE);
      const taken = socket.write(piece, this.#writtenBytes, slice);
      if (taken < 0) {
        this.#fail({ kind: 'closed', code: 'EPIPE', message: 'the connection was closed before the request was sent' });
        return;
      }
      this.#writtenBytes += taken;
      if (taken < slice) return;
      if (taken === left) {
        this.#pieceIndex += 1;
        this.#writtenBytes = 0;
        if (!this.#isWriting) this.#sent();
      }
    }
  }

  get #isWriting(): boolean {
    return this.#pieceIndex < this.#pieces.length;
  }

  #sent(): void {
    this.#forgetRequest();
    this.#call?.handlers.onSent();
  }

  #forgetRequest(): void {
    this.#pieces = [];
    this.#pieceIndex = 0;
  }

  #complete(): void {
    const call = this.#detach();
    if (call === null) return;
    const canReuse = this.#parser.canReuse && !this.#isWriting && !this.#isClosed;
    if (canReuse) {
      if (call.isPaused) this.#socket?.resume();
      this.#owner.release(this, this.#parser.keepAliveSeconds);
    } else if (this.#isWriting) this.#cut();
    else this.close();
    call.handlers.onEnd();
  }

  #fail(fault: UpstreamFault): void {
    const call = this.#detach();
    this.#cut();
    call?.handlers.onError(fault);
  }

  #detach(): Call | null {
    const call = this.#call;
    this.#call = null;
    if (call === null) return null;
    call.isOver = true;
    call.connection = null;
    if (!this.#parser.isDone) this.#parser.halt();
    return call;
  }

  #cut(): void {
    this.#isClosed = true;
    this.#forgetRequest();
    this.#socket?.terminate();
    this.#tunnel?.terminate();
  }
}
