import type { Secret } from './secret.ts';
import type { Sampling } from './trace-context.ts';

/** What is told to the outside of requests: tracing and callbacks. */
export interface TelemetrySettings {
  /** SHA-256 over everything here, credentials included, hex: whoever sends starts anew only when it differs. */
  readonly fingerprint: string;
  /** Null: nobody wants spans. */
  readonly sampling: Sampling | null;
  /** What spans say of this service (`service.name` and the like). */
  readonly resource: Readonly<Record<string, string>>;
  readonly callbacks: readonly CallbackSettings[];
}

/** Nothing is told to anybody. */
export const NO_TELEMETRY: TelemetrySettings = {
  fingerprint: '',
  sampling: null,
  resource: {},
  callbacks: [],
};

export type SecretHeaders = readonly (readonly [name: string, value: Secret])[];

/** One receiver of records. */
export type CallbackSettings = {
  /** LiteLLM's: `otel`, `langfuse`, `generic_api`, `s3`. */
  readonly name: string;
  readonly wants: 'success' | 'failure' | 'all';
} & CallbackKind;

export type CallbackKind =
  /** Spans by OTLP over HTTP. The address may hold a credential. */
  | { readonly kind: 'otlp'; readonly url: Secret; readonly headers: SecretHeaders }
  /** Batches of LiteLLM's standard logging payload. */
  | { readonly kind: 'payloads'; readonly url: Secret; readonly headers: SecretHeaders }
  /** One such payload as an object of its own. */
  | { readonly kind: 'objects'; readonly bucket: BucketSettings };

/** A bucket that speaks S3's protocol. */
export interface BucketSettings {
  readonly name: string;
  readonly region: string;
  /** Address without a trailing slash; the bucket becomes the first part of the path. Null: Amazon's own. */
  readonly endpoint: string | null;
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  readonly sessionToken: Secret | null;
  /** Put before each key. */
  readonly path: string;
  /** Whether the team's name stands in the key. */
  readonly usesTeamPrefix: boolean;
}
