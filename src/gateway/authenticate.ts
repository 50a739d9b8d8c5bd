import { hash, timingSafeEqual } from 'node:crypto';
import { type GatewayError, gatewayError } from '../core/errors.ts';
import type { Principal } from '../core/identity.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { ServerRequest } from '../transport/server.ts';
import type { Authenticator } from './ports.ts';

/** Where clients put the key, first to last (litellm.md §3.1.1). */
const KEY_HEADERS = [
  'x-litellm-api-key',
  'authorization',
  'api-key',
  'x-api-key',
  'x-goog-api-key',
  'ocp-apim-subscription-key',
] as const;

/**
 * Who sent this request, or why nobody we know did.
 *
 * Clients may send several of the headers, one of them with a dummy: the first that holds a known key counts.
 */
export async function authenticate(
  request: ServerRequest,
  snapshot: Snapshot,
  keys: Authenticator,
): Promise<Principal | GatewayError> {
  const custom = snapshot.server.keyHeader;
  let refusal: GatewayError | null = null;
  let unsaid: GatewayError | null = null;
  for (const header of custom === null ? KEY_HEADERS : [custom.toLowerCase()]) {
    const value = request.header(header);
    if (value === null || value === '') continue;
    const key = header === 'authorization' || custom !== null ? bearer(value) : withoutScheme(value);
    if (key === null) {
      refusal ??= malformed(header);
      continue;
    }
    const found = await keys.authenticate(hash('sha256', key));
    if (found !== null && !('message' in found)) return found;
    // That nobody can say weighs more than that another header's key is wrong.
    if (found !== null) unsaid = found;
    refusal ??= unknown(header, key);
  }
  return unsaid ?? refusal ?? noKey(custom);
}

/** Whether a request may be answered from the master key alone; compares hashes in constant time. */
export function masterKeyAuthenticator(current: () => Snapshot): Authenticator {
  let key: string | null = null;
  let digest = Buffer.alloc(0);
  return {
    authenticate(presented) {
      const configured = current().server.masterKey?.reveal() ?? null;
      if (configured === null) return null;
      if (configured !== key) {
        key = configured;
        digest = Buffer.from(hash('sha256', configured), 'latin1');
      }
      return timingSafeEqual(digest, Buffer.from(presented, 'latin1')) ? { kind: 'master' } : null;
    },
  };
}

/** The credential of `Bearer x` or of `Basic` with it as user or password; null for any other shape. */
function bearer(value: string): string | null {
  const [, scheme = '', rest = ''] = /^(\w+)\s+(\S+)\s*$/.exec(value) ?? [];
  if (scheme.toLowerCase() === 'bearer') return rest;
  if (scheme.toLowerCase() !== 'basic') return null;
  const [user = '', password = ''] = Buffer.from(rest, 'base64').toString('utf8').split(':', 2);
  return password.startsWith('sk-') ? password : user;
}

function withoutScheme(value: string): string {
  return /^bearer\s/i.test(value) ? value.slice(7).trim() : value.trim();
}

function noKey(custom: string | null): GatewayError {
  const where =
    custom === null
      ? "'Authorization: Bearer sk-…' (or x-api-key, api-key, x-litellm-api-key)"
      : `'${custom}: Bearer sk-…'`;
  return gatewayError('no-key', `Authentication Error, No api key passed in. Send the gateway's key as ${where}.`);
}

function malformed(header: string): GatewayError {
  return gatewayError(
    'malformed-key',
    `Authentication Error, Malformed API Key passed in. Ensure Key has \`Bearer \` prefix. The header ${header} was read.`,
  );
}

function unknown(header: string, key: string): GatewayError {
  if (!key.startsWith('sk-')) {
    return gatewayError(
      'malformed-key',
      `Authentication Error, LiteLLM Virtual Key expected. The key in the header ${header} does not start with 'sk-'.`,
    );
  }
  return gatewayError(
    'unknown-key',
    'Authentication Error, Invalid proxy server token passed. ' +
      `Received API Key = sk-...${key.slice(-4)} in the header ${header}. Unable to find token in cache or \`LiteLLM_VerificationTokenTable\``,
    { param: 'key' },
  );
}
