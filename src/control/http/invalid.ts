import type { z } from 'zod';
import { gatewayError } from '../../core/errors.ts';
import type { Json } from '../../core/json.ts';
import { redact } from '../../core/secret.ts';
import { Refused } from './refused.ts';

/** One wrong field as FastAPI tells it (litellm.md §4.1). */
export interface FieldFault {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: Json;
}

/** Fields of the wrong type or size: the answer is FastAPI's `detail`, with our envelope beside it. */
export class InvalidFields extends Refused {
  readonly detail: readonly FieldFault[];

  constructor(detail: readonly FieldFault[]) {
    const words = detail.map(({ loc, msg }) => `${loc.join('.')}: ${msg}`);
    const param = detail[0]?.loc.slice(1).join('.') ?? null;
    super(gatewayError('invalid-fields', words.join('; '), { param: param === '' ? null : param }));
    this.detail = detail;
  }
}

/** FastAPI's words for the most frequent faults; others are `value_error`. */
const TYPES: Readonly<Record<string, string>> = {
  too_big: 'too_long',
  too_small: 'too_short',
  unrecognized_keys: 'extra_forbidden',
};

/** @param place where the fields stood */
export function invalidFields(error: z.ZodError, place: 'body' | 'query', input: unknown): InvalidFields {
  const detail = error.issues.map((issue): FieldFault => {
    const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
    const value = path.reduce<unknown>((inner, part) => (inner as Record<string | number, unknown>)?.[part], input);
    const type = value === undefined ? 'missing' : (TYPES[issue.code] ?? 'value_error');
    return { type, loc: [place, ...path], msg: issue.message, input: shown(path, value) };
  });
  return new InvalidFields(detail);
}

/** Names of fields whose values are never repeated. */
const CREDENTIALS = /^(new_(master_)?key|keys?|password|token|credential.*|litellm_params|api_key)$/;

/** What was sent, as far as it may be said again: no credential, no long text, no structure. */
function shown(path: readonly (string | number)[], value: unknown): Json {
  if (path.some((part) => CREDENTIALS.test(String(part)))) return null;
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  return typeof value === 'string' && value.length <= 200 ? redact(value) : null;
}
