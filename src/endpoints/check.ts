import { type GatewayError, gatewayError } from '../core/errors.ts';
import type { Json } from '../core/json.ts';
import type { JsonBody } from '../wire/json-splice.ts';

/** Reads a member without throwing: a member that is not JSON is the same as one of the wrong type. */
export function memberOf(body: JsonBody, key: string): Json | undefined {
  try {
    return body.value(key);
  } catch {
    return undefined;
  }
}

/** The error for a body that lacks a member every call of this endpoint needs. */
export function missing(key: string, what: string): GatewayError {
  return gatewayError('invalid-parameter', `The request has no '${key}'. Send ${what}.`, { param: key });
}

/** The error for a member of the wrong type. */
export function wrongType(key: string, expected: string): GatewayError {
  return gatewayError('invalid-parameter', `'${key}' must be ${expected}.`, { param: key });
}

/** Checks the members that the gateway itself reads; everything else is the provider's to judge. */
export function checkCommon(body: JsonBody): GatewayError | null {
  const stream = body.has('stream') ? memberOf(body, 'stream') : null;
  if (stream !== null && typeof stream !== 'boolean') return wrongType('stream', 'true or false');
  const options = body.has('stream_options') ? memberOf(body, 'stream_options') : null;
  if (options !== null && (typeof options !== 'object' || Array.isArray(options))) {
    return wrongType('stream_options', 'an object');
  }
  return null;
}
