import { type ErrorKind, type GatewayError, gatewayError } from '../core/errors.ts';
import type {
  Customer,
  Directory,
  KeyOwner,
  Organization,
  Principal,
  Team,
  TeamMember,
  User,
  VirtualKey,
} from '../core/identity.ts';
import type { CustomerId, OrganizationId, TeamId, UserId } from '../core/ids.ts';
import { type ModelAccess, type ModelSight, SEES_ALL } from '../core/model-access.ts';
import type { EpochMillis } from '../core/units.ts';
import type { ModelCatalog, ModelWords } from './model-catalog.ts';
import { coversRoute, type RouteAsked, roleMayCall } from './routes.ts';

/** What somebody wants to do. */
export interface Access extends RouteAsked {
  /** The model asked for; null where the route has none. */
  readonly model: string | null;
  readonly customer: CustomerId | null;
}

/** All that the decision depends on, besides who asks for what. */
export interface World {
  readonly directory: Directory;
  readonly catalog: ModelCatalog;
  readonly now: EpochMillis;
}

/** Yes, and on whose account. */
export type Allowed =
  /** @property customer for whom the operator asks: the one whose limits hold for him too */
  | { readonly kind: 'master'; readonly model: string | null; readonly customer: Customer | null }
  | {
      readonly kind: 'virtual-key';
      /** The model that is meant: the key's and the team's aliases followed. */
      readonly model: string | null;
      readonly owners: Owners;
    };

/** Everybody behind a key, as far as they exist. */
export interface Owners {
  readonly key: VirtualKey;
  readonly team: Team | null;
  readonly member: TeamMember | null;
  readonly user: User | null;
  readonly organization: Organization | null;
  readonly customer: Customer | null;
}

/**
 * Whether this caller may do this: the one place that knows, for every route and every model.
 *
 * First the caller (blocked, expired, its owners, their blocks), then the place (the key's routes, the role's), then
 * the model: key, team, user of a personal key, organization; each list can only take away. LiteLLM looks at the
 * key's models before its expiry (litellm.md §5.3); the difference shows only when both are wrong.
 *
 * A team or an organization that is named but not there refuses (LiteLLM skips its checks). A user without a row is
 * ordinary: LiteLLM makes rows when they are first seen.
 */
export function authorize(principal: Principal, access: Access, world: World): Allowed | GatewayError {
  if (principal.kind === 'master') {
    const customer = customerOf(access, world.directory);
    return blockedCustomer(customer) ?? { kind: 'master', model: access.model, customer };
  }
  const { key } = principal;
  const owners = ownersOf(key, customerOf(access, world.directory), world.directory);
  const refusal =
    badKey(key, world.now) ?? badOwner(owners) ?? badRoute(key, owners.user, access) ?? badModel(owners, access, world);
  if (refusal !== null) return refusal;
  return {
    kind: 'virtual-key',
    model: access.model === null ? null : meant(owners, access.model, world.catalog),
    owners,
  };
}

/**
 * Whether the same caller may be answered by this model too: a fallback, or what an alias stands for.
 *
 * Asked for each leg of a route, since what a client may not ask for it shall not get by another's failure either.
 */
export function mayUse(allowed: Allowed, model: string, catalog: ModelCatalog): boolean {
  if (allowed.kind === 'master') return true;
  const words = catalog.words(model);
  return deniedModel(allowed.owners, model, { key: words, team: words, above: words }) === null;
}

/**
 * Which models a caller may ask for, for lists of models: the same lists as `authorize` asks.
 *
 * His own aliases are not shown, nor what the team's make of a name: LiteLLM lists neither.
 */
export function sightOf(principal: Principal, { directory, catalog }: Omit<World, 'now'>): ModelSight {
  if (principal.kind === 'master') return SEES_ALL;
  const owners = ownersOf(principal.key, null, directory);
  const { key, team, organization } = owners;
  const lists = [key.models, team?.models, personalModels(owners), organization?.models];
  const listed = lists.flatMap((access) => (access?.kind === 'some' ? access.listed : []));
  return {
    may(model) {
      const words = catalog.words(model);
      return deniedModel(owners, model, { key: words, team: words, above: words }) === null;
    },
    listed: [...new Set(listed)],
  };
}

const customerOf = ({ customer }: Access, directory: Directory): Customer | null =>
  customer === null ? null : directory.customer(customer);

function ownersOf(key: VirtualKey, customer: Customer | null, directory: Directory): Owners {
  const { owner } = key;
  const teamId = owner.kind === 'team' ? owner.teamId : null;
  const userId = owner.kind === 'nobody' ? null : owner.userId;
  const team = teamId === null ? null : directory.team(teamId);
  const organizationId = key.organizationId ?? team?.organizationId ?? null;
  return {
    key,
    team,
    member: teamId === null || userId === null ? null : directory.member(teamId, userId),
    user: userId === null ? null : directory.user(userId),
    organization: organizationId === null ? null : directory.organization(organizationId),
    customer,
  };
}

function badKey(key: VirtualKey, now: EpochMillis): GatewayError | null {
  if (key.isBlocked) {
    const message = "Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin.";
    return gatewayError('blocked-key', message);
  }
  if (key.expiry !== null && now >= key.expiry) {
    const times = `Key Expiry time ${utc(key.expiry)} and current time ${utc(now)}`;
    return gatewayError('expired-key', `Authentication Error - Expired Key. ${times}`, { param: key.name });
  }
  return null;
}

function badOwner({ key, team, organization, customer }: Owners): GatewayError | null {
  const { owner } = key;
  if (owner.kind === 'team' && team === null) return unknownOwner('Team', owner.teamId);
  const organizationId = key.organizationId ?? team?.organizationId ?? null;
  if (organizationId !== null && organization === null) return unknownOwner('Organization', organizationId);
  if (team?.isBlocked === true) {
    const message = `Authentication Error, Team=${team.id} is blocked. Update via \`/team/unblock\` if your admin.`;
    return gatewayError('blocked-team', message);
  }
  return blockedCustomer(customer);
}

function blockedCustomer(customer: Customer | null): GatewayError | null {
  if (customer?.isBlocked !== true) return null;
  return gatewayError('blocked-customer', `User blocked from making LLM API Calls. User=${customer.id}`);
}

function unknownOwner(what: string, id: TeamId | OrganizationId): GatewayError {
  const message = `Authentication Error, ${what}=${id} of this key does not exist. An admin can give the key another.`;
  return gatewayError('unknown-owner', message);
}

function badRoute(key: VirtualKey, user: User | null, { path, method }: Access): GatewayError | null {
  if (key.allowedRoutes.length > 0 && !key.allowedRoutes.some((entry) => coversRoute(entry, path))) {
    const allowed = `Only allowed to call routes: ${listOf(key.allowedRoutes)}`;
    const message = `Virtual key is not allowed to call this route. ${allowed}. Tried to call route: ${path}`;
    return gatewayError('route-denied', message);
  }
  if (roleMayCall(user?.role ?? null, { path, method })) return null;
  const message =
    'Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys/users/teams. ' +
    `Route=${path}. Your role=${user?.role ?? 'unknown'}. Your user_id=${userOf(key.owner) ?? 'unknown'}`;
  return gatewayError('role-denied', message);
}

function badModel(owners: Owners, { model }: Access, { catalog }: World): GatewayError | null {
  return model === null ? null : deniedModel(owners, model, askedWords(owners, model, catalog));
}

/** The words by which each list may allow the model. */
interface ListWords {
  readonly key: ModelWords;
  readonly team: ModelWords;
  /** User and organization. */
  readonly above: ModelWords;
}

/**
 * The name asked for and what an alias makes of it: either may be listed, but only in the list of who made the alias
 * and below. Else a member could give himself a model by calling it by the name of one that the team allows.
 */
function askedWords(owners: Owners, model: string, catalog: ModelCatalog): ListWords {
  const asked = catalog.words(model);
  const target = meant(owners, model, catalog);
  if (target === model) return { key: asked, team: asked, above: asked };
  const above = catalog.words(target);
  const both = { ...above, names: [...asked.names, ...above.names], groups: [...asked.groups, ...above.groups] };
  return { key: both, team: owners.key.aliases.has(model) ? above : both, above };
}

function deniedModel(owners: Owners, model: string, words: ListWords): GatewayError | null {
  const { key, team, organization } = owners;
  return (
    foreign(words.above.owner, team, model) ??
    denial('key', key.models, model, words.key) ??
    denial('team', team?.models ?? null, model, words.team) ??
    denial('user', personalModels(owners), model, words.above) ??
    denial('org', organization?.models ?? null, model, words.above)
  );
}

/** @param owner the team that alone may ask for it */
function foreign(owner: string | null, team: Team | null, model: string): GatewayError | null {
  if (owner === null || owner === team?.id) return null;
  return denied(
    'team',
    `team not allowed to access model. It belongs to another team. Tried to access ${model}. GET /v1/models lists what this key may use.`,
  );
}

/** The user's list holds for his personal keys alone. */
function personalModels({ key, user }: Owners): ModelAccess | null {
  return key.owner.kind === 'user' ? (user?.models ?? null) : null;
}

type Scope = 'key' | 'team' | 'user' | 'org';

const DENIED = {
  key: 'key-model-denied',
  team: 'team-model-denied',
  user: 'user-model-denied',
  org: 'org-model-denied',
} as const satisfies Record<Scope, ErrorKind>;

/** @param access null where there is nobody whose list it could be */
function denial(scope: Scope, access: ModelAccess | null, model: string, words: ModelWords): GatewayError | null {
  switch (access?.kind) {
    case undefined:
    case 'all':
    case 'as-team':
      return null;
    case 'none': {
      const only = 'No default model access, only team models allowed.';
      return denied(scope, `${scope} not allowed to access model. ${only} Tried to access ${model}`);
    }
    case 'some': {
      const isListed =
        words.names.some((name) => access.names.has(name) || access.patterns.some((pattern) => pattern.test(name))) ||
        words.groups.some((group) => access.names.has(group));
      if (isListed) return null;
      const only = `This ${scope} can only access models=${listOf(access.listed)}.`;
      return denied(scope, `${scope} not allowed to access model. ${only} Tried to access ${model}`);
    }
  }
}

function denied(scope: Scope, message: string): GatewayError {
  return gatewayError(DENIED[scope], message, { param: 'model' });
}

/** The key's aliases come before what the team has of its own, and that before the team's aliases; none is followed twice. */
function meant({ key, team }: Owners, model: string, catalog: ModelCatalog): string {
  const named = key.aliases.get(model);
  if (named !== undefined || team === null) return named ?? model;
  return catalog.ofTeam(team.id, model) ?? team.aliases.get(model) ?? model;
}

function userOf(owner: KeyOwner): UserId | null {
  return owner.kind === 'nobody' ? null : owner.userId;
}

/** As Python prints a list. */
function listOf(names: readonly string[]): string {
  return `[${names.map((name) => `'${name}'`).join(', ')}]`;
}

/** As Python prints a moment. */
function utc(moment: EpochMillis): string {
  return `${new Date(moment).toISOString().slice(0, 19).replace('T', ' ')}+00:00`;
}
