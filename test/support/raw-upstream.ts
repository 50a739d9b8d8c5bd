import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';

/** A request that reached the upstream in full. */
export interface SeenRequest {
  /** 1 for the first connection that was accepted. */
  readonly connection: number;
  readonly head: string;
  readonly body: Buffer;
}

/** One request being answered, byte by byte, as the test says. */
export interface RawExchange {
  readonly request: SeenRequest;
  /** 1 for the first request of all. */
  readonly number: number;
  readonly socket: net.Socket;
  write(bytes: string | Uint8Array): void;
  /** Ends in order. */
  fin(): void;
  /** Ends by RST. */
  reset(): void;
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>;
}

export interface RawUpstreamOptions {
  /** Name of a certificate in `tls/`. */
  readonly certificate?: 'localhost' | 'wrong-host' | 'expired' | 'self-signed';
  /** Hears of a connection before any byte of it. */
  readonly onConnection?: (socket: net.Socket) => void;
}

/** A server that speaks no HTTP of its own: it reads requests, counts them, and sends what it is told to. */
export interface RawUpstream {
  readonly port: number;
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  /** Bytes of all connections, requests complete or not. */
  readonly receivedBytes: () => number;
  readonly connections: () => number;
  readonly openConnections: () => number;
  /** Resolves when no connection is open. */
  readonly allClosed: () => Promise<void>;
  close(): Promise<void>;
}

/** The content of a file in `tls/`. */
export function tlsFile(name: string): string {
  return readFileSync(path.join(import.meta.dir, 'tls', name), 'utf8');
}

/** Starts one on a free port of loopback; `answer` runs for each complete request. */
export async function startRawUpstream(
  answer: (exchange: RawExchange) => void,
  options: RawUpstreamOptions = {},
): Promise<RawUpstream> {
  const requests: SeenRequest[] = [];
  const open = new Set<net.Socket>();
  let accepted = 0;
  let receivedBytes = 0;
  let whenEmpty: (() => void)[] = [];

  const accept = (socket: net.Socket): void => {
    accepted += 1;
    const connection = accepted;
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    open.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.once('close', () => {
      open.delete(socket);
      if (open.size > 0) return;
      for (const resolve of whenEmpty) resolve();
      whenEmpty = [];
    });
    options.onConnection?.(socket);
    let held = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      receivedBytes += bytes.length;
      held = Buffer.concat([held, bytes]);
      for (let request = takeRequest(held, connection); request !== null; request = takeRequest(held, connection)) {
        held = held.subarray(request.head.length + 4 + request.body.length);
        requests.push(request);
        answer({
          request,
          number: requests.length,
          socket,
          closed,
          write: (content) => socket.write(typeof content === 'string' ? Buffer.from(content, 'latin1') : content),
          fin: () => socket.end(),
          reset: () => socket.resetAndDestroy(),
        });
      }
    });
  };

  const name = options.certificate;
  const server =
    name === undefined
      ? net.createServer(accept)
      : tls.createServer({ key: tlsFile(`${name}.key`), cert: tlsFile(`${name}.pem`) }, accept);
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  return {
    port,
    url: `${name === undefined ? 'http' : 'https'}://${name === undefined ? '127.0.0.1' : 'localhost'}:${port}`,
    requests,
    receivedBytes: () => receivedBytes,
    connections: () => accepted,
    openConnections: () => open.size,
    allClosed: () => (open.size === 0 ? Promise.resolve() : new Promise((resolve) => whenEmpty.push(resolve))),
    close: async () => {
      const done = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await done;
    },
  };
}

/** The first complete request in `bytes`, by content-length alone. */
function takeRequest(bytes: Buffer, connection: number): SeenRequest | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const head = bytes.toString('latin1', 0, end);
  const length = Number(/\r\ncontent-length: ([0-9]+)/.exec(head)?.[1] ?? 0);
  const bodyEnd = end + 4 + length;
  return bytes.length < bodyEnd ? null : { connection, head, body: bytes.subarray(end + 4, bodyEnd) };
}
