import { afterEach } from 'bun:test';
import { serve } from '../../src/transport/h1-server.ts';
import type {
  ClientStream,
  GatewayServer,
  Handler,
  ServerOptions,
  ServerRequest,
  ServerResponse,
} from '../../src/transport/server.ts';
import { type RawClient, rawClient } from './raw-client.ts';

export const GET = 'GET /a HTTP/1.1\r\nhost: x\r\n\r\n';
/** The beginning of a POST; its framing and body are to follow. */
export const POST = 'POST /a HTTP/1.1\r\nhost: x\r\n';

/** Servers and clients that are gone after the test. */
export interface HttpBench {
  /** What the server reported since the test began. */
  readonly reports: unknown[];
  serveThat(handler: Handler, options?: Partial<ServerOptions>): GatewayServer;
  connect(server: GatewayServer, first?: string): RawClient;
}

/** Registers the clean-up with the test runner; called once at the top of a test file. */
export function httpBench(): HttpBench {
  const started: (() => void | Promise<void>)[] = [];
  const reports: unknown[] = [];
  afterEach(async () => {
    for (const stop of started.splice(0)) await stop();
    reports.splice(0);
  });
  return {
    reports,
    serveThat(handler, options = {}) {
      const defaults = {
        hostname: '127.0.0.1',
        port: 0,
        maxBodyBytes: 1 << 20,
        bodyTimeoutMs: 10_000,
        idleSeconds: 30,
      };
      const server = serve({ ...defaults, ...options }, handler, (error) => reports.push(error));
      started.push(() => server.stop(0));
      return server;
    },
    connect(server, first = '') {
      const client = rawClient(server.port, first);
      started.push(() => {
        client.socket.destroy();
      });
      return client;
    },
  };
}

/** A whole answer of plain text. */
export function text(body: string, status = 200): ServerResponse {
  return { kind: 'whole', status, headers: [], body };
}

/** Answers with what it understood of the request. */
export async function echo(request: ServerRequest): Promise<ServerResponse> {
  const body = await request.readBody();
  if (!(body instanceof Uint8Array)) return text(`fault ${body.kind}`, 400);
  return text(`${request.method} ${request.path} [${request.query}] ${Buffer.from(body).toString('latin1')}.`);
}

/** A stream answer and the means to drive it from the test. */
export function streamed(): { response: ServerResponse; stream: Promise<ClientStream> } {
  const { promise, resolve } = Promise.withResolvers<ClientStream>();
  const headers = [['content-type', 'text/event-stream']] as const;
  return { response: { kind: 'stream', status: 200, headers, start: resolve }, stream: promise };
}
