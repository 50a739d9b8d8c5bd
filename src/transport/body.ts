import zlib from 'node:zlib';
import type { BodyFault } from './server.ts';
import { isWholeZstd } from './zstd-frame.ts';

/** More codings than this on one body serve nobody but an attacker. */
const MAX_CODINGS = 4;
/** Above this many bytes the work goes to a thread, so that the event loop does not wait for it. */
const INLINE_BYTES = 64 * 1024;

type Limit = { readonly maxOutputLength: number };
type Decoder = (bytes: Uint8Array, limit: Limit) => Promise<Uint8Array>;

/** Codings by name (RFC 9110 §8.4.1, RFC 8878); `x-gzip` is gzip's old name. */
const DECODERS: Readonly<Record<string, Decoder>> = {
  gzip: decoder(zlib.gunzipSync, zlib.gunzip),
  'x-gzip': decoder(zlib.gunzipSync, zlib.gunzip),
  deflate: (bytes, limit) => (isZlib(bytes) ? INFLATE : INFLATE_RAW)(bytes, limit),
  br: decoder(zlib.brotliDecompressSync, zlib.brotliDecompress),
  zstd: (bytes, limit) => (isWholeZstd(bytes) ? UNZSTD(bytes, limit) : Promise.reject(new Error('it is cut short'))),
};
const INFLATE = decoder(zlib.inflateSync, zlib.inflate);
const INFLATE_RAW = decoder(zlib.inflateRawSync, zlib.inflateRaw);
const UNZSTD = decoder(zlib.zstdDecompressSync, zlib.zstdDecompress);

/**
 * Undoes the content codings of a request body, the last named first.
 *
 * @param codings the content-encoding header, or null
 * @param maxBytes limit on every decoded stage; nothing beyond it is ever produced (decompression bombs)
 */
export async function decodeBody(
  body: Uint8Array,
  codings: string | null,
  maxBytes: number,
): Promise<Uint8Array | BodyFault> {
  if (codings === null) return body;
  const names = codings.toLowerCase().split(',').map(trim).filter(isNeeded);
  const unknown = names.find((name) => !Object.hasOwn(DECODERS, name));
  if (unknown !== undefined) return { kind: 'unknown-encoding', message: `content-encoding "${unknown}" is not known` };
  if (names.length > MAX_CODINGS) {
    return { kind: 'unknown-encoding', message: `more than ${MAX_CODINGS} content codings are not accepted` };
  }
  let bytes = body;
  for (const name of names.reverse()) {
    try {
      bytes = await DECODERS[name]!(bytes, { maxOutputLength: maxBytes });
    } catch (error) {
      return isOverLimit(error) ? tooLarge(maxBytes) : badEncoding(name, error);
    }
  }
  return bytes;
}

/** The fault of a body beyond the limit, decoded or not. */
export function tooLarge(maxBytes: number): BodyFault {
  return { kind: 'too-large', message: `the request body is over the limit of ${maxBytes} bytes` };
}

const trim = (name: string): string => name.trim();
const isNeeded = (name: string): boolean => name !== '' && name !== 'identity';

function badEncoding(name: string, error: unknown): BodyFault {
  const reason = error instanceof Error ? error.message : String(error);
  return { kind: 'bad-encoding', message: `the request body is not valid ${name}: ${reason}` };
}

function isOverLimit(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

/** "deflate" means zlib's format, but some clients send the bare one: the header tells (RFC 1950 §2.2). */
function isZlib(bytes: Uint8Array): boolean {
  const [first, second] = bytes;
  return first !== undefined && second !== undefined && (first & 15) === 8 && (first * 256 + second) % 31 === 0;
}

function decoder(
  now: (bytes: Uint8Array, limit: Limit) => Uint8Array,
  later: (bytes: Uint8Array, limit: Limit, done: (error: Error | null, result: Uint8Array) => void) => void,
): Decoder {
  return (bytes, limit) =>
    new Promise((resolve, reject) => {
      if (bytes.length <= INLINE_BYTES) resolve(now(bytes, limit));
      else later(bytes, limit, (error, result) => (error === null ? resolve(result) : reject(error)));
    });
}
