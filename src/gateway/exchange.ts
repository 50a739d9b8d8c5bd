import type { Timer } from '../core/clock.ts';
import { type GatewayError, gatewayError } from '../core/errors.ts';
import type { HeaderPair } from '../core/http.ts';
import { requestId } from '../core/ids.ts';
import type { RequestEnd } from '../core/ledger-entry.ts';
import { describe, type Failure, type Outcome, verdict } from '../core/outcome.ts';
import type { Deployment, Snapshot } from '../core/snapshot.ts';
import { type Soon, whenThere } from '../core/soon.ts';
import { continueTrace } from '../core/trace-context.ts';
import { type Millis, millis, minus } from '../core/units.ts';
import type { Usage } from '../core/usage.ts';
import type { Service } from '../endpoints/endpoint.ts';
import type { EndpointMatch } from '../endpoints/registry.ts';
import type { CallContext } from '../providers/provider.ts';
import { decide } from '../router/decide.ts';
import type { Attempt as AttemptTry, Decision, Route } from '../router/route.ts';
import type { ClientStream, ServerRequest, ServerResponse } from '../transport/server.ts';
import type { ChatCompletion } from '../wire/openai/chat.ts';
import { type Accepted, accept } from './accept.ts';
import { Attempt, type AttemptEnd } from './attempt.ts';
import { addCost } from './billing.ts';
import { compressed } from './compress.ts';
import { conclude } from './conclude.ts';
import type { ExchangeDependencies } from './dependencies.ts';
import { errorOf, exhaustedError, meterStatus, statusFor } from './failure.ts';
import { addCors, addRetryAfter, addUpstreamHeaders, answerHeaders, clientLabel } from './headers.ts';
import { inferProvider } from './infer-provider.ts';
import { mockAnswer, mockFailure } from './mock.ts';
import { planCounted, withPermitted } from './plan.ts';
import { callContext, type Prepared, prepare, providerName, type Target } from './prepare.ts';
import { routeError } from './refusals.ts';
import type { Slot, Ticket } from './slots.ts';
import { type AttemptDecision, Story } from './story.ts';

/**
 * One LLM request from its first byte to its record.
 *
 * received ─▶ authenticated ─▶ scanned ─▶ admitted ─▶ routed ─▶ attempt ⟲ ─▶ answered or streaming ─▶ settled
 *
 * 1. A body is read only for a caller we know.
 * 2. No database call stands between the request and its upstream; what is known comes from one snapshot.
 * 3. Attempts are made one after the other, as `decide` says; nobody else decides.
 * 4. The ledger is told before the first call. Whatever the end, the lease is settled once and the ledger gets one entry.
 * 5. While an answer streams nothing holds the prompt. So what outlives `#run` and `#call` is no closure made in them:
 *    one made in an async function keeps all its variables.
 */
export class Exchange {
  readonly #deps: ExchangeDependencies;
  readonly #onSettled: () => void;
  readonly #request: ServerRequest;
  readonly #match: EndpointMatch;
  readonly #snapshot: Snapshot;
  readonly #story: Story;
  #service: Service | null = null;
  #current: Attempt | null = null;
  #isGone = false;
  #isStopping = false;
  #wake: (() => void) | null = null;
  #isBegun = false;
  #isSettled = false;

  /** @param onSettled called once, when the answer is over: for a stream, when it has ended */
  constructor(
    deps: ExchangeDependencies,
    request: ServerRequest,
    match: EndpointMatch,
    onSettled: () => void = () => {},
  ) {
    this.#deps = deps;
    this.#onSettled = onSettled;
    this.#request = request;
    this.#match = match;
    this.#snapshot = deps.ports.snapshots.current();
    const id = requestId(deps.ports.hexId());
    const names = {
      requestId: id,
      callId: clientLabel(request.header('x-litellm-call-id')) ?? id,
      echoedId: clientLabel(request.header('x-request-id')) ?? id,
    };
    const { sampling } = this.#snapshot.telemetry;
    const trace =
      sampling === null
        ? null
        : continueTrace(id, request.header('traceparent'), request.header('tracestate'), sampling);
    this.#story = new Story(names, match.endpoint.id, deps.clock, request.remoteAddress(), trace);
  }

  /** Runs the exchange; the promise settles with the answer, while a stream goes on afterwards. Never rejects. */
  run(): Promise<ServerResponse> {
    return this.#run().catch((error) => this.#crashed(error));
  }

  /** The gateway ends before the answer does: a stream gets its error event, who waits for an answer a refusal. */
  stop(): void {
    this.#isStopping = true;
    this.#current?.giveUp({ kind: 'timeout', phase: 'total', limit: millis(0) });
    this.#wake?.();
  }

  async #run(): Promise<ServerResponse> {
    const acceptance = accept(this.#request, this.#match, this.#snapshot, this.#deps.ports);
    const accepted = acceptance instanceof Promise ? await acceptance : acceptance;
    const story = this.#story;
    story.model = accepted.model;
    if (accepted.kind === 'client-gone') return this.#gone();
    if (accepted.kind === 'not-accepted') {
      story.refusedTo = accepted.principal;
      return this.#refuse(accepted.error);
    }
    story.accepted = accepted;
    this.#request.onGone(this.#clientGone);

    const planned = this.#plan(accepted);
    const route = withPermitted(planned instanceof Promise ? await planned : planned, accepted.lease);
    if (route.kind !== 'route') return this.#refuse(routeError(route, this.#match.endpoint.callType));
    story.route = route;

    for (;;) {
      const { health, load, clock, ports } = this.#deps;
      const decision = decide(route, story.attempts, health, load, clock.now(), ports.random);
      if (decision.kind === 'give-up') return this.#giveUp(route, decision.reason);
      story.decision = decision;
      if (decision.delay > 0) await this.#sleep(decision);
      if (this.#isGone) return this.#gone();
      if (this.#isStopping) return this.#refuse(shuttingDown());

      const first = await this.#try(accepted, decision);
      const refusal = this.#usageRefusal(accepted, decision, first);
      const end = refusal === null ? first : await this.#tryAgain(accepted, decision, refusal);
      if ('message' in end) return this.#refuse(end);
      if (end.kind === 'stream') return this.#streaming(end, decision);
      const outcome =
        end.kind === 'failed' ? this.#withTotalLimit(end.outcome) : this.#replyOutcome(route, decision, end);
      const usage = end.kind === 'reply' ? end.reply.usage : null;
      this.#noteAttempt(decision, outcome, usage);
      if (end.kind === 'reply' && outcome.kind === 'success') return this.#answer(end, accepted);
      if (this.#isGone) return this.#gone();
      if (this.#isStopping) return this.#refuse(shuttingDown());
      if (outcome.kind === 'client-gone') return this.#gone();
    }
  }

  #plan({ call, controls, lease }: Accepted) {
    const request = {
      model: lease.model,
      isStreaming: call.isStreaming,
      promptTokens: null,
      tags: lease.tags,
      controls: controls.routing,
      startedAt: this.#story.startedAt,
    };
    return planCounted({ snapshot: this.#snapshot, request, call, inferProvider }, this.#deps.ports.tokens);
  }

  // One attempt.

  /** The client did not ask for what was refused: then the same deployment gets the request without it. */
  #usageRefusal({ call }: Accepted, { deployment }: AttemptDecision, end: AttemptEnd | GatewayError): Failure | null {
    if ('message' in end || end.kind !== 'failed') return null;
    return this.#deps.usageRefusals.learn(deployment.id, call, end.outcome) ? end.outcome : null;
  }

  async #tryAgain(accepted: Accepted, decision: AttemptDecision, refusal: Failure): Promise<AttemptEnd | GatewayError> {
    this.#noteAttempt(decision, refusal);
    return this.#try(accepted, { ...decision, delay: millis(0) });
  }

  #try(accepted: Accepted, decision: AttemptDecision): Soon<AttemptEnd | GatewayError> {
    this.#story.begin();
    const target = { accepted, decision, match: this.#match, snapshot: this.#snapshot };
    const mayAsk = this.#deps.usageRefusals.mayAsk(decision.deployment.id);
    const context = callContext(target, this.#request, this.#story, {
      id: this.#deps.ports.hexId(),
      mayAskUsage: mayAsk,
    });
    const isMocked = accepted.controls.mock !== null || decision.deployment.mockResponse !== null;
    const mocked = isMocked ? this.#mocked(accepted, decision, context) : null;
    return whenThere(mocked, (mock) => mock ?? this.#send(target, context));
  }

  #send(target: Target, context: CallContext): Soon<AttemptEnd | GatewayError> {
    const prepared = prepare(target, context);
    if ('message' in prepared) return prepared;
    const { decision } = target;
    this.#story.dropped = prepared.request.dropped;
    this.#service = prepared.service;
    const { slots, clock } = this.#deps;
    const patience = minus(decision.limits.deadline, clock.now());
    const taken = slots.take(decision.deployment, this.#snapshot.routing, patience);
    const place = taken.kind === 'slot' ? taken : this.#queued(taken);
    return whenThere(place, (slot) => this.#call(prepared, decision, slot));
  }

  #call(
    { provider, service, request, context }: Prepared,
    decision: AttemptDecision,
    slot: Slot | null,
  ): Soon<AttemptEnd> {
    const { clock, upstream, load, health } = this.#deps;
    const { deployment, limits } = decision;
    if (this.#isGone || this.#isStopping) {
      slot?.release();
      return { kind: 'failed', outcome: { kind: 'client-gone' } };
    }
    if (slot === null) return { kind: 'failed', outcome: { kind: 'timeout', phase: 'total', limit: limits.deadline } };
    this.#begin();
    health.begin(deployment, clock.now());
    load.begin(deployment.id, clock.now());
    const attempt = new Attempt(
      {
        provider,
        facet: service.facet,
        context,
        limits,
        encoder: this.#match.endpoint.encoder,
        passThrough: service.passThrough,
        maxResponseBytes: this.#snapshot.server.maxResponseBytes,
        keepAlive: this.#snapshot.server.keepAlive,
        report: this.#report,
      },
      clock,
    );
    this.#current = attempt;
    return holding(slot, attempt.start(upstream, request).done);
  }

  /** Before the first call: from here on the request leaves a trace, whatever becomes of this process. */
  #begin(): void {
    const { accepted } = this.#story;
    if (this.#isBegun || accepted === null) return;
    this.#isBegun = true;
    this.#deps.ports.ledger.begin(this.#story.begun(accepted));
  }

  /** Waits for a place, but not for a client that left. */
  #queued(ticket: Ticket): Promise<Slot | null> {
    if (this.#isGone || this.#isStopping) ticket.leave();
    this.#wake = () => ticket.leave();
    return ticket.slot;
  }

  async #mocked(accepted: Accepted, decision: AttemptDecision, context: CallContext): Promise<AttemptEnd | null> {
    const { mock } = accepted.controls;
    const text = mock?.response ?? decision.deployment.mockResponse;
    if (mock !== null) {
      const failure = mockFailure(mock, {
        fallbacks: decision.fallbacks,
        isFirst: this.#story.attempts.length === 0,
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

  #noteAttempt(decision: AttemptDecision, outcome: Outcome, usage: Usage | null = null): void {
    const wasCalled = this.#current !== null;
    this.#current = null;
    conclude(this.#deps, this.#story, this.#snapshot.routing, { decision, outcome, usage, wasCalled });
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
    const { route, startedAt } = this.#story;
    if (outcome.kind !== 'timeout' || outcome.phase !== 'total' || route === null) return outcome;
    return { ...outcome, limit: millis(Math.round(minus(route.deadline, startedAt))) };
  }

  // Endings.

  #answer(end: Extract<AttemptEnd, { kind: 'reply' }>, accepted: Accepted): Soon<ServerResponse> {
    const { encoder } = this.#match.endpoint;
    const { reply } = end;
    this.#story.answerBegins();
    const headers = answerHeaders(this.#story.facts(), 'application/json');
    addCost(headers, this.#story.billed(reply.usage, this.#snapshot));
    addUpstreamHeaders(headers, end.head);
    headers.push(...accepted.lease.headers());
    addCors(headers, this.#request, this.#snapshot);
    const bytes = reply.kind === 'chat' ? encoder.reply(reply.chat) : this.#inClientDialect(reply.body, accepted);
    this.#story.answered(bytes);
    this.#settle('success', 200, reply.usage);
    this.#meterFallback(true);
    return whenThere(compressed(this.#request, headers, bytes), (sent) => whole(200, sent.headers, sent.body));
  }

  /** The answering facet's bytes when they are what this client speaks, else translated from the hub. */
  #inClientDialect(body: Uint8Array, { call }: Accepted): Uint8Array {
    if (this.#service === null || this.#service.facet.speaks === call.dialect) return body;
    return this.#match.endpoint.encoder.reply(parseChat(body));
  }

  #streaming(end: Extract<AttemptEnd, { kind: 'stream' }>, decision: AttemptDecision): ServerResponse {
    this.#story.answerBegins();
    this.#story.forgetBody();
    // An upstream may answer before it was sent everything; what is still being written must stay.
    if (this.#current === null || this.#current.hasSent) this.#request.forgetBody();
    const headers = answerHeaders(this.#story.facts(), 'text/event-stream; charset=utf-8');
    headers.push(['cache-control', 'no-cache, no-transform'], ['x-accel-buffering', 'no']);
    addUpstreamHeaders(headers, end.head);
    if (this.#story.accepted !== null) headers.push(...this.#story.accepted.lease.headers());
    addCors(headers, this.#request, this.#snapshot);
    this.#meterFallback(true);
    // A probe that answers is over for others who wait; whether the stream succeeds is known at its end.
    if (this.#current !== null) this.#deps.health.answered(decision.deployment, this.#deps.clock.now());
    const ended = end.whole.then(({ failure }) => {
      const outcome: Outcome = failure === null ? { kind: 'success' } : this.#withTotalLimit(failure);
      const usage = end.relay.latestUsage;
      this.#noteAttempt(decision, outcome, usage);
      if (outcome.kind === 'success') end.relay.finish(null);
      else if (outcome.kind !== 'client-gone') end.relay.finish(this.#errorEvent(outcome, decision.deployment));
      this.#story.responseId = end.relay.responseId;
      this.#settle(streamEnd(outcome), 200, usage);
    });
    ended.catch((error) => {
      this.#report(error);
      end.relay.abandon();
      this.#settle('broken-stream', 200, null);
    });
    return { kind: 'stream', status: 200, headers, start: (stream: ClientStream) => end.relay.attach(stream) };
  }

  #errorEvent(outcome: Failure, deployment: Deployment): Uint8Array {
    const error = this.#isStopping ? shuttingDown() : errorOf(outcome, providerName(deployment));
    const status = statusFor(error, this.#snapshot.server.errorProfile);
    this.#story.failed(error, status);
    return this.#match.endpoint.encoder.errorEvent(error, status);
  }

  #giveUp(route: Route, reason: Extract<Decision, { kind: 'give-up' }>['reason']): ServerResponse {
    this.#meterFallback(false);
    const last = this.#story.attempts.at(-1)?.outcome;
    const isFinal = reason === 'final-outcome' && last !== undefined && verdict(last).elsewhere !== 'fallback';
    const name = (attempt: AttemptTry) => providerName(attempt.deployment);
    const groups = route.legs.slice(1).map((leg) => leg.group);
    return this.#refuse(
      exhaustedError(this.#story.attempts, this.#story.model, groups, isFinal ? 'last' : 'first', name),
    );
  }

  #refuse(error: GatewayError): ServerResponse {
    const status = statusFor(error, this.#snapshot.server.errorProfile);
    const headers = answerHeaders(this.#story.facts(), 'application/json');
    addRetryAfter(headers, error);
    headers.push(...error.headers);
    addCors(headers, this.#request, this.#snapshot);
    this.#story.failed(error, status);
    this.#settle('failure', status, null);
    return whole(status, headers, this.#match.endpoint.encoder.error(error, status));
  }

  /** A fault of ours: the client gets the envelope that it can read, and the books are closed all the same. */
  #crashed(error: unknown): ServerResponse {
    this.#report(error);
    this.#current?.abandon();
    const decision = this.#story.decision;
    if (this.#current !== null && decision !== null) this.#noteAttempt(decision, { kind: 'client-gone' });
    const failure = gatewayError('internal', 'The gateway failed on this request. Its log has the details.');
    this.#story.failed(failure, 500);
    this.#settle('failure', 500, null);
    const headers: HeaderPair[] = [
      ['content-type', 'application/json'],
      ['x-request-id', this.#story.names.echoedId],
      ['x-litellm-call-id', this.#story.names.callId],
    ];
    addCors(headers, this.#request, this.#snapshot);
    return whole(500, headers, this.#match.endpoint.encoder.error(failure, 500));
  }

  readonly #report = (error: unknown): void => {
    this.#deps.ports.log.internalError({ callId: this.#story.names.callId, error });
  };

  /** Nobody is left to read it: nginx's 499 for the record. */
  #gone(): ServerResponse {
    this.#settle('client-gone', 499, null);
    return { kind: 'whole', status: 499, headers: [], body: null };
  }

  readonly #clientGone = (): void => {
    this.#isGone = true;
    this.#current?.abandon();
    this.#wake?.();
  };

  async #sleep(decision: AttemptDecision): Promise<void> {
    const last = this.#story.attempts.at(-1)?.outcome;
    this.#deps.ports.log.retryDelay({
      callId: this.#story.names.callId,
      deployment: decision.deployment.id,
      delay: decision.delay,
      reason: last === undefined ? '' : describe(last),
    });
    await this.#pause(decision.delay);
  }

  /** Waits, but not for a client that left. */
  #pause(delay: Millis): Promise<void> {
    if (this.#isGone || this.#isStopping) return Promise.resolve();
    return new Promise((resolve) => {
      const timer: Timer = this.#deps.clock.after(delay, () => resolve());
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #meterFallback(worked: boolean): void {
    const { decision, model, accepted, attempts } = this.#story;
    if (decision === null || decision.fallbacks === 0) return;
    const cause = attempts[0]?.outcome ?? null;
    this.#deps.ports.meters.fallback({
      ...{ from: model, to: decision.group, worked, deployment: decision.deployment },
      principal: accepted?.principal ?? null,
      cause: cause?.kind ?? null,
      status: cause === null ? null : meterStatus(cause),
    });
  }

  #settle(end: RequestEnd, status: number, usage: Usage | null): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#onSettled();
    this.#request.forgetBody();
    const bill = this.#story.billed(usage, this.#snapshot);
    this.#story.accepted?.lease.settle(usage, bill?.cost ?? null);
    this.#deps.ports.ledger.record(this.#story.entry(end, status, usage), this.#story.traced());
  }
}

/**
 * Gives the slot back when the attempt is over, or the stream that came of it.
 *
 * Not closures in `#call`: those would keep all its variables, among them the request's body.
 */
function holding(slot: Slot, done: Promise<AttemptEnd>): Promise<AttemptEnd> {
  if (!slot.isCounted) return done;
  return done.then((end) => {
    if (end.kind === 'stream') void end.whole.then(() => slot.release());
    else slot.release();
    return end;
  });
}

function shuttingDown(): GatewayError {
  return gatewayError('shutting-down', 'The gateway is shutting down. Send the request again.');
}

function whole(status: number, headers: readonly HeaderPair[], body: Uint8Array | string): ServerResponse {
  return { kind: 'whole', status, headers, body };
}

function parseChat(body: Uint8Array): ChatCompletion {
  // The facet has read this answer and found a chat completion.
  return JSON.parse(Buffer.from(body).toString('utf8')) as ChatCompletion;
}

function streamEnd(outcome: Outcome): RequestEnd {
  if (outcome.kind === 'success') return 'success';
  return outcome.kind === 'client-gone' ? 'client-gone' : 'broken-stream';
}
