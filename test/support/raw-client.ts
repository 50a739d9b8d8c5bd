import net from 'node:net';

/** A client socket that sends what it is told and keeps what it gets. */
export interface RawClient {
  readonly socket: net.Socket;
  /** Everything received, as latin-1. */
  readonly received: () => string;
  readonly receivedBytes: () => number;
  send(bytes: string | Uint8Array): void;
  /** Resolves once the received text holds `text`; rejects when the connection ends before. */
  until(text: string): Promise<void>;
  /** Resolves when the connection is gone, however it ended. */
  readonly closed: Promise<void>;
}

/** Connects to a port of loopback and sends `first`. */
export function rawClient(port: number, first: string | Uint8Array = ''): RawClient {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let waiting: { text: string; resolve: () => void; reject: (reason: Error) => void }[] = [];
  const received = (): string => Buffer.concat(chunks).toString('latin1');
  const socket = net.connect(port, '127.0.0.1');
  const send = (content: string | Uint8Array): void => {
    if (socket.writable) socket.write(typeof content === 'string' ? Buffer.from(content, 'latin1') : content);
  };
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    chunks.push(chunk);
    if (waiting.length === 0) return;
    const text = received();
    for (const one of waiting) if (text.includes(one.text)) one.resolve();
    waiting = waiting.filter((one) => !text.includes(one.text));
  });
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      for (const one of waiting) one.reject(new Error(`the connection ended before ${JSON.stringify(one.text)}`));
      resolve();
    });
  });
  if (first.length > 0) send(first);
  return {
    socket,
    received,
    receivedBytes: () => bytes,
    send,
    until: (text) =>
      received().includes(text)
        ? Promise.resolve()
        : new Promise((resolve, reject) => waiting.push({ text, resolve, reject })),
    closed,
  };
}
