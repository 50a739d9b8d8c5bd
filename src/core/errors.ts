import type { HeaderPair } from './http.ts';
import type { Millis } from './units.ts';

/**
 * Every failure that a client can see, one row each.
 *
 * Envelope and statuses follow LiteLLM (`litellm.md` §4): `code` is the status as a string. `status` is ours;
 * `litellmStatus`, where it differs, is sent under `error_profile: litellm-1.81`.
 */
interface ErrorRow {
  readonly status: number;
  readonly type: string;
  readonly litellmStatus?: number;
  /** LiteLLM's class name, which its messages start with; null for failures of the gateway itself. */
  readonly className: string | null;
}

export const ERRORS = {
  'no-key': { status: 401, type: 'auth_error', className: null },
  'malformed-key': { status: 401, type: 'auth_error', className: null },
  'unknown-key': { status: 401, type: 'token_not_found_in_db', className: null },
  'key-unverified': { status: 503, type: 'server_error', className: null },
  'blocked-key': { status: 401, type: 'auth_error', className: null },
  'expired-key': { status: 401, type: 'expired_key', litellmStatus: 400, className: null },
  'unknown-owner': { status: 401, type: 'auth_error', className: null },
  'blocked-team': { status: 401, type: 'auth_error', className: null },
  'blocked-customer': { status: 403, type: 'auth_error', litellmStatus: 400, className: null },
  'route-denied': { status: 403, type: 'auth_error', className: null },
  'role-denied': { status: 403, type: 'auth_error', litellmStatus: 401, className: null },
  'key-model-denied': { status: 403, type: 'key_model_access_denied', litellmStatus: 401, className: null },
  'team-model-denied': { status: 403, type: 'team_model_access_denied', litellmStatus: 401, className: null },
  'user-model-denied': { status: 403, type: 'user_model_access_denied', litellmStatus: 401, className: null },
  'org-model-denied': { status: 403, type: 'org_model_access_denied', litellmStatus: 401, className: null },
  'rate-limited': { status: 429, type: 'throttling_error', className: null },
  'budget-exceeded': { status: 429, type: 'budget_exceeded', litellmStatus: 400, className: null },
  'spend-unknown': { status: 503, type: 'server_error', className: null },
  'client-credentials': { status: 401, type: 'auth_error', className: null },
  'malformed-body': { status: 400, type: 'invalid_request_error', className: null },
  'invalid-parameter': { status: 400, type: 'invalid_request_error', className: null },
  'missing-user': { status: 400, type: 'bad_request_error', className: null },
  'unknown-model': { status: 400, type: 'invalid_request_error', className: null },
  'model-not-found': { status: 404, type: 'invalid_request_error', className: null },
  'model-disabled': { status: 503, type: 'server_error', className: null },
  'tag-not-allowed': { status: 401, type: 'auth_error', className: null },
  'unsupported-parameters': { status: 400, type: 'invalid_request_error', className: 'UnsupportedParamsError' },
  'unsupported-endpoint': { status: 400, type: 'invalid_request_error', className: 'BadRequestError' },
  'body-too-large': { status: 413, type: 'invalid_request_error', className: null },
  'body-timeout': { status: 408, type: 'timeout_error', className: null },
  'unsupported-encoding': { status: 415, type: 'invalid_request_error', className: null },
  'unknown-path': { status: 404, type: 'not_found_error', className: null },
  'wrong-method': { status: 405, type: 'invalid_request_error', className: null },
  overloaded: { status: 503, type: 'server_error', className: null },
  'ledger-refusing': { status: 503, type: 'server_error', className: null },
  'shutting-down': { status: 503, type: 'server_error', className: null },
  'no-deployment': { status: 429, type: 'throttling_error', className: null },
  'request-timeout': { status: 504, type: 'timeout_error', litellmStatus: 408, className: 'Timeout' },
  'upstream-timeout': { status: 504, type: 'timeout_error', litellmStatus: 408, className: 'Timeout' },
  'upstream-unreachable': { status: 502, type: 'server_error', litellmStatus: 500, className: 'APIConnectionError' },
  'upstream-broken': { status: 502, type: 'server_error', litellmStatus: 500, className: 'APIConnectionError' },
  'upstream-rate-limited': { status: 429, type: 'throttling_error', className: 'RateLimitError' },
  'upstream-conflict': { status: 409, type: 'conflict_error', className: 'APIError' },
  'upstream-error': { status: 500, type: 'server_error', className: 'InternalServerError' },
  'upstream-bad-gateway': { status: 502, type: 'server_error', className: 'BadGatewayError' },
  'upstream-unavailable': { status: 503, type: 'server_error', className: 'ServiceUnavailableError' },
  'bad-request': { status: 400, type: 'invalid_request_error', className: 'BadRequestError' },
  'unprocessable-request': { status: 422, type: 'invalid_request_error', className: 'UnprocessableEntityError' },
  'request-too-large': { status: 413, type: 'invalid_request_error', className: 'APIError' },
  'payment-required': { status: 402, type: 'invalid_request_error', className: 'APIError' },
  'context-window': { status: 400, type: 'invalid_request_error', className: 'ContextWindowExceededError' },
  'content-policy': { status: 400, type: 'invalid_request_error', className: 'ContentPolicyViolationError' },
  'upstream-credential': { status: 401, type: 'auth_error', className: 'AuthenticationError' },
  'upstream-permission': { status: 403, type: 'permission_error', className: 'PermissionDeniedError' },
  'upstream-not-found': { status: 404, type: 'invalid_request_error', className: 'NotFoundError' },
  internal: { status: 500, type: 'internal_server_error', className: null },
  'bad-fields': { status: 400, type: 'bad_request_error', className: null },
  'invalid-fields': { status: 422, type: 'validation_error', className: null },
  'nothing-there': { status: 404, type: 'not_found_error', className: null },
  'already-there': { status: 400, type: 'bad_request_error', className: null },
  'user-already-there': { status: 409, type: 'bad_request_error', className: null },
  'already-in-team': { status: 400, type: 'team_member_already_in_team', className: null },
  'not-yours': { status: 403, type: 'auth_error', className: null },
  'team-permission': { status: 401, type: 'team_member_permission_error', className: null },
  'store-unavailable': { status: 503, type: 'no_db_connection', className: null },
} as const satisfies Record<string, ErrorRow>;

export type ErrorKind = keyof typeof ERRORS;

/** The status of a failure, in the profile that the operator chose. */
export function errorStatus(kind: ErrorKind, profile: 'tollgate' | 'litellm-1.81'): number {
  const row: ErrorRow = ERRORS[kind];
  return profile === 'litellm-1.81' ? (row.litellmStatus ?? row.status) : row.status;
}

/** A failure on its way to the client, in no dialect yet. */
export interface GatewayError {
  readonly kind: ErrorKind;
  /** What was wrong and what to do; free of credentials. */
  readonly message: string;
  readonly param: string | null;
  readonly retryAfter: Millis | null;
  /** What the answer's head says besides: which limit it was, when it ends. */
  readonly headers: readonly HeaderPair[];
  /** The provider's own code and type, kept for clients that look at them. */
  readonly provider: { readonly code: string | null; readonly type: string | null; readonly status: number } | null;
}

/** A failure with nothing but a kind and a message. */
export function gatewayError(
  kind: ErrorKind,
  message: string,
  more: Partial<Pick<GatewayError, 'param' | 'retryAfter' | 'headers' | 'provider'>> = {},
): GatewayError {
  return {
    kind,
    message,
    param: more.param ?? null,
    retryAfter: more.retryAfter ?? null,
    headers: more.headers ?? [],
    provider: more.provider ?? null,
  };
}
