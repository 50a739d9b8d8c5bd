import { type AnswerFraming, writeAnswerHead } from './answer-head.ts';
import { free } from './free.ts';
import { framed, H1ClientStream, type StreamOwner } from './h1-client-stream.ts';
import { H1Request, type RequestOwner } from './h1-request.ts';
import type { MessageFault, RequestHead } from './http-grammar.ts';
import { RequestParser, type RequestSink } from './request-parser.ts';
import type { Handler, ServerOptions, ServerResponse } from './server.ts';
import { SocketWriter } from './socket-writer.ts';

/** What a connection needs of its server. */
export interface ConnectionHost {
  readonly options: ServerOptions;
  readonly handler: Handler;
  /** Whether each answer is to be the last of its connection. */
  readonly isDraining: boolean;
  /** Monotonic, milliseconds. */
  now(): number;
  /** The `date` header of this second. */
  date(): string;
  report(error: unknown): void;
}

/** Largest request head, bytes. */
const MAX_HEAD_BYTES = 65_536;
/** Bytes of requests that came too early, held at most; then the client waits. */
const MAX_EARLY_BYTES = 65_536;
/** Longest time for a head to be whole, milliseconds; idling may be allowed for longer. */
const LONGEST_HEAD = 12_000;
/** How long a client has for reading the last answer before the connection is closed under it, milliseconds. */
const LINGER = 2000;
/** How long a connection over which nothing has come yet is kept when the server stops, milliseconds. */
const NEWCOMER = 1000;
const NEVER = Number.POSITIVE_INFINITY;
/** A body up to this size leaves in one write with its head. */
const SMALL_BODY = 65_536;
const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');
const NO_FRAMING: AnswerFraming = { kind: 'none' };
const CHUNKED: AnswerFraming = { kind: 'chunks' };
const BARE_ERROR: ServerResponse = { kind: 'whole', status: 500, headers: [], body: null };

/**
 * A client's connection: requests one after another, each answered before the next is looked at.
 *
 *   idle ─(head)─► serving ─(answer whole, body whole)─► idle
 *                     └─(answer whole, body not)─► discarding ─(body whole)─► idle
 *   any ─(malformed, last answer)─► lingering ─(client's FIN, time)─► closed
 *
 * Invariants
 * 1. Answers leave in the order of the requests; bytes of a later request wait, and then the client does.
 * 2. A body nobody asks for is not kept: before `readBody` the client is held back, after the answer it is thrown away.
 * 3. `deadline` bounds every state in which the client has the next word; none runs while it waits for us.
 * 4. Whoever is refused can read why: the connection is half-closed first, so that unread bytes cause no reset.
 * 5. A client that leaves before its answer is whole is told to the request once; afterwards it is no news.
 */
export class ServerConnection implements RequestSink, RequestOwner, StreamOwner {
  /** When the client must have gone on, by the host's clock. */
  deadline: number;
  readonly #host: ConnectionHost;
  readonly #socket: Bun.Socket<ServerConnection>;
  readonly #parser: RequestParser;
  readonly #writer: SocketWriter;
  #state: 'idle' | 'serving' | 'discarding' | 'lingering' | 'closed' = 'idle';
  #request: H1Request | null = null;
  /** The client's, asked of the socket once. */
  #address: string | null = null;
  #isDispatched = false;
  /** HTTP/1.0 knows no chunks. */
  #isOldClient = false;
  /** No request is taken after this answer. */
  #isLast = false;
  #early: Buffer | null = null;
  #stream: H1ClientStream | null = null;

  constructor(socket: Bun.Socket<ServerConnection>, host: ConnectionHost) {
    this.#socket = socket;
    this.#host = host;
    this.#parser = new RequestParser(MAX_HEAD_BYTES, this);
    this.#parser.begin();
    this.#writer = new SocketWriter(socket);
    this.deadline = this.#headDeadline();
  }

  get maxBodyBytes(): number {
    return this.#host.options.maxBodyBytes;
  }

  // What the socket says.

  received(bytes: Buffer): void {
    if (this.#state === 'serving' && this.#parser.isDone) this.#holdEarly(bytes);
    else if (this.#state !== 'lingering' && this.#state !== 'closed') this.#take(bytes);
  }

  drained(): void {
    const isDrained = this.#writer.drain();
    // Whoever still reads a finished answer is not idle.
    if (this.deadline !== NEVER) this.deadline = this.#idleDeadline();
    if (!isDrained) return;
    if (this.#state === 'lingering') this.#halfClose();
    else this.#stream?.drained();
  }

  /** The client has sent FIN: it wants no answer any more, save what is on its way already. */
  ended(): void {
    if (this.#state === 'serving') {
      this.#leave();
      this.#socket.terminate();
    } else if (!this.#writer.hasBacklog) this.#socket.end();
    else this.#linger();
  }

  /** There is no connection any more. */
  gone(): void {
    if (this.#state === 'serving') this.#leave();
    this.#state = 'closed';
    this.#writer.clear();
  }

  // What the server says.

  /** The client had its time. */
  expired(): void {
    this.deadline = NEVER;
    if (this.#request?.isBodyWanted !== true) {
      this.terminate();
      return;
    }
    this.#isLast = true;
    const { bodyTimeoutMs } = this.#host.options;
    const message = `the request body did not arrive within ${bodyTimeoutMs / 1000} s`;
    this.#request.fail({ kind: 'timeout', message });
  }

  /** No more requests: who waits for an answer gets it, everybody else is hung up on. */
  stop(): void {
    this.#isLast = true;
    if (this.#state !== 'idle' || !this.#parser.isUnbegun) return;
    // The first request of a new connection is on its way more likely than not.
    if (!this.#isDispatched) this.deadline = Math.min(this.deadline, this.#host.now() + NEWCOMER);
    else if (this.#writer.hasBacklog) this.#linger();
    else this.#socket.end();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  // What the parser says.

  onHead(head: RequestHead): void {
    this.#state = 'serving';
    this.deadline = NEVER;
    this.#isLast ||= !this.#parser.canReuse || this.#host.isDraining;
    this.#isOldClient = head.minor === 0;
    this.#isDispatched = false;
    this.#request = new H1Request(head, this);
  }

  onData(bytes: Buffer): void {
    this.#request?.take(bytes);
  }

  // What the request says.

  wantBody(): void {
    if (this.#state !== 'serving') return;
    if (this.#request?.expectsContinue === true) this.#writer.write(CONTINUE);
    this.deadline = this.#host.now() + this.#host.options.bodyTimeoutMs;
    this.#socket.resume();
  }

  remoteAddress(): string | null {
    this.#address ??= this.#socket.remoteAddress;
    return this.#address;
  }

  // What a streamed answer says.

  send(bytes: Uint8Array): boolean {
    return this.#writer.write(bytes);
  }

  streamEnded(): void {
    this.#answered();
  }

  /** Chunks without a last one tell of the cut; where the connection's end ends the body only a reset does. */
  streamCut(): void {
    this.#isLast = true;
    if (!this.#isOldClient) this.#answered();
    else {
      this.#request?.answered();
      this.terminate();
    }
  }

  // Requests.

  #take(bytes: Buffer): void {
    const end = this.#parser.push(bytes);
    if (typeof end !== 'number') {
      this.#refuse(end);
      return;
    }
    if (end < bytes.length) this.#holdEarly(bytes.subarray(end));
    else if (!this.#parser.holdsBytes && this.#request?.isDiscarding !== false) free(bytes);
    if (this.#state === 'serving') this.#serve();
    else if (this.#state === 'discarding') this.#discard();
    else if (!this.#parser.isUnbegun) this.deadline = Math.min(this.deadline, this.#headDeadline());
  }

  /** A request is there, or more of its body. */
  #serve(): void {
    const request = this.#request;
    if (request === null) return;
    if (this.#parser.isDone) {
      this.deadline = NEVER;
      request.bodyEnded();
    }
    if (this.#isDispatched) return;
    this.#isDispatched = true;
    this.#dispatch(request);
    const isUnwanted = this.#state === 'serving' && !this.#parser.isDone && !request.isBodyWanted;
    if (isUnwanted) this.#socket.pause();
  }

  #dispatch(request: H1Request): void {
    try {
      const answer = this.#host.handler(request);
      if (answer instanceof Promise) {
        answer.then(
          (response) => this.#respond(request, response),
          (error) => this.#crash(request, error),
        );
      } else this.#respond(request, answer);
    } catch (error) {
      this.#crash(request, error);
    }
  }

  #holdEarly(bytes: Buffer): void {
    this.#early = this.#early === null ? bytes : Buffer.concat([this.#early, bytes]);
    if (this.#early.length > MAX_EARLY_BYTES) this.#socket.pause();
  }

  #discard(): void {
    if (!this.#parser.isDone) return;
    if (this.#isLast) this.#linger();
    else this.#next();
  }

  #next(): void {
    this.#state = 'idle';
    this.#parser.begin();
    this.deadline = this.#idleDeadline();
    if (this.#early === null) return;
    this.#socket.resume();
    // In a turn of its own: a thousand requests in one packet must not be a thousand calls deep.
    queueMicrotask(() => {
      const early = this.#early;
      this.#early = null;
      if (early !== null && this.#state === 'idle') this.#take(early);
    });
  }

  // Answers.

  #respond(request: H1Request, response: ServerResponse): void {
    if (this.#request !== request || this.#state !== 'serving') return;
    // Nobody knows whether a client that was not told to continue sends its body all the same.
    if (!this.#parser.isDone && request.expectsContinue) this.#isLast = true;
    try {
      if (response.kind === 'stream' && request.method !== 'HEAD') this.#startStream(response);
      else this.#whole(request, response);
    } catch (error) {
      this.#crash(request, error);
    }
  }

  #crash(request: H1Request, error: unknown): void {
    this.#host.report(error);
    if (this.#request === request && this.#state === 'serving') this.#whole(request, BARE_ERROR);
  }

  #whole(request: H1Request, response: ServerResponse): void {
    const isEmpty = response.status === 204 || response.status === 304 || response.kind === 'stream';
    const body = isEmpty ? null : bytesOf(response.body);
    const framing: AnswerFraming = isEmpty ? NO_FRAMING : { kind: 'length', length: body?.length ?? 0 };
    const head = this.#head(response, framing);
    if (body === null || request.method === 'HEAD') this.send(Buffer.from(head, 'latin1'));
    else if (body.length <= SMALL_BODY) this.send(framed(head, body, ''));
    else {
      this.send(Buffer.from(head, 'latin1'));
      this.send(body);
    }
    this.#answered();
  }

  #startStream(response: Extract<ServerResponse, { kind: 'stream' }>): void {
    const framing = this.#isOldClient ? 'bare' : 'chunked';
    const stream = new H1ClientStream(this, this.#head(response, this.#isOldClient ? NO_FRAMING : CHUNKED), framing);
    this.#stream = stream;
    try {
      response.start(stream);
      stream.begin();
    } catch (error) {
      this.#host.report(error);
      stream.cut();
    }
  }

  #head({ status, headers }: ServerResponse, framing: AnswerFraming): string {
    return writeAnswerHead(status, headers, framing, { date: this.#host.date(), isLast: this.#isLast });
  }

  /** The answer is whole, or as whole as it will be. */
  #answered(): void {
    this.#request?.answered();
    this.#request = null;
    this.#stream = null;
    if (this.#isLast) this.#linger();
    else if (this.#parser.isDone) this.#next();
    else {
      this.#state = 'discarding';
      this.deadline = this.#idleDeadline();
      this.#socket.resume();
    }
  }

  // Endings.

  #refuse(fault: MessageFault): void {
    const hasAnswered = this.#stream !== null || this.#state === 'discarding';
    if (this.#state === 'serving') this.#leave();
    this.#isLast = true;
    if (hasAnswered) {
      this.terminate();
      return;
    }
    const status = fault.kind === 'too-large' ? 431 : fault.code === 'EVERSION' ? 505 : 400;
    const body = Buffer.from(`${fault.message}\n`);
    const headers = [['content-type', 'text/plain; charset=utf-8']] as const;
    const head = this.#head({ kind: 'whole', status, headers, body }, { kind: 'length', length: body.length });
    this.send(framed(head, body, ''));
    this.#linger();
  }

  /** The client has left before its answer was whole. */
  #leave(): void {
    this.#state = 'closed';
    this.#stream?.forget();
    this.#stream = null;
    this.#request?.gone();
    this.#request = null;
  }

  #linger(): void {
    this.#state = 'lingering';
    this.#early = null;
    this.deadline = this.#idleDeadline();
    if (!this.#writer.hasBacklog) this.#halfClose();
  }

  #halfClose(): void {
    this.deadline = this.#host.now() + LINGER;
    this.#socket.resume();
    this.#socket.shutdown();
  }

  #idleDeadline(): number {
    return this.#host.now() + this.#host.options.idleSeconds * 1000;
  }

  #headDeadline(): number {
    return this.#host.now() + Math.min(LONGEST_HEAD, this.#host.options.idleSeconds * 1000);
  }
}

function bytesOf(body: Uint8Array | string | null): Uint8Array | null {
  return typeof body === 'string' ? Buffer.from(body) : body;
}
