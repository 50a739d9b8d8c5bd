import { type GatewayError, gatewayError } from '../core/errors.ts';
import type { HeaderPair } from '../core/http.ts';
import type { ServerRequest, ServerResponse } from '../transport/server.ts';
import type { AdminRoute } from './http/admin-route.ts';
import { failure, refusalOf, success } from './http/answer.ts';
import { actorOf, type Caller, callerOf, userBehind } from './http/caller.ts';
import { readInput } from './http/input.ts';
import { InvalidFields } from './http/invalid.ts';
import { Refused } from './http/refused.ts';
import { type PathMatch, RouteTable } from './http/route-table.ts';
import { organizationsOf } from './organization-admins.ts';
import type { ControlPorts } from './ports.ts';
import { ROUTES } from './registry.ts';

/** The admin API as the server sees it. */
export interface Control {
  /** Whether the path is one of ours. */
  handles(path: string): boolean;
  /** Answers; never rejects. */
  handle(request: ServerRequest): Promise<ServerResponse>;
}

const NO_ORGANIZATIONS: ReadonlySet<string> = new Set();

/** The control plane's front door: a path, a method, who asks, what he sent, and the handler that answers. */
export function createControl(ports: ControlPorts): Control {
  return new AdminApi(ports);
}

class AdminApi implements Control {
  readonly #ports: ControlPorts;
  readonly #table = new RouteTable(ROUTES);

  constructor(ports: ControlPorts) {
    this.#ports = ports;
  }

  handles(path: string): boolean {
    return this.#match(path) !== null;
  }

  async handle(request: ServerRequest): Promise<ServerResponse> {
    const headers = [...this.#names()];
    try {
      return await this.#answer(request, headers);
    } catch (thrown) {
      return this.#failed(thrown, headers);
    }
  }

  async #answer(request: ServerRequest, headers: HeaderPair[]): Promise<ServerResponse> {
    const match = this.#match(request.path);
    if (match === null)
      throw new Refused(gatewayError('unknown-path', `Not Found: ${request.method} ${request.path}.`));
    const route = chosen(match, request.method);
    if (route === null) {
      const methods = allowed(match);
      headers.push(['allow', methods.join(', ')]);
      if (request.method === 'OPTIONS') return { kind: 'whole', status: 204, headers, body: null };
      throw new Refused(gatewayError('wrong-method', `Method Not Allowed: this path takes ${methods.join(' or ')}.`));
    }
    const caller = await this.#caller(request, route);
    if ('message' in caller) throw new Refused(caller);
    const { input, unread } = await readInput(request, route, match.values);
    const fields = unread.filter((name) => /^[a-zA-Z0-9_]{1,64}$/.test(name));
    if (fields.length > 0) headers.push(['x-tollgate-ignored-fields', fields.slice(0, 50).join(', ')]);
    const { store, clock } = this.#ports;
    const actor = actorOf(caller, request.header('litellm-changed-by'));
    const body = await route.handle(input, { caller, actor, store, ports: this.#ports, now: clock.wall() });
    if (route.contentType !== undefined) return success(String(body), route.contentType, headers);
    return success(JSON.stringify(body), 'application/json', headers);
  }

  async #caller(request: ServerRequest, route: AdminRoute): Promise<Caller | GatewayError> {
    if (route.audience === 'public') return { kind: 'anybody' };
    const principal = await this.#ports.authenticate(request);
    if ('message' in principal) return principal;
    const userId = userBehind(principal);
    const organizations = userId === null ? NO_ORGANIZATIONS : await organizationsOf(this.#ports.store, userId);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const asked = { route, method, now: this.#ports.clock.wall(), organizations };
    return callerOf(principal, this.#ports.directory(), asked);
  }

  #failed(thrown: unknown, headers: readonly HeaderPair[]): ServerResponse {
    const refusal = refusalOf(thrown);
    const settings = this.#ports.settings();
    if (refusal !== null) {
      const { error } = refusal;
      return failure(
        refusal instanceof InvalidFields ? { error, detail: refusal.detail } : { error },
        settings,
        headers,
      );
    }
    const callId = headers.find(([name]) => name === 'x-litellm-call-id')?.[1] ?? null;
    this.#ports.log.internalError({ callId, error: thrown });
    const message =
      'Something went wrong in the gateway. Its log says what, under the x-litellm-call-id of this answer.';
    return failure({ error: gatewayError('internal', message) }, settings, headers);
  }

  #match(path: string): PathMatch | null {
    const { rootPath } = this.#ports.settings();
    if (rootPath !== '' && !path.startsWith(`${rootPath}/`)) return null;
    return this.#table.match(path.slice(rootPath.length));
  }

  /** Answers here may hold a new key, so nobody between may keep them. */
  #names(): readonly HeaderPair[] {
    const id = Buffer.from(this.#ports.randomBytes(16)).toString('hex');
    return [
      ['x-request-id', id],
      ['x-litellm-call-id', id],
      ['cache-control', 'no-store'],
    ];
  }
}

function chosen({ routes }: PathMatch, method: string): AdminRoute | null {
  const asked = method === 'HEAD' ? 'GET' : method;
  return routes.find(({ methods }) => methods.some((each) => each === asked)) ?? null;
}

const allowed = ({ routes }: PathMatch): readonly string[] => [
  ...new Set([...routes.flatMap(({ methods }) => methods), 'OPTIONS']),
];
