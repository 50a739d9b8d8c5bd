import { type ErrorKind, type GatewayError, gatewayError } from '../../core/errors.ts';

/**
 * An administrator's request that cannot be done, with the words for the client.
 *
 * Thrown, unlike the failures of the data plane, because most are found inside a transaction, which it must undo.
 * Caught once, in `control.ts`.
 */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly error: GatewayError;

  constructor(error: GatewayError) {
    super(error.message);
    this.error = error;
  }
}

/** A refusal of this kind. @param param the field that was wrong, or null */
export function refused(kind: ErrorKind, message: string, param: string | null = null): Refused {
  return new Refused(gatewayError(kind, message, { param }));
}

/** The value, or a 404 with these words when there is none. */
export function found<T>(value: T | null | undefined, message: string, param: string | null = null): T {
  if (value === null || value === undefined) throw refused('nothing-there', message, param);
  return value;
}
