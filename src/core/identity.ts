import type { Budget } from './budget.ts';
import type { CustomerId, KeyHash, KeyId, OrganizationId, TeamId, UserId } from './ids.ts';
import type { JsonObject } from './json.ts';
import type { ModelAccess } from './model-access.ts';
import type { EpochMillis } from './units.ts';

/** Who asks. */
export type Principal =
  /** The operator: nothing is refused, nothing is counted. */
  { readonly kind: 'master' } | { readonly kind: 'virtual-key'; readonly key: VirtualKey };

/** What may be used in one window of time, and at once; null: as much as one likes. */
export interface Limits {
  /** Requests in a window. */
  readonly rpm: number | null;
  /** Tokens in a window. */
  readonly tpm: number | null;
  /** Requests at once (`max_parallel_requests`). */
  readonly parallel: number | null;
}

export const NO_LIMITS: Limits = { rpm: null, tpm: null, parallel: null };

/** Limits for single models, by the name that clients ask for (`model_rpm_limit`, `model_tpm_limit`). */
export type ModelLimits = ReadonlyMap<string, Limits>;

/** A credential that we issue. Its text is nowhere kept. */
export interface VirtualKey {
  readonly hash: KeyHash;
  readonly id: KeyId;
  /** `sk-...` and the last four characters: what messages call it. */
  readonly name: string;
  readonly alias: string | null;
  readonly owner: KeyOwner;
  readonly organizationId: OrganizationId | null;
  /** The first moment at which it is no longer good; null: always good. */
  readonly expiry: EpochMillis | null;
  readonly isBlocked: boolean;
  readonly models: ModelAccess;
  /** Other names for models, for this key alone: asked → meant. */
  readonly aliases: ReadonlyMap<string, string>;
  /** `allowed_routes`: paths, paths ending in `/*`, or names of groups (`llm_api_routes`); empty: all of its role. */
  readonly allowedRoutes: readonly string[];
  readonly tags: readonly string[];
  readonly metadata: JsonObject;
  readonly limits: Limits;
  readonly modelLimits: ModelLimits;
  readonly budget: Budget | null;
  /** `model_max_budget`, by the name that clients ask for. */
  readonly modelBudgets: ReadonlyMap<string, Budget>;
}

/** Whose key it is. Only a `user`'s key is charged to the user's own budget: a team's is charged to team and member. */
export type KeyOwner =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'user'; readonly userId: UserId }
  /** @property userId the member who made it, or null for a service account */
  | { readonly kind: 'team'; readonly teamId: TeamId; readonly userId: UserId | null };

export interface Team {
  readonly id: TeamId;
  readonly alias: string | null;
  readonly organizationId: OrganizationId | null;
  readonly isBlocked: boolean;
  readonly models: ModelAccess;
  readonly aliases: ReadonlyMap<string, string>;
  /** Of all its requests: for tag routing, tag budgets and the ledger. */
  readonly tags: readonly string[];
  readonly limits: Limits;
  readonly modelLimits: ModelLimits;
  readonly budget: Budget | null;
}

/** A user's place in a team. */
export interface TeamMember {
  readonly teamId: TeamId;
  readonly userId: UserId;
  readonly role: 'admin' | 'user';
  readonly limits: Limits;
  readonly budget: Budget | null;
}

export interface User {
  readonly id: UserId;
  readonly role: UserRole;
  readonly models: ModelAccess;
  readonly limits: Limits;
  readonly budget: Budget | null;
}

/** LiteLLM's words, as its tables have them. */
export type UserRole = 'proxy_admin' | 'proxy_admin_viewer' | 'internal_user' | 'internal_user_viewer';

export interface Organization {
  readonly id: OrganizationId;
  readonly models: ModelAccess;
  readonly limits: Limits;
  readonly modelLimits: ModelLimits;
  readonly budget: Budget | null;
}

/** An end customer of a caller. */
export interface Customer {
  readonly id: CustomerId;
  readonly isBlocked: boolean;
  readonly limits: Limits;
  readonly budget: Budget | null;
}

/** A label of requests that has a budget of its own. */
export interface Tag {
  readonly name: string;
  readonly budget: Budget;
}

/**
 * Everybody that the data plane knows: immutable, swapped whole like the `Snapshot`.
 *
 * Null means that there is no such row; what could not be looked up at all never gets as far as here.
 */
export interface Directory {
  /** Grows with every swap. */
  readonly version: number;
  key(hash: KeyHash): VirtualKey | null;
  team(id: TeamId): Team | null;
  user(id: UserId): User | null;
  member(teamId: TeamId, userId: UserId): TeamMember | null;
  organization(id: OrganizationId): Organization | null;
  /** Also for an id without a row, where a budget for unknown customers is set: clients choose these ids. */
  customer(id: CustomerId): Customer | null;
  tag(name: string): Tag | null;
  /** The budget of everything together (`max_budget` of the proxy). */
  readonly global: Budget | null;
}
