import type { Clock } from '../core/clock.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Directory, Principal } from '../core/identity.ts';
import type { NewcomerSettings } from '../core/snapshot.ts';
import type { Store } from '../store/store.ts';
import type { ServerRequest } from '../transport/server.ts';

/** What the control plane needs from outside; `cli/serve.ts` fills it. */
export interface ControlPorts {
  readonly store: Store;
  readonly clock: Clock;
  /** Who sent this, or why nobody we know did. What is behind a key that it gives is in the directory. */
  authenticate(request: ServerRequest): Principal | GatewayError | Promise<Principal | GatewayError>;
  directory(): Directory;
  settings(): ControlSettings;
  /** Fresh random bytes, unguessable. */
  randomBytes(count: number): Uint8Array;
  readonly log: {
    internalError(event: { readonly callId: string | null; readonly error: unknown }): void;
  };
}

/** The part of the configuration that the admin API obeys. */
export interface ControlSettings extends NewcomerSettings {
  readonly errorProfile: 'tollgate' | 'litellm-1.81';
  /** `SERVER_ROOT_PATH`, without a trailing slash; '' for none. */
  readonly rootPath: string;
}

/** Nothing configured. */
export const PLAIN_SETTINGS: ControlSettings = {
  errorProfile: 'tollgate',
  rootPath: '',
  keyDefaults: {},
  keyBounds: {},
  userDefaults: {},
  teamDefaults: {},
};
