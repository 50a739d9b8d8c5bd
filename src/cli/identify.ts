import type { KeyFinder } from '../control/directory/key-finder.ts';
import { type GatewayError, gatewayError } from '../core/errors.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { seconds } from '../core/units.ts';
import { masterKeyAuthenticator } from '../gateway/authenticate.ts';
import type { Authentication, Authenticator } from '../gateway/ports.ts';

/** The master key first, which needs no database; then the keys of the directory. */
export function authenticator(current: () => Snapshot, keys: KeyFinder): Authenticator {
  const master = masterKeyAuthenticator(current);
  return {
    authenticate(hash) {
      const operator = master.authenticate(hash);
      if (operator !== null) return operator;
      const found = keys.find(hash);
      return found instanceof Promise ? found.then(authentication) : authentication(found);
    },
  };
}

function authentication(found: Awaited<ReturnType<KeyFinder['find']>>): Authentication {
  if (found === null) return null;
  return found === 'unavailable' ? UNVERIFIED : { kind: 'virtual-key', key: found };
}

/** Not 401: a client would throw a good key away. */
const UNVERIFIED: GatewayError = gatewayError(
  'key-unverified',
  'The key cannot be checked at the moment, because the database does not answer. Keys in recent use go on working. Send the request again.',
  { retryAfter: seconds(2) },
);
