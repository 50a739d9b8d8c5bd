import type { Clock } from '../core/clock.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Directory, Principal } from '../core/identity.ts';
import type { JsonObject } from '../core/json.ts';
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
export interface ControlSettings {
  readonly errorProfile: 'tollgate' | 'litellm-1.81';
  /** `SERVER_ROOT_PATH`, without a trailing slash; '' for none. */
  readonly rootPath: string;
  /** Names that clients may ask for, for documents and checks. */
  readonly models: readonly string[];
  /** `default_key_generate_params`: fields of new keys that the request does not give. */
  readonly keyDefaults: JsonObject;
  /** `upperbound_key_generate_params`: the most that a new key may ask for. */
  readonly keyBounds: JsonObject;
  /** `default_internal_user_params`: fields of new users that are no admins. */
  readonly userDefaults: JsonObject;
  /** `default_team_params`: fields of new teams that the request does not give. */
  readonly teamDefaults: JsonObject;
}

/** Nothing configured. */
export const PLAIN_SETTINGS: ControlSettings = {
  errorProfile: 'tollgate',
  rootPath: '',
  models: [],
  keyDefaults: {},
  keyBounds: {},
  userDefaults: {},
  teamDefaults: {},
};
