import type { HeaderPair } from '../core/http.ts';
import { type HttpProxy, type ProxySettings, proxyOf } from './proxy.ts';
import type { OutboundRequest } from './upstream.ts';

/** Where a URL points, prepared for writing requests. */
export interface Target {
  /** Key of the pool: scheme, host and port, and the proxy on the way. */
  readonly origin: string;
  readonly isSecure: boolean;
  /** Name or address without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** Host and port as CONNECT wants them: an address in brackets, the port always there. */
  readonly authority: string;
  readonly proxy: HttpProxy | null;
  /** The end of the request line and the `host` line. */
  readonly start: string;
  /** What the request line asks for: the path, or the whole URL when the request itself goes to a proxy. */
  readonly path: string;
}

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Written here from the URL and the body; a second opinion in the caller's headers would be a smuggling hole. */
const OURS = new Set(['content-length', 'transfer-encoding', 'connection', 'host', 'proxy-authorization']);

/** Reads an absolute URL; null when it is none, or neither http nor https. Credentials in it are not sent. */
export function parseTarget(text: string, proxies: ProxySettings | null): Target | null {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return null;
  const isSecure = url.protocol === 'https:';
  const hostname = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  const port = url.port === '' ? (isSecure ? 443 : 80) : Number(url.port);
  const proxy = proxyOf(proxies, { isSecure, hostname, port });
  const origin = `${url.protocol}//${url.host}`;
  const path = url.pathname + url.search;
  return {
    origin: proxy === null ? origin : `${origin} by ${proxy.host}`,
    isSecure,
    hostname,
    port,
    authority: `${url.hostname}:${port}`,
    proxy,
    start: ` HTTP/1.1\r\nhost: ${url.host}\r\n`,
    path: proxy === null || isSecure ? path : origin + path,
  };
}

/**
 * The request head as latin-1 text, with `host` and `content-length`; the caller's own lines of these names and of the
 * connection's management are left out.
 *
 * @returns null when a name or a value cannot be sent: line ends and other control characters, or characters over 0xFF
 */
export function writeHead(request: OutboundRequest, target: Target): string | null {
  let head = `${request.method} ${target.path}${target.start}`;
  for (const header of request.headers) {
    if (!isSendable(header)) return null;
    if (!OURS.has(header[0])) head += `${header[0]}: ${header[1]}\r\n`;
  }
  const length = sizeOf(request.body);
  if (request.method === 'POST' || length > 0) head += `content-length: ${length}\r\n`;
  if (target.proxy !== null && !target.isSecure) head += authorizationLine(target.proxy);
  return `${head}\r\n`;
}

/** The request for a tunnel to the target. The proxy's credentials are here and not in what travels inside. */
export function writeConnect(proxy: HttpProxy, { authority }: Target): string {
  return `CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${authorizationLine(proxy)}\r\n`;
}

/** Bytes of a body in pieces. */
export function sizeOf(body: readonly Uint8Array[] | null): number {
  let size = 0;
  if (body !== null) for (const piece of body) size += piece.length;
  return size;
}

function authorizationLine({ authorization }: HttpProxy): string {
  return authorization === null ? '' : `proxy-authorization: ${authorization.reveal()}\r\n`;
}

function isSendable(header: HeaderPair): boolean {
  return NAME.test(header[0]) && VALUE.test(header[1]);
}
