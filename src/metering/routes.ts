import type { UserRole } from '../core/identity.ts';

/**
 * Paths by the names that keys and roles know them by; a star at the end stands for any rest.
 *
 * Written without `/v1`, which is not looked at.
 *
 * @see litellm.md §3.1.2 and §3.2
 */
const OPENAI = [
  ...['/chat/completions', '/completions', '/embeddings', '/moderations', '/models', '/models/*', '/realtime'],
  ...['/images/*', '/audio/*', '/responses', '/responses/*', '/batches', '/batches/*', '/files', '/files/*'],
  ...['/fine_tuning/*', '/assistants', '/assistants/*', '/threads', '/threads/*', '/vector_stores', '/vector_stores/*'],
  ...['/rerank', '/v2/rerank', '/ocr', '/videos', '/videos/*', '/containers', '/containers/*', '/search', '/search/*'],
];
const ANTHROPIC = ['/messages', '/messages/*'];
const GOOGLE = ['/v1beta/models/*'];
const MCP = ['/mcp', '/mcp/*'];
const AGENT = ['/a2a/*'];
const INFO = [
  ...['/key/info', '/key/health', '/key/list', '/v2/key/info', '/team/info', '/team/list', '/v2/team/list'],
  ...['/team/available', '/organization/list', '/user/info', '/user/filter/ui', '/model/info', '/v2/model/info'],
  ...['/model_group/info', '/health', '/models', '/models/*'],
];
const KEY_MANAGEMENT = [
  ...['/key/generate', '/key/update', '/key/delete', '/key/info', '/key/regenerate', '/key/service-account/generate'],
  ...['/key/list', '/key/block', '/key/unblock', '/key/bulk_update'],
];
const MANAGEMENT = [
  ...['/user/new', '/user/update', '/user/delete', '/user/info', '/user/list', '/user/daily/*', '/team/new'],
  ...['/team/update', '/team/delete', '/team/list', '/team/info', '/team/block', '/team/unblock', '/team/available'],
  ...['/team/permissions_list', '/team/permissions_update', '/team/daily/*', '/model/new', '/model/update'],
  ...['/model/delete', '/model/info', '/key/*'],
];
const SELF_MANAGED = [
  ...['/team/member_add', '/team/member_delete', '/team/member_update', '/team/permissions_list'],
  ...['/team/permissions_update', '/team/daily/*', '/model/new', '/model/update', '/model/delete', '/user/daily/*'],
  ...['/prompt/list', '/prompt/info', '/invitation/new', '/invitation/delete'],
];
const SPEND = ['/spend/keys', '/spend/users', '/spend/tags', '/spend/calculate', '/spend/logs', '/cost/estimate'];
/** Spend that a user sees his own part of; LiteLLM opens them to internal users as well. */
const OWN_SPEND = [
  ...['/spend/logs/*', '/global/spend/logs', '/global/spend/tags', '/global/spend/keys', '/global/spend/models'],
  ...['/global/spend/provider', '/global/spend/end_users', '/global/activity', '/global/activity/model'],
  ...['/global/activity/cache_hits', '/user/daily/*', '/team/daily/*'],
];
const GLOBAL_SPEND = [
  ...['/global/spend', '/global/spend/logs', '/global/spend/keys', '/global/spend/teams', '/global/spend/end_users'],
  ...['/global/spend/models', '/global/spend/report', '/global/spend/provider', '/global/spend/tags'],
  ...['/global/spend/all_tag_names', '/global/predict/spend/logs'],
];
const LLM = [...OPENAI, ...ANTHROPIC, ...GOOGLE, ...MCP, ...AGENT];

/** Paths compiled for asking: whole ones, and beginnings. */
interface RouteSet {
  readonly whole: ReadonlySet<string>;
  readonly beginnings: readonly string[];
}

const GROUPS: ReadonlyMap<string, RouteSet> = new Map([
  ['llm_api_routes', routeSet(LLM)],
  ['openai_routes', routeSet(OPENAI)],
  ['anthropic_routes', routeSet(ANTHROPIC)],
  ['google_routes', routeSet(GOOGLE)],
  ['mcp_routes', routeSet(MCP)],
  ['agent_routes', routeSet(AGENT)],
  ['info_routes', routeSet(INFO)],
  ['management_routes', routeSet(MANAGEMENT)],
  ['key_management_routes', routeSet(KEY_MANAGEMENT)],
  ['self_managed_routes', routeSet(SELF_MANAGED)],
  ['spend_tracking_routes', routeSet(SPEND)],
  ['global_spend_tracking_routes', routeSet(GLOBAL_SPEND)],
]);

/** What a key without a user may call. */
const PLAIN_KEY = routeSet([...LLM, ...INFO]);

const ROLES: Readonly<Record<Exclude<UserRole, 'proxy_admin'>, RouteSet>> = {
  // It only looks, so whatever is asked for by GET is open to it besides.
  proxy_admin_viewer: routeSet([...LLM, ...INFO, ...SPEND, ...GLOBAL_SPEND]),
  internal_user: routeSet([...LLM, ...INFO, ...SPEND, ...OWN_SPEND, ...KEY_MANAGEMENT, ...SELF_MANAGED]),
  internal_user_viewer: routeSet([...SPEND, ...OWN_SPEND, ...INFO]),
};

/** A path and how it is asked for. */
export interface RouteAsked {
  /** As the client wrote it, without a query and without the server's root path. */
  readonly path: string;
  readonly method: string;
}

/** Whether an entry of `allowed_routes` covers the path: the name of a group, the path, or a beginning with a star. */
export function coversRoute(entry: string, path: string): boolean {
  const group = GROUPS.get(entry);
  const operation = operationOf(path);
  if (group !== undefined) return has(group, operation);
  return matches(entry, path) || matches(operationOf(entry), operation);
}

/**
 * Whether a role may call this path at all; what it may see there is the endpoint's to decide.
 *
 * @param role null for a key without a user
 */
export function roleMayCall(role: UserRole | null, { path, method }: RouteAsked): boolean {
  if (role === 'proxy_admin') return true;
  if (role === 'proxy_admin_viewer' && method === 'GET') return true;
  const operation = operationOf(path);
  return has(role === null ? PLAIN_KEY : ROLES[role], operation);
}

/** The path without what only says where it is mounted: `/v1`, Azure's `/openai/deployments/x`, `/engines/x`. */
function operationOf(path: string): string {
  if (PLAIN_KEY.whole.has(path)) return path;
  const bare = path.replace(/^\/v1(?=\/)/, '').replace(/^\/(openai\/deployments|engines)\/[^/]+(?=\/)/, '');
  return bare.length > 1 && bare.endsWith('/') ? bare.slice(0, -1) : bare;
}

function routeSet(entries: readonly string[]): RouteSet {
  const beginnings = entries.filter((entry) => entry.endsWith('*')).map((entry) => entry.slice(0, -1));
  return { whole: new Set(entries.filter((entry) => !entry.endsWith('*'))), beginnings };
}

function has({ whole, beginnings }: RouteSet, operation: string): boolean {
  return whole.has(operation) || beginnings.some((beginning) => operation.startsWith(beginning));
}

function matches(entry: string, path: string): boolean {
  return entry.endsWith('*') ? path.startsWith(entry.slice(0, -1)) : path === entry;
}
