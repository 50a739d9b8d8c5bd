import { createSecureContext, getCACertificates, rootCertificates } from 'node:tls';

/** Whose signatures under an upstream's certificate count. */
export interface TrustedRoots {
  /** All of them, as PEM; undefined: the engine's own, unchanged. */
  readonly ca: string | undefined;
  /** What the operator should know; never a reason not to start. */
  readonly warnings: readonly string[];
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The certificate authorities for upstreams: `NODE_EXTRA_CA_CERTS` adds a file to the engine's own and the system's, as for
 * Node; `SSL_CERT_FILE` replaces them, as for OpenSSL.
 *
 * A file of additions that cannot be used only takes trust away, so the gateway starts without it, as Node does. Without the
 * file that replaces, it would trust more than it was told to: that is refused.
 *
 * The usual ones are listed here because Bun 1.4.5, once it is told any, trusts no others; its own list named `default` lacks
 * the system's.
 *
 * @param readFile throws when the file cannot be read
 * @returns a string says why there is nothing to trust
 */
export function trustedRoots(env: Environment, readFile: (path: string) => string): TrustedRoots | string {
  const warnings: string[] = [];
  if (env.SSL_VERIFY?.toLowerCase() === 'false')
    warnings.push('SSL_VERIFY=False has no effect: certificates are always verified. Name your own authority instead.');
  const replacing = certificates('SSL_CERT_FILE', env, readFile);
  if (replacing?.kind === 'unusable')
    return `${replacing.reason} Correct it, or unset it to trust the usual authorities.`;
  const adding = certificates('NODE_EXTRA_CA_CERTS', env, readFile);
  if (adding?.kind === 'unusable') warnings.push(`${adding.reason} It is left out.`);
  if (replacing === null && adding?.kind !== 'read') return { ca: undefined, warnings };
  const base = replacing === null ? [...rootCertificates, ...getCACertificates('system')] : [replacing.pem];
  return { ca: merged(adding?.kind === 'read' ? [...base, adding.pem] : base), warnings };
}

/** Each certificate once: the lists overlap almost wholly, and the engine reads the text for every connection. */
function merged(texts: readonly string[]): string {
  const blocks = texts.flatMap((text) => text.match(BLOCK) ?? []);
  return [...new Map(blocks.map((block) => [block.replace(/\s/g, ''), block])).values()].join('\n');
}

type Certificates =
  | { readonly kind: 'read'; readonly pem: string }
  | { readonly kind: 'unusable'; readonly reason: string };

function certificates(variable: string, env: Environment, readFile: (path: string) => string): Certificates | null {
  const path = env[variable] ?? '';
  if (path === '') return null;
  const unusable = (why: string): Certificates => ({ kind: 'unusable', reason: `${variable}=${path} ${why}.` });
  let pem: string;
  try {
    pem = readFile(path);
  } catch (error) {
    return unusable(`cannot be read: ${(error as Error).message}`);
  }
  // An empty text is taken for "the usual ones" by the engine (Bun 1.4.5), and anything else must hold one at least.
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) return unusable('holds no PEM certificate');
  try {
    createSecureContext({ ca: pem });
    return { kind: 'read', pem };
  } catch {
    return unusable('holds a certificate that cannot be parsed');
  }
}
