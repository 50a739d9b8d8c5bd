import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { HeaderPair } from '../core/http.ts';
import type { Soon } from '../core/soon.ts';
import type { ServerRequest } from '../transport/server.ts';

/** Below this, compressing costs more than it saves: official clients ask for gzip with every request. */
const WORTH_IT = 8 * 1024;
const FASTEST = { level: 1 };
const compress = promisify(gzip);

/** The body as the client gets it: gzip when it asked for that and the body is large. Off the main thread. */
export function compressed(
  request: ServerRequest,
  headers: readonly HeaderPair[],
  body: Uint8Array,
): Soon<{ readonly headers: readonly HeaderPair[]; readonly body: Uint8Array }> {
  if (body.length < WORTH_IT || !acceptsGzip(request.header('accept-encoding'))) return { headers, body };
  return compress(body, FASTEST).then((bytes) => ({
    headers: [...headers, ['content-encoding', 'gzip'], ['vary', 'accept-encoding']],
    body: bytes,
  }));
}

/** Whether `Accept-Encoding` takes gzip (RFC 9110 §12.5.3); a quality of 0 refuses it. */
export function acceptsGzip(header: string | null): boolean {
  if (header === null) return false;
  return header.split(',').some((part) => {
    const [coding = '', ...parameters] = part.trim().toLowerCase().split(';');
    const isGzip = coding.trim() === 'gzip' || coding.trim() === '*';
    return isGzip && !parameters.some((parameter) => /^\s*q\s*=\s*0(\.0*)?\s*$/.test(parameter));
  });
}
