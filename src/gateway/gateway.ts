import { type GatewayError, gatewayError } from '../core/errors.ts';
import type { HeaderPair } from '../core/http.ts';
import { type ModelSight, SEES_ALL } from '../core/model-access.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { seconds } from '../core/units.ts';
import { modelGroups } from '../endpoints/model-groups.ts';
import { modelInfo, modelList, oneModel } from '../endpoints/models.ts';
import { openaiError } from '../endpoints/openai-encoder.ts';
import { decodePath, type EndpointMatch, matchEndpoint } from '../endpoints/registry.ts';
import type { ServerRequest, ServerResponse } from '../transport/server.ts';
import { authenticate } from './authenticate.ts';
import { compressed } from './compress.ts';
import type { ExchangeDependencies } from './dependencies.ts';
import { Exchange } from './exchange.ts';
import { statusFor } from './failure.ts';
import { addCors, addRetryAfter, clientLabel, preflightHeaders } from './headers.ts';
import { type ProbeResult, probe } from './probe.ts';

/** What the monitoring paths show; the composition root knows the answers. */
export interface StatusPages {
  health(isKeyed: boolean): { readonly status: number; readonly body: unknown };
  probed(results: readonly ProbeResult[]): { readonly status: number; readonly body: unknown };
  readiness(): { readonly status: number; readonly body: unknown };
  /** In Prometheus' text format 0.0.4. */
  metrics(): Promise<Uint8Array>;
}

export interface GatewayOptions extends ExchangeDependencies {
  readonly pages: StatusPages;
  /** `SERVER_ROOT_PATH`, without a trailing slash; '' for none. */
  readonly rootPath: string;
  /** Answers what is neither a model's path nor a page of ours, the admin API; null when it does not know it either. */
  elsewhere(request: ServerRequest): Promise<ServerResponse | null>;
}

/** A path that no provider is needed for. */
interface Page {
  readonly methods: readonly string[];
  needsKey(snapshot: Snapshot): boolean;
  answer(
    request: ServerRequest,
    caller: PageCaller,
  ): ServerResponse | GatewayError | Promise<ServerResponse | GatewayError>;
}

/** Who asks for a page, and by which path. */
interface PageCaller {
  readonly path: string;
  /** What he sees of the models; all of them on pages that need no key. */
  readonly sight: ModelSight;
}

/**
 * The data plane's front door: a path, a method, and what answers it.
 *
 * LLM requests go to an `Exchange` each; everything else is a page of this file, or of the admin API.
 */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #pages: ReadonlyMap<string, Page>;
  readonly #running = new Set<Exchange>();

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#pages = this.#table();
  }

  /** LLM requests whose answer is not over; streams that run are among them. */
  get running(): number {
    return this.#running.size;
  }

  /** Ends every answer that runs, in words that its client understands. */
  stop(): void {
    for (const exchange of this.#running) exchange.stop();
  }

  handle(request: ServerRequest): ServerResponse | Promise<ServerResponse> {
    const path = this.#strip(request.path);
    const match = path === null ? null : matchEndpoint(path);
    if (match !== null && request.method === 'POST') {
      const most = this.#options.ports.snapshots.current().server.maxConcurrent;
      return this.#running.size < most ? this.#exchange(request, match) : this.#refuse(request, overloaded(most));
    }
    return this.#page(request, path, match !== null);
  }

  #exchange(request: ServerRequest, match: EndpointMatch): Promise<ServerResponse> {
    const exchange = new Exchange(this.#options, request, match, () => this.#running.delete(exchange));
    this.#running.add(exchange);
    return exchange.run();
  }

  #strip(path: string): string | null {
    const { rootPath } = this.#options;
    if (rootPath === '') return path;
    if (path === rootPath) return '/';
    return path.startsWith(`${rootPath}/`) ? path.slice(rootPath.length) : null;
  }

  async #page(request: ServerRequest, path: string | null, isLlmPath: boolean): Promise<ServerResponse> {
    const snapshot = this.#options.ports.snapshots.current();
    const page = path === null ? undefined : this.#find(path);
    if (request.method === 'OPTIONS')
      return { kind: 'whole', status: 204, headers: preflightHeaders(request, snapshot), body: null };
    if (path === null || (page === undefined && !isLlmPath))
      return (await this.#options.elsewhere(request)) ?? this.#refuse(request, unknownPath(request));
    const methods = page?.methods ?? ['POST'];
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    if (page === undefined || !methods.includes(method))
      return this.#refuse(request, wrongMethod(request, methods), methods);
    const sight = page.needsKey(snapshot) ? await this.#sight(request, path) : SEES_ALL;
    if ('message' in sight) return this.#refuse(request, sight);
    const answer = await page.answer(request, { path, sight });
    if ('message' in answer) return this.#refuse(request, answer);
    const headers = [...answer.headers, ...this.#names(request)];
    addCors(headers, request, snapshot);
    return { ...answer, headers };
  }

  /** What the caller sees of the models, or why he may not ask for this path. */
  async #sight(request: ServerRequest, path: string): Promise<ModelSight | GatewayError> {
    const { keys, snapshots, admission } = this.#options.ports;
    const principal = await authenticate(request, snapshots.current(), keys);
    if ('message' in principal) return principal;
    return admission.forbids(principal, { path, method: request.method }) ?? admission.sight(principal);
  }

  #names(request: ServerRequest): HeaderPair[] {
    const id = clientLabel(request.header('x-request-id')) ?? this.#options.ports.hexId();
    return [
      ['x-request-id', id],
      ['x-litellm-call-id', id],
    ];
  }

  #find(path: string): Page | undefined {
    const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
    const exact = this.#pages.get(trimmed);
    if (exact !== undefined) return exact;
    for (const prefix of ['/v1/models/', '/models/']) if (path.startsWith(prefix)) return this.#pages.get(`${prefix}*`);
    return undefined;
  }

  #table(): ReadonlyMap<string, Page> {
    const { clock, pages, ports } = this.#options;
    const get = (needsKey: boolean, answer: Page['answer']): Page => ({
      methods: ['GET'],
      needsKey: () => needsKey,
      answer,
    });
    const metrics: Page = {
      methods: ['GET'],
      needsKey: ({ server }) => server.metrics.needsKey,
      answer: async (request) => exposed(request, await pages.metrics()),
    };
    const alive = get(false, () => json(200, "I'm alive!"));
    const models = get(true, (request, { sight }) => {
      const list = modelList(ports.snapshots.current(), new URLSearchParams(request.query), sight);
      return 'message' in list ? list : json(200, list);
    });
    const model = get(true, (_request, { path, sight }) => {
      const id = decodePath(path.replace(/^\/(v1\/)?models\//, ''));
      return found(oneModel(ports.snapshots.current(), id, sight), id);
    });
    const groups = get(true, (request, { sight }) => {
      const only = new URLSearchParams(request.query).get('model_group');
      return json(200, modelGroups(ports.snapshots.current(), only, { sight, now: clock.wall() }));
    });
    const info = get(true, (request, { sight }) => {
      const id = new URLSearchParams(request.query).get('litellm_model_id');
      const body = modelInfo(ports.snapshots.current(), id, { sight, now: clock.wall() });
      return body === null
        ? gatewayError('invalid-parameter', `Model id = ${id} not found on litellm proxy`, {
            param: 'litellm_model_id',
          })
        : json(200, body);
    });
    const health = get(false, async (request) => {
      const snapshot = ports.snapshots.current();
      const principal = await authenticate(request, snapshot, ports.keys);
      const query = new URLSearchParams(request.query);
      if (query.get('probe') !== 'true') return page(pages.health(principal.kind === 'master'));
      if (principal.kind !== 'master') return 'message' in principal ? principal : notYours();
      const only = query.get('model_id') ?? query.get('model');
      return page(pages.probed(await probe(this.#options, request, snapshot, only)));
    });
    return new Map<string, Page>([
      ['/', get(false, () => json(200, 'LiteLLM: RUNNING'))],
      ['/health', health],
      ['/health/liveliness', alive],
      ['/health/liveness', alive],
      ['/health/readiness', get(false, () => page(pages.readiness()))],
      ['/test', get(false, () => json(200, { route: '/test' }))],
      ['/metrics', metrics],
      ['/models', models],
      ['/v1/models', models],
      ['/models/*', model],
      ['/v1/models/*', model],
      ['/model/info', info],
      ['/v1/model/info', info],
      ['/model_group/info', groups],
    ]);
  }

  #refuse(request: ServerRequest, error: GatewayError, allow: readonly string[] = []): ServerResponse {
    const snapshot = this.#options.ports.snapshots.current();
    const status = statusFor(error, snapshot.server.errorProfile);
    const headers: HeaderPair[] = [['content-type', 'application/json'], ...this.#names(request)];
    if (allow.length > 0) headers.push(['allow', [...allow, 'OPTIONS'].join(', ')]);
    addRetryAfter(headers, error);
    addCors(headers, request, snapshot);
    return { kind: 'whole', status, headers, body: openaiError(error, status) };
  }
}

function overloaded(most: number): GatewayError {
  const message = `The gateway runs ${most} requests already (general_settings.global_max_parallel_requests). Try again in a moment.`;
  return gatewayError('overloaded', message, { retryAfter: seconds(1) });
}

function json(status: number, body: unknown): ServerResponse {
  return {
    kind: 'whole',
    status,
    headers: [['content-type', 'application/json']],
    body: JSON.stringify(body),
  };
}

function page({ status, body }: { readonly status: number; readonly body: unknown }): ServerResponse {
  return json(status, body);
}

/** Prometheus asks for gzip; with many keys the text is long. */
async function exposed(request: ServerRequest, text: Uint8Array): Promise<ServerResponse> {
  const type: HeaderPair = ['content-type', 'text/plain; version=0.0.4; charset=utf-8'];
  return { kind: 'whole', status: 200, ...(await compressed(request, [type], text)) };
}

function found(model: unknown, id: string): ServerResponse | GatewayError {
  if (model !== null) return json(200, model);
  return gatewayError(
    'model-not-found',
    `The model '${id}' does not exist or this key may not use it. GET /v1/models lists the models.`,
    {
      param: 'model',
    },
  );
}

function unknownPath(request: ServerRequest): GatewayError {
  return gatewayError(
    'unknown-path',
    `Not Found: ${request.method} ${request.path}. Chat completions are at POST /v1/chat/completions.`,
  );
}

function notYours(): GatewayError {
  return gatewayError(
    'role-denied',
    'Only the master key may have deployments called. Without ?probe=true anybody may ask.',
  );
}

function wrongMethod(request: ServerRequest, methods: readonly string[]): GatewayError {
  return gatewayError('wrong-method', `Method Not Allowed: ${request.path} takes ${methods.join(' or ')}.`);
}
