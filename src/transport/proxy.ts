import { Secret } from '../core/secret.ts';
import { type IsDirect, isLoopback, parseNoProxy } from './no-proxy.ts';

/** An HTTP proxy between the gateway and the providers. */
export interface HttpProxy {
  /** The variable that named it, for messages. */
  readonly variable: string;
  /** Host and port as they may be shown. */
  readonly host: string;
  /** Name or address without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** The value of `Proxy-Authorization`. */
  readonly authorization: Secret | null;
}

/** Which targets go through which proxy. */
export interface ProxySettings {
  /** For `https:` targets: a CONNECT tunnel. */
  readonly https: HttpProxy | null;
  /** For `http:` targets: the request is sent to the proxy, with the whole URL in its first line. */
  readonly http: HttpProxy | null;
  readonly isDirect: IsDirect;
}

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_PORT = 80;
/** Under the 8 KB that Squid takes for a whole head. */
const MAX_CREDENTIALS = 4096;

/**
 * The proxies that the environment asks for: `https_proxy` and `http_proxy`, else `all_proxy`, and `no_proxy`.
 *
 * The first variable that exists decides, lower case before upper case; an empty one says "no proxy", as for curl.
 * Loopback is always direct (see `isLoopback`).
 *
 * @returns null when nothing goes through a proxy; a string says which variable cannot be used, without its value
 * @see curl(1), "ENVIRONMENT"; Python's `urllib.request.getproxies_environment`. Read 2026-11-23
 */
export function proxyFor(env: Environment): ProxySettings | null | string {
  const https = firstProxy(env, ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY']);
  const http = firstProxy(env, ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY']);
  if (typeof https === 'string') return https;
  if (typeof http === 'string') return http;
  if (https === null && http === null) return null;
  const isExcepted = parseNoProxy(env.no_proxy ?? env.NO_PROXY ?? '');
  return { https, http, isDirect: (hostname, port) => isLoopback(hostname) || isExcepted(hostname, port) };
}

function firstProxy(env: Environment, variables: readonly string[]): HttpProxy | null | string {
  const variable = variables.find((name) => env[name] !== undefined);
  const text = variable === undefined ? '' : (env[variable] ?? '').trim();
  return variable === undefined || text === '' ? null : parseProxy(variable, text);
}

/**
 * Reads a proxy's URL, `[http://][user:password@]host[:port]`; the port is 80 when it is not given, as in Python.
 *
 * @param variable where it stands, for the messages
 * @returns a string says what is wrong; it holds nothing of `text`, which may hold a password
 */
export function parseProxy(variable: string, text: string): HttpProxy | string {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url !== null && url.protocol !== 'http:')
    return `${variable} names a proxy that is not spoken to in plain HTTP (https://, socks5://); only http://host:port works.`;
  // A password with `/`, `?` or `#` in it would make the user name the host.
  if (url === null || url.hostname === '' || url.pathname !== '/' || url.search !== '' || url.hash !== '')
    return `${variable} is not http://[user:password@]host:port. Percent-encode special characters of the password.`;
  const authorization = basic(url.username, url.password);
  if (authorization === 'unusable')
    return `${variable} holds credentials that cannot be sent: check their percent-encoding and length.`;
  return {
    variable,
    host: url.port === '' ? `${url.hostname}:${DEFAULT_PORT}` : url.host,
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    authorization,
  };
}

/** The proxy for a target, or null for a direct connection. */
export function proxyOf(
  settings: ProxySettings | null,
  target: { readonly isSecure: boolean; readonly hostname: string; readonly port: number },
): HttpProxy | null {
  const proxy = settings === null ? null : target.isSecure ? settings.https : settings.http;
  return proxy === null || settings?.isDirect(target.hostname, target.port) ? null : proxy;
}

/** RFC 7617, with UTF-8 as charset. */
function basic(user: string, password: string): Secret | null | 'unusable' {
  if (user === '' && password === '') return null;
  try {
    const pair = `${decodeURIComponent(user)}:${decodeURIComponent(password)}`;
    const isSendable = pair.length <= MAX_CREDENTIALS && !/\p{Cc}/u.test(pair);
    return isSendable ? new Secret(`Basic ${Buffer.from(pair).toString('base64')}`) : 'unusable';
  } catch {
    return 'unusable';
  }
}
