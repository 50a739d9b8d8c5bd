import net from 'node:net';

/** A proxy that digs tunnels, for tests: bytes, ends and resets pass through it in both directions. */
export interface ConnectProxy {
  readonly port: number;
  /** Heads of the CONNECT requests, in order. */
  readonly asked: readonly string[];
  /** Cuts every tunnel by RST towards the client. */
  cut(): void;
  /** Resolves when no client is connected. */
  allClosed(): Promise<void>;
  close(): Promise<void>;
}

export interface ConnectProxyOptions {
  /** Answers CONNECT in place of the proxy, and digs nothing, unless it returns `dig`. */
  readonly answer?: (socket: net.Socket, head: string) => 'dig' | undefined;
}

/** Starts one on a free port of loopback. Every name leads to loopback, so that tests may use any. */
export async function startConnectProxy({ answer = () => 'dig' }: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const asked: string[] = [];
  const clients = new Set<net.Socket>();
  const whenEmpty: (() => void)[] = [];

  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    clients.add(client);
    client.on('error', () => {});
    client.once('close', () => {
      clients.delete(client);
      if (clients.size > 0) return;
      for (const resolve of whenEmpty.splice(0)) resolve();
    });
    let held = Buffer.alloc(0);
    const listen = (bytes: Buffer): void => {
      held = Buffer.concat([held, bytes]);
      const end = held.indexOf('\r\n\r\n');
      if (end < 0) return;
      client.off('data', listen);
      const head = held.toString('latin1', 0, end);
      asked.push(head);
      if (answer(client, head) === 'dig') dig(client, head);
    };
    client.on('data', listen);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    asked,
    cut: () => {
      for (const client of clients) client.resetAndDestroy();
    },
    allClosed: () => (clients.size === 0 ? Promise.resolve() : new Promise((resolve) => whenEmpty.push(resolve))),
    close: async () => {
      const done = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const client of clients) client.destroy();
      await done;
    },
  };
}

function dig(client: net.Socket, head: string): void {
  const port = Number(/^CONNECT .*:([0-9]+) HTTP\/1\.1\r\n/.exec(head)?.[1]);
  client.pause();
  const target = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  target.once('connect', () => {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    join(client, target);
    join(target, client);
  });
  target.once('error', () => {
    if (target.connecting || target.bytesRead === 0) client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  });
}

/** From one side to the other; whichever way one side goes, the other goes as well. */
function join(from: net.Socket, to: net.Socket): void {
  from.pipe(to);
  from.on('error', () => to.resetAndDestroy());
  from.once('close', () => to.destroy());
}
