import { type ProxySettings, proxyFor } from '../transport/proxy.ts';
import { type TrustedRoots, trustedRoots } from '../transport/trusted-roots.ts';
import type { Io } from './io.ts';

/** How the gateway gets to providers, as the environment says. */
export interface Outbound extends TrustedRoots {
  readonly proxy: ProxySettings | null;
}

/**
 * Reads proxies (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`) and certificate authorities (`NODE_EXTRA_CA_CERTS`,
 * `SSL_CERT_FILE`).
 *
 * @returns a string says what cannot be used; it holds no credential
 */
export function readOutbound(env: Io['env'], readFile: Io['readFile']): Outbound | string {
  const proxy = proxyFor(env);
  if (typeof proxy === 'string') return proxy;
  const roots = trustedRoots(env, readFile);
  return typeof roots === 'string' ? roots : { proxy, ...roots };
}

/** One line for people: which targets go through which proxy, without credentials. */
export function describeProxy(proxy: ProxySettings | null): string {
  if (proxy === null) return 'Outbound: direct, no proxy is set.';
  const { https, http } = proxy;
  const ways = (['https', 'http'] as const).map((scheme) => {
    const way = proxy[scheme];
    return way === null ? `${scheme} direct` : `${scheme} through ${way.host} (${way.variable})`;
  });
  const isShared = https !== null && https.host === http?.host && https.variable === http.variable;
  const said = isShared ? `https and http through ${https.host} (${https.variable})` : ways.join(', ');
  return `Outbound: ${said}; loopback and NO_PROXY direct.`;
}
