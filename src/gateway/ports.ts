import type { AttemptMeter, BenchMeter, FallbackMeter } from '../core/attempt-meters.ts';
import type { Cost } from '../core/cost.ts';
import type { GatewayError } from '../core/errors.ts';
import type { HeaderPair } from '../core/http.ts';
import type { Principal } from '../core/identity.ts';
import type { DeploymentId } from '../core/ids.ts';
import type { BegunRequest, LedgerEntry } from '../core/ledger-entry.ts';
import type { ModelSight } from '../core/model-access.ts';
import type { Payer } from '../core/payer.ts';
import type { RequestSize } from '../core/request-size.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { RequestTrace } from '../core/trace-context.ts';
import type { Millis, NanoUsd } from '../core/units.ts';
import type { Usage } from '../core/usage.ts';
import type { PromptText } from '../endpoints/prompt-text.ts';
import type { RoutingControls } from '../router/route.ts';

/** What the data plane needs from outside. Ports belong to their consumer; `cli/serve.ts` fills them. */
export interface GatewayPorts {
  readonly snapshots: SnapshotSource;
  readonly keys: Authenticator;
  readonly admission: Admission;
  readonly ledger: RequestLedger;
  readonly log: GatewayLog;
  readonly meters: GatewayMeters;
  readonly tokens: TokenCounter;
  /** Uniform in [0, 1). */
  random(): number;
  /** 32 fresh hexadecimal characters. */
  hexId(): string;
}

export interface SnapshotSource {
  current(): Snapshot;
}

/** Finds the principal of a presented key; only the hash crosses this line. */
export interface Authenticator {
  /**
   * @param hash SHA-256 of the key, lower-case hex
   * @returns null when nobody has this key; an error when that cannot be said at the moment
   */
  authenticate(hash: string): Authentication | Promise<Authentication>;
}

export type Authentication = Principal | GatewayError | null;

/** Who may do what, and how much of it. */
export interface Admission {
  /** Why this caller may not ask for this path, or null: for paths that call no model. */
  forbids(principal: Principal, asked: PathAsked): GatewayError | null;
  /** Which models this caller may ask for: for lists of models. */
  sight(principal: Principal): ModelSight;
  /** Limits and budgets before a call: reserve, then settle once. */
  admit(request: AdmissionRequest): Lease | GatewayError | Promise<Lease | GatewayError>;
}

export interface PathAsked {
  /** Without a query and without the server's root path. */
  readonly path: string;
  readonly method: string;
}

export interface AdmissionRequest extends PathAsked {
  readonly principal: Principal;
  readonly model: string;
  /** Looked at only when somebody counts: it reads the whole body. */
  size(): RequestSize;
  readonly tags: readonly string[];
  /** Whither it may go besides: other models may be dearer. */
  readonly routing: RoutingControls;
  /** The end customer, in the client's own words. */
  readonly customer: string | null;
}

/** A reservation that is settled exactly once, whatever the end of the request. */
export interface Lease {
  /** The model that is meant: the aliases of key and team followed. */
  readonly model: string;
  readonly payer: Payer;
  /** Of the request, its key and its team, each once: they choose deployments too. */
  readonly tags: readonly string[];
  /** The most that the request may cost, as far as anybody counts. */
  readonly estimate: NanoUsd;
  /** Whether the same caller may be answered by this model too: asked for each fallback. */
  mayUse(model: string): boolean;
  /** What the answer's head says of limits and budgets, as they stand. */
  headers(): readonly HeaderPair[];
  /**
   * The request is over.
   *
   * @param usage null when nobody knows: then limits count no tokens
   * @param cost null when nothing is to be paid
   */
  settle(usage: Usage | null, cost: Cost | null): void;
}

/** Keeps the one record of each request; never blocks the answer. */
export interface RequestLedger {
  /** Why no new request should begin: its record could not be kept. Asked for each request, before its body is read. */
  canAccept(): GatewayError | null;
  /** A request is about to call an upstream, for the first time. */
  begin(request: BegunRequest): void;
  /** @param trace null when nobody wants spans of it */
  record(entry: LedgerEntry, trace: RequestTrace | null): void;
}

/** Counts prompts for pre-call checks. */
export interface TokenCounter {
  /**
   * Tokens that the longest of these prompts has at least, whichever of these upstream models reads it.
   *
   * @param enough a count beyond it may be an estimate, still beyond it
   * @returns null when nobody knows in time; never rejects
   */
  count(prompts: readonly PromptText[], models: readonly string[], enough: number): Promise<number | null>;
}

/** What the data plane tells the log, already free of secrets and bodies. */
export interface GatewayLog {
  retryDelay(event: {
    readonly callId: string;
    readonly deployment: DeploymentId;
    readonly delay: Millis;
    readonly reason: string;
  }): void;
  internalError(event: { readonly callId: string | null; readonly error: unknown }): void;
}

/** What the data plane counts. */
export interface GatewayMeters {
  attempt(event: AttemptMeter): void;
  benched(event: BenchMeter): void;
  fallback(event: FallbackMeter): void;
}
