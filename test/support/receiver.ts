/** A request as a receiver got it. */
export interface Received {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** What a receiver answers; `silence` never does. */
export type Answer = number | 'silence' | { readonly status: number; readonly retryAfter: string };

/** A receiver of records or alerts over a real socket, which answers what a test says, 200 when it says nothing. */
export class Receiver {
  readonly received: Received[] = [];
  /** Answers to come. */
  answers: Answer[] = [];
  /** The answer when none is to come. */
  usual: Answer = 200;
  readonly #server;
  #waiting: { readonly isThere: () => boolean; readonly resolve: () => void }[] = [];

  constructor() {
    this.#server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      // A test's own silence is longer than the server's patience.
      idleTimeout: 0,
      fetch: (request) => this.#take(request),
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** Resolves when what was received satisfies the test. */
  until(isThere: (received: readonly Received[]) => boolean): Promise<void> {
    if (isThere(this.received)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ isThere: () => isThere(this.received), resolve }));
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }

  async #take(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const body = await request.text();
    this.received.push({ method: request.method, path: pathname + search, headers: request.headers, body });
    this.#waiting = this.#waiting.filter(({ isThere, resolve }) => {
      if (!isThere()) return true;
      resolve();
      return false;
    });
    const answer = this.answers.shift() ?? this.usual;
    if (answer === 'silence') return new Promise(() => {});
    if (typeof answer === 'number') return new Response('{}', { status: answer });
    return new Response('', { status: answer.status, headers: { 'retry-after': answer.retryAfter } });
  }
}
