import type { Refusal } from '../provider.ts';

/**
 * Carries a refusal out of the mapping of a deeply nested request.
 *
 * Thrown only for input that cannot be put to this API, and caught once, in `request.ts`, which returns the refusal.
 */
export class RefusedRequest extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** Ends the translation: a member of the request makes no sense to this API. */
export function refuseInvalid(message: string, param: string | null): never {
  throw new RefusedRequest({ kind: 'refused', reason: 'invalid-parameter', message, param });
}

/** Ends the translation: this API does not have what the client asks for. */
export function refuseUnsupported(message: string, param: string | null): never {
  throw new RefusedRequest({ kind: 'refused', reason: 'unsupported-parameters', message, param });
}
