import type { HeaderPair } from '../core/http.ts';
import { decodeBody, tooLarge } from './body.ts';
import type { BodyFault, ServerOptions, ServerRequest } from './server.ts';

/** The part of a stream's reader that is used here. */
interface Reader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

const NOTHING = new Uint8Array(0);
const GONE: BodyFault = { kind: 'client-gone', message: 'the client went away while sending its request' };

/** A request as Bun.serve gives it. Dot segments of the path are resolved by Bun; nothing else is changed. */
export class BunRequest implements ServerRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /**
   * After the answer the connection must end: the rest of the body may never come. Not so for a body that is too large:
   * Bun throws the rest away, while closing at once would reset the connection and most clients would never see the 413.
   */
  mustClose = false;
  readonly #request: Request;
  readonly #server: Bun.Server<undefined>;
  readonly #options: ServerOptions;
  #isFinished = false;

  constructor(request: Request, server: Bun.Server<undefined>, options: ServerOptions) {
    this.method = request.method;
    const url = request.url;
    // Only a path when the client sent no Host or a bad one (HTTP/1.0), so no `new URL`.
    const from = url.startsWith('/') ? 0 : url.indexOf('/', url.indexOf('://') + 3);
    const mark = url.indexOf('?', from);
    this.path = mark < 0 ? url.slice(from) : url.slice(from, mark);
    this.query = mark < 0 ? '' : url.slice(mark + 1);
    this.#request = request;
    this.#server = server;
    this.#options = options;
  }

  header(name: string): string | null {
    return this.#request.headers.get(name);
  }

  headers(): readonly HeaderPair[] {
    return [...this.#request.headers];
  }

  remoteAddress(): string | null {
    return this.#server.requestIP(this.#request)?.address ?? null;
  }

  async readBody(): Promise<Uint8Array | BodyFault> {
    const body = await this.#read();
    if (!(body instanceof Uint8Array)) {
      this.mustClose = body.kind !== 'too-large';
      return body;
    }
    const codings = this.#request.headers.get('content-encoding');
    return codings === null ? body : decodeBody(body, codings, this.#options.maxBodyBytes);
  }

  onGone(callback: () => void): void {
    const signal = this.#request.signal;
    const tell = (): void => {
      if (!this.#isFinished) callback();
    };
    if (signal.aborted) queueMicrotask(tell);
    else signal.addEventListener('abort', tell, { once: true });
  }

  /** The answer is complete: from here on a client that leaves is no news. */
  finish(): void {
    this.#isFinished = true;
  }

  #read(): Promise<Uint8Array | BodyFault> {
    const { maxBodyBytes } = this.#options;
    const length = this.#request.headers.get('content-length');
    if (length === null) {
      const stream = this.#request.body;
      return stream === null ? Promise.resolve(NOTHING) : this.#readChunks(stream);
    }
    if (Number(length) > maxBodyBytes) return Promise.resolve(tooLarge(maxBodyBytes));
    return this.#inTime(this.#request.bytes(), null);
  }

  /** A body of unknown length, taken as it comes and given up at the limit. */
  #readChunks(stream: ReadableStream<Uint8Array>): Promise<Uint8Array | BodyFault> {
    const reader = stream.getReader();
    return this.#inTime(collect(reader, this.#options.maxBodyBytes), reader);
  }

  #inTime(reading: Promise<Uint8Array | BodyFault>, reader: Reader | null): Promise<Uint8Array | BodyFault> {
    const { bodyTimeoutMs } = this.#options;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve({ kind: 'timeout', message: `the request body did not arrive within ${bodyTimeoutMs / 1000} s` });
        reader?.cancel().catch(() => {});
      }, bodyTimeoutMs);
      const settle = (body: Uint8Array | BodyFault): void => {
        clearTimeout(timer);
        resolve(body);
      };
      reading.then(settle, () => settle(GONE));
    });
  }
}

async function collect(reader: Reader, maxBytes: number): Promise<Uint8Array | BodyFault> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let { value } = await reader.read(); value !== undefined; { value } = await reader.read()) {
    size += value.length;
    if (size > maxBytes) {
      await reader.cancel();
      return tooLarge(maxBytes);
    }
    chunks.push(value);
  }
  return Buffer.concat(chunks, size);
}
