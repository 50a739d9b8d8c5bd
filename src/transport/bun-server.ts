import type { HeaderPair } from '../core/http.ts';
import { BunClientStream } from './bun-client-stream.ts';
import { BunRequest } from './bun-request.ts';
import type { GatewayServer, Handler, ServerOptions, ServerResponse } from './server.ts';

/** Bun's own limit on bodies answers without a body of ours and without CORS headers, so `readBody` keeps the limit. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;
/** Bun takes no longer idle time than this, seconds. */
const LONGEST_IDLE = 255;

type ReportError = (error: unknown) => void;

/**
 * Serves HTTP/1.1 by Bun.serve.
 *
 * What Bun does itself: heads (over its limit: 431), framing (malformed: 400), HEAD (a stream is not started then),
 * `Expect`, keep-alive, heads that do not finish (cut after 12 s, later ones of a connection after `idleSeconds`).
 * Known fault of Bun 1.4.5: a request pipelined behind an unfinished one ends the connection.
 *
 * @param report hears of errors that a handler threw; the client gets a bare 500
 */
export function serve(options: ServerOptions, handler: Handler, report: ReportError): GatewayServer {
  const idleSeconds = Math.min(options.idleSeconds, LONGEST_IDLE);
  const server = Bun.serve({
    hostname: options.hostname,
    port: options.port,
    idleTimeout: idleSeconds,
    maxRequestBodySize: NO_LIMIT,
    development: false,
    fetch(request, self) {
      const exchange = new Exchange(request, self, options, idleSeconds, report);
      try {
        const answer = handler(exchange.request);
        return answer instanceof Promise ? exchange.later(answer) : exchange.respond(answer);
      } catch (error) {
        return exchange.crash(error);
      }
    },
    error(error) {
      report(error);
      return new Response(null, { status: 500 });
    },
  });
  return {
    port: server.port ?? 0,
    hostname: server.hostname ?? options.hostname,
    stop: (deadlineMs) => stop(server, deadlineMs),
  };
}

/** Connections that never finish (a half-sent body) would keep Bun's `stop` waiting for ever, hence the deadline. */
async function stop(server: Bun.Server<undefined>, deadlineMs: number): Promise<void> {
  const { promise: deadline, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, deadlineMs);
  await Promise.race([server.stop(false), deadline]);
  clearTimeout(timer);
  await server.stop(true);
}

/** One request and its answer, as Bun has them. */
class Exchange {
  readonly request: BunRequest;
  readonly #request: Request;
  readonly #server: Bun.Server<undefined>;
  readonly #idleSeconds: number;
  readonly #report: ReportError;

  constructor(
    request: Request,
    server: Bun.Server<undefined>,
    options: ServerOptions,
    idleSeconds: number,
    report: ReportError,
  ) {
    this.request = new BunRequest(request, server, options);
    this.#request = request;
    this.#server = server;
    this.#idleSeconds = idleSeconds;
    this.#report = report;
  }

  /** While the answer is being made silence is no reason to hang up: Bun would take a slow upstream for a dead client. */
  later(answer: Promise<ServerResponse>): Promise<Response> {
    this.#server.timeout(this.#request, 0);
    return answer.then(
      (response) => this.respond(response),
      (error) => this.crash(error),
    );
  }

  respond(response: ServerResponse): Response {
    try {
      return response.kind === 'whole' ? this.#whole(response) : this.#stream(response);
    } catch (error) {
      return this.crash(error);
    }
  }

  crash(error: unknown): Response {
    this.#report(error);
    return this.#whole({ kind: 'whole', status: 500, headers: [], body: null });
  }

  #whole(response: ServerResponse & { kind: 'whole' }): Response {
    const answer = new Response(response.body, { status: response.status });
    this.#setHeaders(answer, response.headers);
    this.finish();
    return answer;
  }

  #stream(response: ServerResponse & { kind: 'stream' }): Response {
    if (this.request.method === 'HEAD') return this.#whole({ ...response, kind: 'whole', body: null });
    this.#server.timeout(this.#request, 0);
    let stream: BunClientStream | null = null;
    const source: Bun.DirectUnderlyingSource = {
      type: 'direct',
      pull: (controller) => {
        stream = new BunClientStream(controller, this);
        this.#start(response, stream);
      },
      cancel: () => stream?.forget(),
    };
    const answer = new Response(new ReadableStream(source), { status: response.status });
    this.#setHeaders(answer, response.headers);
    return answer;
  }

  #start(response: ServerResponse & { kind: 'stream' }, stream: BunClientStream): void {
    try {
      response.start(stream);
    } catch (error) {
      this.#report(error);
      stream.cut();
    }
  }

  /** The answer is complete: silence counts again, else an idle keep-alive connection would stay for ever. */
  finish(): void {
    this.request.finish();
    this.#server.timeout(this.#request, this.#idleSeconds);
  }

  /** Set one by one: half the cost of handing an array to the constructor (1.7 against 2.9 µs for 15). */
  #setHeaders(answer: Response, headers: readonly HeaderPair[]): void {
    for (const header of headers) answer.headers.append(header[0], header[1]);
    if (this.request.mustClose) answer.headers.set('connection', 'close');
  }
}
