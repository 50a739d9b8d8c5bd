import type { HeaderPair } from '../core/http.ts';

/** The socket side of what clients send us, without policy. */
export interface ServerOptions {
  readonly hostname: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Largest decoded request body in bytes; beyond it `readBody` gives `too-large` without buffering more. */
  readonly maxBodyBytes: number;
  /** Longest time for a request body to arrive, milliseconds. */
  readonly bodyTimeoutMs: number;
  /** Seconds an idle keep-alive connection, or a head that does not finish, is kept. */
  readonly idleSeconds: number;
}

export interface GatewayServer {
  readonly port: number;
  readonly hostname: string;
  /** From now on each answer is the last of its connection and says so; accepting goes on. */
  drain(): void;
  /** Stops accepting; running answers go on. Resolves when all are done or `deadlineMs` has passed, then forces. */
  stop(deadlineMs: number): Promise<void>;
}

/** Answers one request; a thrown error becomes a bare 500 and a report to the log. */
export type Handler = (request: ServerRequest) => ServerResponse | Promise<ServerResponse>;

export interface ServerRequest {
  readonly method: string;
  /** Path as sent, percent-encoding kept, without the query. */
  readonly path: string;
  /** Query without the question mark, or ''. */
  readonly query: string;
  header(name: string): string | null;
  /** All headers, lower-case names. */
  headers(): readonly HeaderPair[];
  remoteAddress(): string | null;
  /** Reads, bounds and decodes (gzip, deflate, br, zstd) the body; no promise when it is there already. Never throws. */
  readBody(): Uint8Array | BodyFault | Promise<Uint8Array | BodyFault>;
  /**
   * Nobody needs the body any more: the memory of a large one is free at once, and who still looks finds no bytes.
   *
   * Without it a hundred large bodies lie there until a collection, each new one in fresh memory, which costs more than
   * everything else that is done with it.
   */
  forgetBody(): void;
  /** Called at most once, when the client went away before the answer was complete. */
  onGone(callback: () => void): void;
}

export interface BodyFault {
  readonly kind: 'too-large' | 'timeout' | 'client-gone' | 'bad-encoding' | 'unknown-encoding';
  readonly message: string;
}

export type ServerResponse =
  | {
      readonly kind: 'whole';
      readonly status: number;
      readonly headers: readonly HeaderPair[];
      readonly body: Uint8Array | string | null;
    }
  | {
      readonly kind: 'stream';
      readonly status: number;
      readonly headers: readonly HeaderPair[];
      /** Called once, when the client can be written to. */
      start(stream: ClientStream): void;
    };

/** A streamed answer on its way to the client. */
export interface ClientStream {
  /** Takes whole events. False: the client reads slower than we write; wait for `onDrain`. Bytes are taken anyway. */
  write(bytes: Uint8Array): boolean;
  /** Called each time the backlog is gone after a `write` gave false. */
  onDrain(callback: () => void): void;
  /** Ends the body cleanly. */
  end(): void;
  /** Ends the connection without the terminator: the only honest end of a body that is no event stream. */
  cut(): void;
}
