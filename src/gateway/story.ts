import { withoutCredentials } from '../core/address.ts';
import type { Clock } from '../core/clock.ts';
import type { Bill } from '../core/cost.ts';
import type { GatewayError } from '../core/errors.ts';
import type { HeaderPair } from '../core/http.ts';
import type { Principal } from '../core/identity.ts';
import type { RequestId } from '../core/ids.ts';
import {
  type BegunRequest,
  type FailureRecord,
  type LedgerEntry,
  MOST_FAILURE_TEXT,
  type RequestEnd,
} from '../core/ledger-entry.ts';
import { describe, type Outcome, statusOf } from '../core/outcome.ts';
import { NO_PAYER, type Payer } from '../core/payer.ts';
import type { Deployment, Snapshot } from '../core/snapshot.ts';
import { type RequestTrace, type TraceContext, traceparentOf } from '../core/trace-context.ts';
import { type EpochMillis, type Millis, millis, minus } from '../core/units.ts';
import type { Usage } from '../core/usage.ts';
import { baseUrlOf, PROVIDERS } from '../providers/registry.ts';
import type { Attempt, Decision, Route } from '../router/route.ts';
import { type JsonBody, scanObject } from '../wire/json-splice.ts';
import type { Accepted } from './accept.ts';
import { billOf } from './billing.ts';
import type { AnswerFacts } from './headers.ts';
import { responseIdIn } from './response-id.ts';

export type AttemptDecision = Extract<Decision, { kind: 'attempt' }>;

const NO_HEADERS: readonly HeaderPair[] = [];
const NO_BODY = scanObject(Buffer.from('{}')) as JsonBody; // it is an object

/** Names of one request: ours, the client's label, and what `x-request-id` says. */
export interface RequestNames {
  readonly requestId: RequestId;
  readonly callId: string;
  readonly echoedId: string;
}

/**
 * What has happened to one request so far: the source of its headers and of its ledger entry.
 *
 * Only remembers; the exchange decides.
 */
export class Story {
  readonly names: RequestNames;
  readonly startedAt: Millis;
  readonly attempts: Attempt[] = [];
  /** The model name that the client sent, as far as reading got. */
  model = '';
  accepted: Accepted | null = null;
  /** Who asked and was not accepted. */
  refusedTo: Principal | null = null;
  route: Route | null = null;
  /** The latest decision to try a deployment. */
  decision: AttemptDecision | null = null;
  dropped: readonly string[] = [];
  /** What the answer is billed; null while there is none. */
  bill: Bill | null = null;
  /** From arrival to the first byte for the client. */
  firstByte: Millis | null = null;
  /** The id in the answer, once it is known. */
  responseId: string | null = null;
  #failure: FailureRecord | null = null;
  readonly #startedWall: EpochMillis;
  readonly #clock: Clock;
  readonly #endpoint: string;
  readonly #requesterAddress: string | null;
  readonly #trace: TraceContext | null;
  /** Start of the attempt that runs, whose time is not ours. */
  #attemptStart: Millis | null = null;

  /** @param trace null when nobody wants spans */
  constructor(
    names: RequestNames,
    endpoint: string,
    clock: Clock,
    requesterAddress: string | null,
    trace: TraceContext | null = null,
  ) {
    this.names = names;
    this.#trace = trace;
    this.#requesterAddress = requesterAddress;
    this.#endpoint = endpoint;
    this.#clock = clock;
    this.startedAt = clock.now();
    this.#startedWall = clock.wall();
  }

  /** Unix seconds of the arrival. */
  get created(): number {
    return Math.floor(this.#startedWall / 1000);
  }

  /** An attempt starts. */
  begin(): void {
    this.#attemptStart = this.#clock.now();
  }

  /** The attempt that was begun is over. */
  end({ deployment, group, delay }: AttemptDecision, outcome: Outcome): Attempt {
    const endedAt = this.#clock.now();
    const attempt = { deployment, group, outcome, startedAt: this.#attemptStart ?? endedAt, endedAt, delay };
    this.attempts.push(attempt);
    this.#attemptStart = null;
    return attempt;
  }

  /** No attempt follows any more: the client's prompt need not stay in memory while the answer streams. */
  forgetBody(): void {
    const { accepted } = this;
    if (accepted !== null) this.accepted = { ...accepted, call: { ...accepted.call, body: NO_BODY } };
  }

  /** The client is told that its request failed; what it is told last counts. */
  failed({ kind, message }: GatewayError, status: number): void {
    this.#failure = { kind, status, message: message.slice(0, MOST_FAILURE_TEXT) };
  }

  /** The first byte leaves for the client. */
  answerBegins(): void {
    this.firstByte = minus(this.#clock.now(), this.startedAt);
  }

  /** Keeps the id in a whole answer, unless the client has a label of its own to look for its request by. */
  answered(bytes: Uint8Array): void {
    if (this.names.callId === this.names.requestId) this.responseId = responseIdIn(bytes);
  }

  /** Bills what was answered, once; without an answer there is nothing to bill. */
  billed(usage: Usage | null, snapshot: Snapshot): Bill | null {
    const { decision, firstByte } = this;
    if (this.bill === null && decision !== null && firstByte !== null)
      this.bill = billOf({ decision, usage, at: this.#startedWall }, snapshot);
    return this.bill;
  }

  facts(): AnswerFacts {
    const { decision, route, names } = this;
    const duration = minus(this.#clock.now(), this.startedAt);
    return {
      callId: names.callId,
      echoedId: names.echoedId,
      modelId: decision?.deployment.id ?? null,
      modelGroup: decision?.group ?? null,
      apiBase: decision === null ? null : apiBase(decision),
      provider: decision?.deployment.provider ?? null,
      retries: decision?.retries ?? 0,
      maxRetries: route?.request.controls.numRetries ?? route?.settings.numRetries ?? null,
      fallbacks: decision?.fallbacks ?? 0,
      timeout: decision?.limits.firstByte ?? null,
      duration,
      overhead: this.#overhead(duration),
      dropped: this.dropped,
    };
  }

  entry(end: RequestEnd, status: number, usage: Usage | null): LedgerEntry {
    const { accepted, names } = this;
    const decision = end === 'failure' ? null : this.decision;
    const duration = minus(this.#clock.now(), this.startedAt);
    return {
      requestId: names.requestId,
      callId: names.callId,
      responseId: this.responseId,
      principal: (accepted?.principal ?? this.refusedTo)?.kind ?? 'unknown',
      endpoint: this.#endpoint,
      requestedModel: this.model,
      group: decision?.group ?? null,
      deployment: decision?.deployment.id ?? null,
      provider: decision?.deployment.provider ?? null,
      model: decision?.model ?? null,
      isStreaming: accepted?.call.isStreaming ?? false,
      end,
      status,
      usage,
      payer: accepted?.lease.payer ?? callerOf(this.refusedTo),
      cost: this.bill?.cost ?? null,
      startedAt: this.#startedWall,
      duration,
      overhead: this.#overhead(duration),
      firstByte: this.firstByte,
      attempts: this.attempts.map((attempt) => ({
        deployment: attempt.deployment.id,
        group: attempt.group,
        outcome: describe(attempt.outcome),
        delay: attempt.delay,
        duration: minus(attempt.endedAt, attempt.startedAt),
      })),
      user: accepted?.controls.user ?? null,
      tags: accepted?.lease.tags ?? [],
      requesterAddress: this.#requesterAddress,
      session: accepted?.controls.session ?? null,
      apiBase: decision === null ? null : apiBase(decision),
      failure: this.#failure,
    };
  }

  /** What tells the provider of the next attempt which trace it is part of; nothing when nobody traces. */
  traceHeaders(): readonly HeaderPair[] {
    const trace = this.#trace;
    if (trace === null) return NO_HEADERS;
    const parent: HeaderPair = ['traceparent', traceparentOf(trace, this.attempts.length + 1)];
    return trace.state === null ? [parent] : [parent, ['tracestate', trace.state]];
  }

  /** What spans say beyond the entry; null when nobody wants them. */
  traced(): RequestTrace | null {
    if (this.#trace === null) return null;
    return {
      context: this.#trace,
      attempts: this.attempts.map((attempt) => ({
        start: minus(attempt.startedAt, this.startedAt),
        outcome: attempt.outcome.kind,
        status: statusOf(attempt.outcome),
        provider: conventionalName(attempt.deployment),
        model: attempt.deployment.model,
        apiBase: apiBase(attempt),
      })),
    };
  }

  /** What is noted of an accepted request before its first call. */
  begun({ principal, lease, call, controls }: Accepted): BegunRequest {
    const { requestId, callId } = this.names;
    return {
      ...{ requestId, callId, principal: principal.kind, endpoint: this.#endpoint, requestedModel: this.model },
      ...{ isStreaming: call.isStreaming, startedAt: this.#startedWall, user: controls.user, tags: lease.tags },
      ...{ payer: lease.payer, estimate: lease.estimate },
      ...{ requesterAddress: this.#requesterAddress, session: controls.session },
    };
  }

  /** What of the time so far was neither a provider's nor a sleep. */
  #overhead(duration: Millis): Millis {
    let elsewhere = this.#attemptStart === null ? 0 : this.startedAt + duration - this.#attemptStart;
    for (const attempt of this.attempts) elsewhere += attempt.endedAt - attempt.startedAt + attempt.delay;
    return millis(Math.max(0, duration - elsewhere));
  }
}

/** Who would have paid. */
function callerOf(principal: Principal | null): Payer {
  if (principal?.kind !== 'virtual-key') return NO_PAYER;
  const { hash, id, alias, owner, organizationId } = principal.key;
  return {
    ...{ ...NO_PAYER, keyHash: hash, keyId: id, keyAlias: alias, organizationId },
    userId: owner.kind === 'nobody' ? null : owner.userId,
    teamId: owner.kind === 'team' ? owner.teamId : null,
  };
}

/** Asked for twice a request. */
const shownBases = new WeakMap<Deployment, string | null>();

function apiBase({ deployment }: Pick<Attempt, 'deployment'>): string | null {
  const known = shownBases.get(deployment);
  if (known !== undefined) return known;
  const base = baseUrlOf(deployment);
  const shown = base === null ? null : withoutCredentials(base);
  shownBases.set(deployment, shown);
  return shown;
}

const conventionalName = ({ provider }: Deployment): string => PROVIDERS.get(provider)?.conventionalName ?? provider;
