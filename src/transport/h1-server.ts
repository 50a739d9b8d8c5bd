import type { GatewayServer, Handler, ServerOptions } from './server.ts';
import { type ConnectionHost, ServerConnection } from './server-connection.ts';

/** How often connections are looked through for those whose time is up, milliseconds. */
const SWEEP = 500;

/**
 * Serves HTTP/1.1 over sockets of the engine.
 *
 * Our own, because the engine's server took time for objects that nobody here needs, and because it ended connections whose
 * client sent a second request early (docs/decisions/0009-own-server.md).
 *
 * @param report hears of errors that a handler threw; the client gets a bare 500
 * @throws the engine's error when the address cannot be listened on
 */
export function serve(options: ServerOptions, handler: Handler, report: (error: unknown) => void): GatewayServer {
  return new H1Server(options, handler, report);
}

class H1Server implements GatewayServer, ConnectionHost {
  readonly options: ServerOptions;
  readonly handler: Handler;
  readonly report: (error: unknown) => void;
  readonly #listener: Bun.TCPSocketListener<ServerConnection>;
  readonly #connections = new Set<ServerConnection>();
  readonly #sweep: ReturnType<typeof setInterval>;
  #isDraining = false;
  #stopped: (() => void) | null = null;
  #dateSecond = 0;
  #date = '';

  constructor(options: ServerOptions, handler: Handler, report: (error: unknown) => void) {
    this.options = options;
    this.handler = handler;
    this.report = report;
    this.#listener = Bun.listen<ServerConnection>({
      hostname: options.hostname,
      port: options.port,
      allowHalfOpen: true,
      socket: {
        open: (socket) => {
          socket.setNoDelay(true);
          socket.data = new ServerConnection(socket, this);
          this.#connections.add(socket.data);
        },
        data: (socket, bytes) => socket.data.received(bytes),
        drain: (socket) => socket.data.drained(),
        end: (socket) => socket.data.ended(),
        close: (socket) => this.#closed(socket.data),
        error: (socket, error) => this.#broken(socket.data, error),
      },
    });
    this.#sweep = setInterval(() => this.#expire(), Math.min(SWEEP, options.bodyTimeoutMs));
  }

  get port(): number {
    return this.#listener.port;
  }

  get hostname(): string {
    return this.#listener.hostname;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  now(): number {
    return performance.now();
  }

  date(): string {
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.#dateSecond) {
      this.#dateSecond = second;
      this.#date = new Date(second * 1000).toUTCString();
    }
    return this.#date;
  }

  drain(): void {
    this.#isDraining = true;
  }

  async stop(deadlineMs: number): Promise<void> {
    this.drain();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stopped = resolve;
    this.#listener.stop(false);
    for (const connection of [...this.#connections]) connection.stop();
    if (this.#connections.size === 0) resolve();
    const timer = setTimeout(resolve, deadlineMs);
    await promise;
    clearTimeout(timer);
    clearInterval(this.#sweep);
    for (const connection of [...this.#connections]) connection.terminate();
  }

  #closed(connection: ServerConnection): void {
    this.#connections.delete(connection);
    connection.gone();
    if (this.#connections.size === 0) this.#stopped?.();
  }

  /** A fault of ours in the middle of an answer: whatever was promised cannot be kept. */
  #broken(connection: ServerConnection, error: unknown): void {
    this.report(error);
    connection.terminate();
  }

  #expire(): void {
    const now = this.now();
    for (const connection of this.#connections) if (connection.deadline <= now) connection.expired();
  }
}
