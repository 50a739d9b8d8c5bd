import { type GatewayError, gatewayError } from '../core/errors.ts';
import { Secret } from '../core/secret.ts';
import type { Deployment } from '../core/snapshot.ts';
import { memberOf } from '../endpoints/check.ts';
import type { JsonBody } from '../wire/json-splice.ts';

/** A provider credential of the client's own, for this request only. */
export interface ClientCredentials {
  readonly apiKey: Secret | null;
  readonly baseUrl: string | null;
  readonly apiVersion: string | null;
}

/** Members that choose where the request goes: an open door to the operator's network unless it is wanted. */
const PLACES = ['api_base', 'base_url', 'user_config'] as const;

const LONGEST_VALUE = 2048;
/** What can stand in a header line or an address: anything else could not be sent, and would look like our failure. */
const SENDABLE = /^[\x21-\x7e]+$/;

/**
 * Reads `api_key`, `api_base` and `api_version` of the body (litellm.md §2.9).
 *
 * A key of one's own is always welcome; an address only with `allow_client_side_credentials`, also together with a key
 * (LiteLLM takes it then), because the gateway would call whatever it names.
 *
 * @returns null when the client brought nothing
 */
export function readCredentials(body: JsonBody, allowPlaces: boolean): ClientCredentials | GatewayError | null {
  const forbidden = PLACES.find((key) => body.has(key) && (key === 'user_config' || !allowPlaces));
  if (forbidden !== undefined) {
    const remedy =
      forbidden === 'user_config'
        ? ''
        : ' The operator can allow it: general_settings.allow_client_side_credentials: true.';
    return gatewayError(
      'client-credentials',
      `Rejected Request: ${forbidden} is not allowed in request body.${remedy}`,
      {
        param: forbidden,
      },
    );
  }
  const unsendable = ['api_key', 'api_base', 'base_url', 'api_version'].find((key) => {
    const value = body.has(key) ? memberOf(body, key) : null;
    return typeof value === 'string' && value !== '' && !(value.length <= LONGEST_VALUE && SENDABLE.test(value));
  });
  if (unsendable !== undefined) {
    const message = `'${unsendable}' must be at most ${LONGEST_VALUE} printable ASCII characters without spaces.`;
    return gatewayError('invalid-parameter', message, { param: unsendable });
  }
  const text = (key: string) => {
    const value = body.has(key) ? memberOf(body, key) : null;
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const apiKey = text('api_key');
  const baseUrl = text('api_base') ?? text('base_url');
  const apiVersion = text('api_version');
  if (apiKey === null && baseUrl === null && apiVersion === null) return null;
  return {
    apiKey: apiKey === null ? null : new Secret(apiKey),
    baseUrl: baseUrl?.replace(/\/+$/, '') ?? null,
    apiVersion,
  };
}

/** The deployment as this client wants it called. An address of the client's never gets the operator's key. */
export function withCredentials(deployment: Deployment, credentials: ClientCredentials | null): Deployment {
  if (credentials === null) return deployment;
  const { apiKey, baseUrl, apiVersion } = credentials;
  const { upstream } = deployment;
  return {
    ...deployment,
    upstream: {
      ...upstream,
      apiKey: apiKey ?? (baseUrl === null ? upstream.apiKey : null),
      extraHeaders: baseUrl === null ? upstream.extraHeaders : [],
      baseUrl: baseUrl ?? upstream.baseUrl,
      apiVersion: apiVersion ?? upstream.apiVersion,
    },
  };
}
