import type { Clock, Timer } from '../core/clock.ts';
import { type GatewayError, gatewayError } from '../core/errors.ts';
import type { HeaderPair } from '../core/http.ts';
import { type RequestId, requestId } from '../core/ids.ts';
import type { RequestEnd } from '../core/ledger-entry.ts';
import { describe, type Failure, type Outcome, verdict } from '../core/outcome.ts';
import type { Deployment, Snapshot } from '../core/snapshot.ts';
import { type EpochMillis, type Millis, millis, minus } from '../core/units.ts';
import type { Usage } from '../core/usage.ts';
import type { Service } from '../endpoints/endpoint.ts';
import type { EndpointMatch } from '../endpoints/registry.ts';
import type { CallContext, ClientCall, Provider, UpstreamRequest } from '../providers/provider.ts';
import { PROVIDERS, providerFor } from '../providers/registry.ts';
import { decide } from '../router/decide.ts';
import type { HealthTable } from '../router/health.ts';
import type { LoadTable } from '../router/load.ts';
import {
  type Attempt as AttemptTry,
  type Decision,
  groupSizeOf,
  planRoute,
  type Route,
  type RouteError,
} from '../router/route.ts';
import type { ClientStream, ServerRequest, ServerResponse } from '../transport/server.ts';
import type { Upstream } from '../transport/upstream.ts';
import { type JsonBody, scanObject } from '../wire/json-splice.ts';
import type { ChatCompletion } from '../wire/openai/chat.ts';
import { Attempt, type AttemptEnd } from './attempt.ts';
import { authenticate } from './authenticate.ts';
import { withCredentials } from './client-credentials.ts';
import { compressed } from './compress.ts';
import { type Controls, readControls } from './controls.ts';
import { errorOf, exhaustedError, meterStatus, statusFor } from './failure.ts';
import {
  type AnswerFacts,
  addCors,
  addUpstreamHeaders,
  answerHeaders,
  clientLabel,
  forwardedHeaders,
} from './headers.ts';
import { mockAnswer, mockFailure } from './mock.ts';
import type { GatewayPorts, Lease, Principal } from './ports.ts';
import { bodyFault, jsonFault, refusalError, routeError } from './refusals.ts';
import type { Slots } from './slots.ts';

/** Bytes of a prompt for one token, for pre-call checks; English text has about four. */
const BYTES_PER_TOKEN = 4;

/** What all exchanges share. */
export interface ExchangeDependencies {
  readonly ports: GatewayPorts;
  readonly clock: Clock;
  readonly upstream: Upstream;
  readonly health: HealthTable;
  readonly load: LoadTable;
  readonly slots: Slots;
}

type AttemptDecision = Extract<Decision, { kind: 'attempt' }>;

/** What the client asked for, once everything about it is known to be sound. */
interface Accepted {
  readonly principal: Principal;
  readonly call: ClientCall;
  readonly controls: Controls;
  readonly model: string;
  readonly lease: Lease;
}

/**
 * One LLM request from its first byte to its record.
 *
 * received ─▶ authenticated ─▶ scanned ─▶ admitted ─▶ routed ─▶ attempt ⟲ ─▶ answered or streaming ─▶ settled
 *
 * 1. A body is read only for a caller we know.
 * 2. No database call stands between the request and its upstream; what is known comes from one snapshot.
 * 3. Attempts are made one after the other, as `decide` says; nobody else decides.
 * 4. Whatever the end, the lease is settled once and the ledger gets one entry.
 */
export class Exchange {
  readonly #deps: ExchangeDependencies;
  readonly #request: ServerRequest;
  readonly #match: EndpointMatch;
  readonly #snapshot: Snapshot;
  readonly #startedAt: Millis;
  readonly #startedWall: EpochMillis;
  readonly #requestId: RequestId;
  readonly #callId: string;
  readonly #attempts: AttemptTry[] = [];
  #accepted: Accepted | null = null;
  #route: Route | null = null;
  #model = '';
  #current: Attempt | null = null;
  #decision: AttemptDecision | null = null;
  #dropped: readonly string[] = [];
  #service: Service | null = null;
  /** Start of the attempt that runs, whose time is not ours. */
  #attemptStart: Millis | null = null;
  #firstByte: Millis | null = null;
  #isGone = false;
  #wake: (() => void) | null = null;
  #isSettled = false;

  constructor(deps: ExchangeDependencies, request: ServerRequest, match: EndpointMatch) {
    this.#deps = deps;
    this.#request = request;
    this.#match = match;
    this.#snapshot = deps.ports.snapshots.current();
    this.#startedAt = deps.clock.now();
    this.#startedWall = deps.clock.wall();
    this.#requestId = requestId(deps.ports.hexId());
    this.#callId = clientLabel(request.header('x-litellm-call-id')) ?? this.#requestId;
  }

  /** Runs the exchange; the promise settles with the answer, while a stream goes on afterwards. */
  async run(): Promise<ServerResponse> {
    const accepted = await this.#accept();
    if ('message' in accepted) return this.#refuse(accepted);
    this.#accepted = accepted;
    this.#request.onGone(() => this.#clientGone());

    const route = planRoute(this.#snapshot, this.#routeRequest(accepted), inferProvider);
    if (route.kind !== 'route') return this.#refuse(this.#explainRoute(route));
    this.#route = route;

    for (;;) {
      const { health, load, clock, ports } = this.#deps;
      const decision = decide(route, this.#attempts, health, load, clock.now(), ports.random);
      if (decision.kind === 'give-up') return this.#giveUp(route, decision.reason);
      this.#decision = decision;
      if (decision.delay > 0) await this.#sleep(decision);
      if (this.#isGone) return this.#gone();

      const startedAt = clock.now();
      this.#attemptStart = startedAt;
      const end = await this.#attempt(accepted, decision);
      if ('message' in end) return this.#refuse(end);
      if (end.kind === 'stream') return this.#streaming(end, decision, startedAt);
      const outcome =
        end.kind === 'failed' ? this.#withTotalLimit(end.outcome) : this.#replyOutcome(route, decision, end);
      const usage = end.kind === 'reply' ? end.reply.usage : null;
      this.#noteAttempt(decision, outcome, startedAt, usage);
      if (end.kind === 'reply' && outcome.kind === 'success') return this.#answer(end, accepted);
      if (outcome.kind === 'client-gone' || this.#isGone) return this.#gone();
    }
  }

  // Before the router.

  async #accept(): Promise<Accepted | GatewayError> {
    const { ports } = this.#deps;
    const principal = await authenticate(this.#request, this.#snapshot, ports.keys);
    if (principal.kind !== 'master') return principal;

    const bytes = await this.#request.readBody();
    if (!(bytes instanceof Uint8Array)) return bodyFault(bytes, this.#snapshot.server.maxRequestBytes);
    const body = scanObject(bytes);
    if (body.kind === 'fault') return jsonFault(body, bytes);

    const controls = readControls(this.#request, body, this.#snapshot.server.allowClientCredentials);
    if ('kind' in controls) return controls;
    const model = this.#requestedModel(body);
    if (typeof model !== 'string') return model;
    this.#model = model;
    const wrong = this.#match.endpoint.check(body) ?? this.#checkUser(controls);
    if (wrong !== null) return wrong;

    const lease = await ports.admission.admit({ principal, model, bodyBytes: bytes.length });
    if ('kind' in lease) return lease;
    return { principal, controls, model, lease, call: this.#clientCall(body, controls) };
  }

  #requestedModel(body: JsonBody): string | GatewayError {
    const { endpoint, pathModel } = this.#match;
    const { completionModel, embeddingModel } = this.#snapshot.server;
    const forced = endpoint.dialect === 'openai-embeddings' ? embeddingModel : completionModel;
    const model = forced ?? pathModel ?? (body.has('model') ? safeValue(body, 'model') : undefined);
    if (typeof model === 'string' && model !== '') return model;
    return gatewayError(
      'invalid-parameter',
      "The request has no 'model'. Name one of those that GET /v1/models lists.",
      {
        param: 'model',
      },
    );
  }

  #checkUser(controls: Controls): GatewayError | null {
    if (!this.#snapshot.server.requireUser || controls.user !== null) return null;
    return gatewayError(
      'missing-user',
      'BadRequest please pass param=user in request. general_settings.enforce_user_param is on.',
      {
        param: 'user',
      },
    );
  }

  #clientCall(body: JsonBody, controls: Controls): ClientCall {
    const isStreaming = body.has('stream') && safeValue(body, 'stream') === true;
    const options = isStreaming && body.has('stream_options') ? safeValue(body, 'stream_options') : null;
    const asked =
      typeof options === 'object' && options !== null && 'include_usage' in options && options.include_usage === true;
    return {
      dialect: this.#match.endpoint.dialect,
      body: edited(body, controls.removals),
      isStreaming,
      wantsUsage: asked || this.#snapshot.server.streamUsage === 'always',
    };
  }

  #routeRequest({ call, controls, model }: Accepted) {
    const estimate = this.#snapshot.routing.preCallChecks ? Math.ceil(call.body.bytes.length / BYTES_PER_TOKEN) : null;
    return {
      model,
      isStreaming: call.isStreaming,
      promptTokens: estimate,
      tags: controls.tags,
      controls: controls.routing,
      startedAt: this.#startedAt,
    };
  }

  #explainRoute(error: RouteError): GatewayError {
    return routeError(error, this.#match.endpoint.callType);
  }

  // One attempt.

  async #attempt(accepted: Accepted, decision: AttemptDecision): Promise<AttemptEnd | GatewayError> {
    const { deployment } = decision;
    const provider = PROVIDERS.get(deployment.provider);
    if (provider === undefined) throw new Error(`deployment ${deployment.id} names no registered provider`);
    const call = overridden(accepted.call, decision);
    const context = this.#context(accepted, decision, call);

    const mock = await this.#mocked(accepted, decision, context);
    if (mock !== null) return mock;

    const service = this.#match.endpoint.serve(provider, deployment, decision.model);
    if (service === null) return unsupportedEndpoint(provider, this.#match.endpoint.id);
    const adapted = service.adapt(call);
    if ('message' in adapted) return adapted;
    const request = service.facet.request(adapted, context);
    if (request.kind === 'refused') {
      return refusalError(request);
    }
    this.#dropped = request.dropped;
    this.#service = service;
    return this.#call(provider, service, request, { ...context, answer: request.answer ?? null }, decision);
  }

  async #call(
    provider: Provider,
    service: Service,
    request: UpstreamRequest,
    context: CallContext,
    decision: AttemptDecision,
  ): Promise<AttemptEnd> {
    const { slots, clock, upstream, load, health } = this.#deps;
    const { deployment, limits } = decision;
    const taken = slots.take(deployment, this.#snapshot.routing, minus(limits.deadline, clock.now()));
    const slot = taken instanceof Promise ? await taken : taken;
    if (slot === null) return { kind: 'failed', outcome: { kind: 'timeout', phase: 'total', limit: limits.deadline } };
    if (this.#isGone) {
      slot.release();
      return { kind: 'failed', outcome: { kind: 'client-gone' } };
    }
    health.begin(deployment, clock.now());
    load.begin(deployment.id, clock.now());
    const attempt = new Attempt(
      {
        provider,
        facet: service.facet,
        request,
        context,
        limits,
        encoder: this.#match.endpoint.encoder,
        passThrough: service.passThrough,
        maxResponseBytes: this.#snapshot.server.maxResponseBytes,
        keepAlive: this.#snapshot.server.keepAlive,
      },
      clock,
    );
    this.#current = attempt;
    const end = await attempt.start(upstream).done;
    if (end.kind === 'stream') void end.whole.then(() => slot.release());
    else slot.release();
    return end;
  }

  async #mocked(accepted: Accepted, decision: AttemptDecision, context: CallContext): Promise<AttemptEnd | null> {
    const { mock } = accepted.controls;
    const text = mock?.response ?? decision.deployment.mockResponse;
    if (mock !== null) {
      const failure = mockFailure(mock, {
        fallbacks: decision.fallbacks,
        isFirst: this.#attempts.length === 0,
        limit: decision.limits.firstByte,
      });
      if (failure?.kind === 'timeout') await this.#pause(decision.limits.firstByte);
      if (failure !== null) return { kind: 'failed', outcome: failure };
      if (mock.delay > 0) await this.#pause(mock.delay);
    }
    if (text === null || text === undefined) return null;
    return mockAnswer(text, mock?.toolCalls ?? null, context, {
      encoder: this.#match.endpoint.encoder,
      clock: this.#deps.clock,
      keepAlive: this.#snapshot.server.keepAlive,
    });
  }

  #context(accepted: Accepted, decision: AttemptDecision, call: ClientCall): CallContext {
    const { server } = this.#snapshot;
    return {
      deployment: withCredentials(decision.deployment, accepted.controls.credentials),
      model: decision.model,
      requestedModel: accepted.model,
      id: this.#deps.ports.hexId(),
      created: Math.floor(this.#startedWall / 1000),
      isStreaming: call.isStreaming,
      wantsUsage: call.wantsUsage,
      askUsage: server.streamUsage !== 'never',
      dropParams: accepted.controls.dropParams ?? decision.deployment.dropParams ?? server.dropParams,
      modifyParams: server.modifyParams,
      forwardedHeaders: forwardedHeaders(this.#request, this.#snapshot, this.#attempts.length === 0),
      answer: null,
    };
  }

  /** Health, load, metrics and the list of attempts hear of an attempt's end here and nowhere else. */
  #noteAttempt(decision: AttemptDecision, outcome: Outcome, startedAt: Millis, usage: Usage | null = null): void {
    const { clock, health, load, ports } = this.#deps;
    const { deployment, group } = decision;
    const endedAt = clock.now();
    const duration = minus(endedAt, startedAt);
    this.#attempts.push({ deployment, group, outcome, startedAt, endedAt, delay: decision.delay });
    this.#attemptStart = null;
    // Mocked attempts called nobody.
    if (this.#current === null) return;
    this.#current = null;
    // A call with the client's own credential says nothing about ours.
    const told: Outcome = this.#accepted?.controls.credentials == null ? outcome : { kind: 'client-gone' };
    const { routing } = this.#snapshot;
    const groupSize = this.#route === null ? 1 : groupSizeOf(this.#route, group);
    const wasReady = health.isReady(deployment.id, endedAt);
    health.record(deployment, groupSize, told, routing, endedAt);
    if (wasReady && !health.isReady(deployment.id, endedAt)) ports.meters.benched(deployment.id);
    const sample = {
      outcome: told,
      elapsed: duration,
      firstToken: this.#firstByte,
      completionTokens: usage?.output ?? null,
      totalTokens: usage === null ? null : usage.input + usage.output,
    };
    load.end(deployment.id, sample, routing, endedAt);
    ports.meters.attempt({
      deployment: deployment.id,
      group,
      provider: deployment.provider,
      outcome: outcome.kind,
      status: meterStatus(outcome),
      duration,
    });
  }

  /** A filtered answer is a refusal when the operator set a chain for those, else an answer like any other (LiteLLM). */
  #replyOutcome(route: Route, decision: AttemptDecision, end: Extract<AttemptEnd, { kind: 'reply' }>): Outcome {
    const leg = route.legs.find((each) => each.group === decision.group);
    if (end.reply.finish !== 'content-filter' || leg === undefined || leg.contentChain === null)
      return { kind: 'success' };
    const message = 'The answer was cut by the content filter of the provider.';
    return {
      kind: 'rejected',
      reason: 'content-policy',
      words: { status: 400, message, type: null, param: null, code: 'content_filter' },
    };
  }

  #withTotalLimit(outcome: Failure): Failure {
    if (outcome.kind !== 'timeout' || outcome.phase !== 'total' || this.#route === null) return outcome;
    return { ...outcome, limit: minus(this.#route.deadline, this.#startedAt) };
  }

  // Endings.

  async #answer(end: Extract<AttemptEnd, { kind: 'reply' }>, accepted: Accepted): Promise<ServerResponse> {
    const { encoder } = this.#match.endpoint;
    const { reply } = end;
    this.#firstByte = minus(this.#deps.clock.now(), this.#startedAt);
    const headers = this.#headers('application/json');
    addUpstreamHeaders(headers, end.head);
    addCors(headers, this.#request, this.#snapshot);
    this.#settle('success', 200, reply.usage);
    this.#meterFallback(true);
    const bytes = reply.kind === 'chat' ? encoder.reply(reply.chat) : this.#inClientDialect(reply.body, accepted);
    const sent = await compressed(this.#request, headers, bytes);
    return whole(200, sent.headers, sent.body);
  }

  /** The answering facet's bytes when they are what this client speaks, else translated from the hub. */
  #inClientDialect(body: Uint8Array, { call }: Accepted): Uint8Array {
    if (this.#service === null || this.#service.facet.speaks === call.dialect) return body;
    return this.#match.endpoint.encoder.reply(parseChat(body));
  }

  #streaming(
    end: Extract<AttemptEnd, { kind: 'stream' }>,
    decision: AttemptDecision,
    startedAt: Millis,
  ): ServerResponse {
    this.#firstByte = minus(this.#deps.clock.now(), this.#startedAt);
    const headers = this.#headers('text/event-stream; charset=utf-8');
    headers.push(['cache-control', 'no-cache, no-transform'], ['x-accel-buffering', 'no']);
    addUpstreamHeaders(headers, end.head);
    addCors(headers, this.#request, this.#snapshot);
    this.#meterFallback(true);
    // A probe that answers is over for others who wait; whether the stream succeeds is known at its end.
    if (this.#current !== null) this.#deps.health.answered(decision.deployment, this.#deps.clock.now());
    void end.whole.then(({ failure }) => {
      const outcome: Outcome = failure === null ? { kind: 'success' } : this.#withTotalLimit(failure);
      const usage = end.relay.latestUsage;
      this.#noteAttempt(decision, outcome, startedAt, usage);
      if (outcome.kind === 'success') end.relay.finish(null);
      else if (outcome.kind !== 'client-gone') end.relay.finish(this.#errorEvent(outcome, decision.deployment));
      this.#settle(streamEnd(outcome), 200, usage);
    });
    return { kind: 'stream', status: 200, headers, start: (stream: ClientStream) => end.relay.attach(stream) };
  }

  #errorEvent(outcome: Failure, deployment: Deployment): Uint8Array {
    const error = errorOf(outcome, providerName(deployment));
    return this.#match.endpoint.encoder.errorEvent(error, statusFor(error, this.#snapshot.server.errorProfile));
  }

  #giveUp(route: Route, reason: Extract<Decision, { kind: 'give-up' }>['reason']): ServerResponse {
    this.#meterFallback(false);
    const last = this.#attempts.at(-1)?.outcome;
    const isFinal = reason === 'final-outcome' && last !== undefined && verdict(last).elsewhere !== 'fallback';
    const name = (attempt: AttemptTry) => providerName(attempt.deployment);
    const groups = route.legs.slice(1).map((leg) => leg.group);
    return this.#refuse(exhaustedError(this.#attempts, this.#model, groups, isFinal ? 'last' : 'first', name));
  }

  #refuse(error: GatewayError): ServerResponse {
    const status = statusFor(error, this.#snapshot.server.errorProfile);
    const headers = this.#headers('application/json');
    if (error.retryAfter !== null && error.retryAfter > 0) {
      headers.push(['retry-after', String(Math.max(1, Math.ceil(error.retryAfter / 1000)))]);
    }
    if (status === 413 || status === 408) headers.push(['connection', 'close']);
    addCors(headers, this.#request, this.#snapshot);
    this.#settle('failure', status, null);
    return whole(status, headers, this.#match.endpoint.encoder.error(error, status));
  }

  /** Nobody is left to read it: nginx's 499 for the record. */
  #gone(): ServerResponse {
    this.#settle('client-gone', 499, null);
    return { kind: 'whole', status: 499, headers: [], body: null };
  }

  #clientGone(): void {
    this.#isGone = true;
    this.#current?.abandon();
    this.#wake?.();
  }

  async #sleep(decision: AttemptDecision): Promise<void> {
    const last = this.#attempts.at(-1)?.outcome;
    this.#deps.ports.log.retryDelay({
      callId: this.#callId,
      deployment: decision.deployment.id,
      delay: decision.delay,
      reason: last === undefined ? '' : describe(last),
    });
    await this.#pause(decision.delay);
  }

  /** Waits, but not for a client that left. */
  #pause(delay: Millis): Promise<void> {
    if (this.#isGone) return Promise.resolve();
    return new Promise((resolve) => {
      const timer: Timer = this.#deps.clock.after(delay, () => resolve());
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #meterFallback(worked: boolean): void {
    const decision = this.#decision;
    if (decision === null || decision.fallbacks === 0) return;
    this.#deps.ports.meters.fallback({ from: this.#model, to: decision.group, worked });
  }

  #headers(contentType: string): HeaderPair[] {
    const decision = this.#decision;
    const duration = minus(this.#deps.clock.now(), this.#startedAt);
    const facts: AnswerFacts = {
      callId: this.#callId,
      echoedId: clientLabel(this.#request.header('x-request-id')) ?? this.#requestId,
      modelId: decision?.deployment.id ?? null,
      modelGroup: decision?.group ?? null,
      apiBase: decision === null ? null : apiBase(decision.deployment),
      provider: decision?.deployment.provider ?? null,
      retries: decision?.retries ?? 0,
      maxRetries: this.#route?.request.controls.numRetries ?? this.#route?.settings.numRetries ?? null,
      fallbacks: decision?.fallbacks ?? 0,
      timeout: decision?.limits.firstByte ?? null,
      duration,
      overhead: this.#overhead(duration),
      dropped: this.#dropped,
    };
    return answerHeaders(facts, contentType);
  }

  /** What of the time so far was neither a provider's nor a sleep. */
  #overhead(duration: Millis): Millis {
    let elsewhere = this.#attemptStart === null ? 0 : this.#startedAt + duration - this.#attemptStart;
    for (const attempt of this.#attempts) elsewhere += attempt.endedAt - attempt.startedAt + attempt.delay;
    return millis(Math.max(0, duration - elsewhere));
  }

  #settle(end: RequestEnd, status: number, usage: Usage | null): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#accepted?.lease.settle(usage);
    const decision = end === 'failure' ? null : this.#decision;
    const duration = minus(this.#deps.clock.now(), this.#startedAt);
    this.#deps.ports.ledger.record({
      requestId: this.#requestId,
      callId: this.#callId,
      principal: this.#accepted?.principal.kind ?? 'unknown',
      endpoint: this.#match.endpoint.id,
      requestedModel: this.#model,
      group: decision?.group ?? null,
      deployment: decision?.deployment.id ?? null,
      provider: decision?.deployment.provider ?? null,
      model: decision?.model ?? null,
      isStreaming: this.#accepted?.call.isStreaming ?? false,
      end,
      status,
      usage,
      startedAt: this.#startedWall,
      duration,
      overhead: this.#overhead(duration),
      firstByte: this.#firstByte,
      attempts: this.#attempts.map((attempt) => ({
        deployment: attempt.deployment.id,
        group: attempt.group,
        outcome: describe(attempt.outcome),
        delay: attempt.delay,
        duration: minus(attempt.endedAt, attempt.startedAt),
      })),
      user: this.#accepted?.controls.user ?? null,
      tags: this.#accepted?.controls.tags ?? [],
    });
  }
}

function whole(status: number, headers: readonly HeaderPair[], body: Uint8Array | string): ServerResponse {
  return { kind: 'whole', status, headers, body };
}

function safeValue(body: JsonBody, key: string): unknown {
  try {
    return body.value(key);
  } catch {
    return undefined;
  }
}

function edited(body: JsonBody, edits: Parameters<JsonBody['splice']>[0]): JsonBody {
  if (edits.length === 0) return body;
  const result = scanObject(body.splice(edits));
  // Editing an object that was scanned gives an object.
  if (result.kind === 'fault') throw new Error(`edited body is not an object: ${result.message}`);
  return result;
}

/** The call as a client's fallback entry changes it for this target. */
function overridden(call: ClientCall, decision: AttemptDecision): ClientCall {
  if (decision.overrides === null) return call;
  const edits = Object.entries(decision.overrides).map(
    ([key, value]) => ({ kind: 'set', key, raw: JSON.stringify(value) }) as const,
  );
  return { ...call, body: edited(call.body, edits) };
}

function parseChat(body: Uint8Array): ChatCompletion {
  // The facet has read this answer and found a chat completion.
  return JSON.parse(Buffer.from(body).toString('utf8')) as ChatCompletion;
}

function providerName(deployment: Deployment): string {
  return PROVIDERS.get(deployment.provider)?.name ?? deployment.provider;
}

/** Whose model a bare name is: a request for `gpt-4o` may match the group `openai/*`. */
function inferProvider(model: string): string | null {
  return providerFor(model, null)?.provider.id ?? null;
}

function apiBase(deployment: Deployment): string | null {
  const base = deployment.upstream.baseUrl ?? PROVIDERS.get(deployment.provider)?.defaults.baseUrl ?? null;
  return base?.split('?', 1)[0] ?? null;
}

function streamEnd(outcome: Outcome): RequestEnd {
  if (outcome.kind === 'success') return 'success';
  return outcome.kind === 'client-gone' ? 'client-gone' : 'broken-stream';
}

function unsupportedEndpoint(provider: Provider, endpoint: string): GatewayError {
  return gatewayError(
    'unsupported-endpoint',
    `${provider.name} does not serve ${endpoint}. Choose a model of a provider that does.`,
  );
}
