import type { HeaderPair } from '../core/http.ts';

/** The failures that have a provider's wording of their own. */
export const FAILURES = {
  'invalid-request': 400,
  'context-length': 400,
  'content-filter': 400,
  'missing-key': 401,
  'invalid-key': 401,
  billing: 402,
  forbidden: 403,
  'model-not-found': 404,
  'unknown-path': 404,
  timeout: 408,
  conflict: 409,
  'too-large': 413,
  unprocessable: 422,
  'rate-limit': 429,
  'insufficient-quota': 429,
  'server-error': 500,
  'bad-gateway': 502,
  unavailable: 503,
  'gateway-timeout': 504,
  overloaded: 529,
} as const satisfies Record<string, number>;

export type FailureName = keyof typeof FAILURES;

const BY_STATUS: Readonly<Record<number, FailureName>> = {
  400: 'invalid-request',
  401: 'invalid-key',
  402: 'billing',
  403: 'forbidden',
  404: 'model-not-found',
  408: 'timeout',
  409: 'conflict',
  413: 'too-large',
  422: 'unprocessable',
  429: 'rate-limit',
  500: 'server-error',
  502: 'bad-gateway',
  503: 'unavailable',
  504: 'gateway-timeout',
  529: 'overloaded',
};

/** The failure that a bare status stands for; unknown statuses speak as the server error of their class. */
export function failureOfStatus(status: number): FailureName {
  return BY_STATUS[status] ?? (status < 500 ? 'invalid-request' : 'server-error');
}

/** What an error's wording mentions. */
export interface ErrorContext {
  readonly model: string;
  readonly credential: string | null;
  readonly requestId: string;
  /** Wall-clock milliseconds, for reset times. */
  readonly now: number;
  readonly status: number | null;
  readonly message: string | null;
  readonly param: string | null;
  /** Milliseconds, or null for the failure's own default. */
  readonly retryAfter: number | null;
}

/** How long a rate limit asks to wait when the fault does not say, milliseconds. */
export const DEFAULT_WAIT = 20_000;

/** `retry-after` in whole seconds when the context has a time, or for failures that carry one by default. */
export function retryHeaders(context: ErrorContext, isDefault: boolean): HeaderPair[] {
  const wait = context.retryAfter ?? (isDefault ? DEFAULT_WAIT : null);
  return wait === null ? [] : [['retry-after', String(Math.ceil(wait / 1000))]];
}
