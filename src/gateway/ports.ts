import type { GatewayError } from '../core/errors.ts';
import type { DeploymentId } from '../core/ids.ts';
import type { LedgerEntry } from '../core/ledger-entry.ts';
import type { Outcome } from '../core/outcome.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { Millis } from '../core/units.ts';
import type { Usage } from '../core/usage.ts';
import type { PromptText } from '../endpoints/prompt-text.ts';

/** What the data plane needs from outside. Ports belong to their consumer; `cli/serve.ts` fills them. */
export interface GatewayPorts {
  readonly snapshots: SnapshotSource;
  readonly keys: Authenticator;
  readonly admission: Admission;
  readonly ledger: LedgerSink;
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

/** Who asks. Virtual keys join this union with the store. */
export type Principal = { readonly kind: 'master' };

/** Finds the principal of a presented key; only the hash crosses this line. */
export interface Authenticator {
  /** @param hash SHA-256 of the key, lower-case hex */
  authenticate(hash: string): Principal | null | Promise<Principal | null>;
}

/** Limits and budgets before a call: reserve, then settle once. */
export interface Admission {
  admit(request: AdmissionRequest): Lease | GatewayError | Promise<Lease | GatewayError>;
}

export interface AdmissionRequest {
  readonly principal: Principal;
  readonly model: string;
  readonly bodyBytes: number;
}

/** A reservation that is settled exactly once, whatever the end of the request. */
export interface Lease {
  settle(usage: Usage | null): void;
}

/** Takes the one record of each request; never blocks the answer. */
export interface LedgerSink {
  record(entry: LedgerEntry): void;
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
  benched(deployment: DeploymentId): void;
  fallback(event: { readonly from: string; readonly to: string; readonly worked: boolean }): void;
}

export interface AttemptMeter {
  readonly deployment: DeploymentId;
  readonly group: string;
  readonly provider: string;
  readonly outcome: Outcome['kind'];
  readonly status: number | null;
  readonly duration: Millis;
}
