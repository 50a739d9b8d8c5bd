import { type GatewayError, gatewayError } from '../../core/errors.ts';
import type { Directory, Principal, UserRole, VirtualKey } from '../../core/identity.ts';
import { userId as asUserId } from '../../core/ids.ts';
import type { EpochMillis } from '../../core/units.ts';
import { authorize } from '../../metering/authorize.ts';
import type { ModelCatalog } from '../../metering/model-catalog.ts';
import type { Actor } from '../../store/change-log.ts';
import type { AdminRoute } from './admin-route.ts';

/** Who asks the admin API. */
export type Caller =
  /** The master key, or a key of a `proxy_admin` (or, to read, of a `proxy_admin_viewer`). */
  | { readonly kind: 'admin'; readonly userId: string; readonly key: VirtualKey | null }
  /** @property key what was presented; its user sees and changes what is his own, and what is of his organizations */
  | {
      readonly kind: 'user';
      readonly userId: string;
      readonly role: UserRole | null;
      readonly key: VirtualKey;
      /** Those that he administers. */
      readonly organizations: ReadonlySet<string>;
    }
  /** A key of nobody's: it sees itself. */
  | { readonly kind: 'key'; readonly key: VirtualKey }
  | { readonly kind: 'anybody' };

/** The operator's user id, LiteLLM's `PROXY_ADMIN_ID`. */
export const OPERATOR_ID = 'default_user_id';
/** What stands for the master key's hash in the audit log, which is to hold nothing that could be tried offline. */
const MASTER_KEY_NAME = 'litellm_proxy_master_key';

/** Admits everything that is no model: routes of the admin API name none. */
const NO_MODELS: ModelCatalog = {
  words: (model) => ({ names: [model], groups: [], owner: null }),
  ofTeam: () => null,
};

export interface Asked {
  readonly route: AdminRoute;
  readonly method: string;
  readonly now: EpochMillis;
  /** Of which the user of the key is an `org_admin`. */
  readonly organizations: ReadonlySet<string>;
}

/** The user whose key it is, or null. */
export function userBehind(principal: Principal): string | null {
  if (principal.kind === 'master' || principal.key.owner.kind === 'nobody') return null;
  return principal.key.owner.userId;
}

/**
 * Whether this caller may call this route, and as whom.
 *
 * The one function that knows (`metering/authorize.ts`) is asked for the route's first path, so that aliases of a path
 * and values inside it make no difference and no credential in a path gets into a message.
 */
export function callerOf(
  principal: Principal,
  directory: Directory,
  { route, method, now, organizations }: Asked,
): Caller | GatewayError {
  const [path] = route.paths;
  const access = { path: plainPath(path), method, model: null, customer: null };
  const allowed = authorize(principal, access, { directory, catalog: NO_MODELS, now });
  if (principal.kind === 'master') return { kind: 'admin', userId: OPERATOR_ID, key: null };
  const { key } = principal;
  const userId = userBehind(principal);
  const user = userId === null ? null : directory.user(asUserId(userId));
  const isOfOrganization = route.audience === 'organization' && organizations.size > 0;
  if ('message' in allowed) {
    // The role is looked at last, so nothing else speaks against a caller who was refused for it.
    if (userId === null || !isOfOrganization || allowed.kind !== 'role-denied') return allowed;
    return { kind: 'user', userId, role: user?.role ?? null, key, organizations };
  }
  const isAdmin = user?.role === 'proxy_admin' || user?.role === 'proxy_admin_viewer';
  if (isAdmin && userId !== null) return { kind: 'admin', userId, key };
  if (route.audience === 'admin' || (route.audience === 'organization' && !isOfOrganization))
    return onlyAdmins(path, user?.role ?? null, userId);
  return userId === null
    ? { kind: 'key', key }
    : { kind: 'user', userId, role: user?.role ?? null, key, organizations };
}

/** The path without what the client fills in: `/key/{key}/regenerate` is `/key/regenerate` for roles. */
const plainPath = (path: string): string => path.replace(/\/\{[^}]*\}/g, '');

function onlyAdmins(path: string, role: UserRole | null, userId: string | null): GatewayError {
  const message =
    'Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys/users/teams. ' +
    `Route=${path}. Your role=${role ?? 'unknown'}. Your user_id=${userId ?? 'unknown'}`;
  return gatewayError('role-denied', message);
}

/**
 * As the audit log names the caller.
 *
 * @param changedBy the header `litellm-changed-by`: for whom a platform's admin key acts. Only an admin may say so
 */
export function actorOf(caller: Caller, changedBy: string | null): Actor {
  if (caller.kind === 'anybody') return { id: '', keyHash: '' };
  const keyHash = caller.key?.hash ?? MASTER_KEY_NAME;
  if (caller.kind === 'key') return { id: caller.key.id, keyHash };
  const isNamed = caller.kind === 'admin' && changedBy !== null && changedBy !== '';
  return { id: isNamed ? changedBy.slice(0, 200) : caller.userId, keyHash };
}
