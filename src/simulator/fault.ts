import { isObject, type Json, type JsonObject } from '../core/json.ts';
import { FAILURES, type FailureName, failureOfStatus } from './failure.ts';

/**
 * What positions in an answer count: every byte on the wire (head and chunk framing included), bytes of the body's
 * payload, or whole events of a stream (for an answer that is no stream, half of its body).
 */
export type Unit = 'response' | 'body' | 'events';

/** One thing that goes wrong with one answer. Durations are milliseconds; positions count from 0. */
export type Fault =
  | StatusFault
  | { readonly kind: 'latency'; readonly head: number; readonly firstEvent: number; readonly event: number }
  | { readonly kind: 'reset' | 'end-early' | 'stall'; readonly at: number; readonly of: Unit }
  | { readonly kind: 'malformed-event'; readonly event: number }
  | { readonly kind: 'error-event'; readonly event: number; readonly error: FailureName }
  | { readonly kind: 'wrong-length'; readonly by: number }
  | { readonly kind: 'no-end' }
  | { readonly kind: 'close' }
  | { readonly kind: 'refuse'; readonly time: number };

/** An error status with the provider's own body; members that are null take the provider's defaults. */
export interface StatusFault {
  readonly kind: 'status';
  readonly error: FailureName;
  readonly status: number | null;
  readonly message: string | null;
  readonly param: string | null;
  /** Milliseconds to ask for, or `none` for an error that gives no hint when to come back. */
  readonly retryAfter: number | 'none' | null;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** A body of the caller's own instead of the provider's, or null. */
  readonly body: string | null;
}

/** Why a text or JSON value is not a fault. */
export class FaultSyntax extends Error {}

/** A status fault with the provider's defaults. */
export function statusFault(error: FailureName, more: Partial<Omit<StatusFault, 'kind'>> = {}): StatusFault {
  const none = { status: null, message: null, param: null, retryAfter: null, headers: [], body: null };
  return { kind: 'status', error, ...none, ...more };
}

/**
 * Reads faults as people write them: JSON (one object or a list), or words separated by commas.
 *
 * Words: `429`, `rate-limit` or any other failure's name, `latency@MS`, `first-event@MS`, `event@MS`, `reset@N`,
 * `end-early@N`, `stall@N` (bytes on the wire; `reset@body:N` counts the body's, `reset@events:N` whole events), `malformed@N`, `error-event@N`
 * (events), `wrong-length@±N`, `no-end`, `close`, `refuse@MS`.
 *
 * @throws FaultSyntax naming the word that is not understood
 */
export function parseFaults(text: string): Fault[] {
  const trimmed = text.trim();
  if (/^[[{]/.test(trimmed)) return faultsFromJson(parseJson(trimmed));
  return trimmed
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
    .map(faultFromWord);
}

/** Reads a fault, a list of faults, or words. @throws FaultSyntax naming what is wrong */
export function faultsFromJson(value: Json | undefined): Fault[] {
  if (Array.isArray(value)) return value.flatMap((item: Json) => faultsFromJson(item));
  if (typeof value === 'number') return [faultFromWord(String(value))];
  if (typeof value === 'string') return parseFaults(value);
  if (!isObject(value)) throw new FaultSyntax(`a fault is an object or a word, not ${JSON.stringify(value)}`);
  return [faultFromObject(value)];
}

function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new FaultSyntax(`not JSON: ${text.slice(0, 80)}`);
  }
}

function faultFromWord(word: string): Fault {
  const [, name = '', unit, amount] = /^([a-z0-9-]+?)(?:@(?:(body|response|events):)?([+-]?\d+))?$/.exec(word) ?? [];
  const number = Number(amount ?? 0);
  if (/^[45]\d\d$/.test(name)) return statusFault(failureOfStatus(Number(name)), { status: Number(name) });
  if (Object.hasOwn(FAILURES, name)) return statusFault(name as FailureName);
  switch (name) {
    case 'latency':
      return { kind: 'latency', head: number, firstEvent: 0, event: 0 };
    case 'first-event':
      return { kind: 'latency', head: 0, firstEvent: number, event: 0 };
    case 'event':
      return { kind: 'latency', head: 0, firstEvent: 0, event: number };
    case 'reset':
    case 'end-early':
    case 'stall':
      return { kind: name, at: number, of: unitOf(unit) };
    case 'malformed':
    case 'malformed-event':
      return { kind: 'malformed-event', event: number };
    case 'error-event':
      return { kind: 'error-event', event: number, error: 'overloaded' };
    case 'wrong-length':
      return { kind: 'wrong-length', by: number };
    case 'no-end':
    case 'close':
      return { kind: name };
    case 'refuse':
      return { kind: 'refuse', time: number };
    default:
      throw new FaultSyntax(`unknown fault ${JSON.stringify(word)}`);
  }
}

/** Members of each kind of fault as JSON spells them; the source of "unknown member" complaints. */
const MEMBERS: Readonly<Record<Fault['kind'], readonly string[]>> = {
  status: ['status', 'error', 'message', 'param', 'retry_after', 'retry_after_ms', 'headers', 'body'],
  latency: ['head_ms', 'first_event_ms', 'event_ms'],
  reset: ['at', 'of'],
  'end-early': ['at', 'of'],
  stall: ['at', 'of'],
  'malformed-event': ['event'],
  'error-event': ['event', 'error'],
  'wrong-length': ['by'],
  'no-end': [],
  close: [],
  refuse: ['ms'],
};

function faultFromObject(object: JsonObject): Fault {
  const kind = object.kind ?? (object.status !== undefined || object.error !== undefined ? 'status' : null);
  if (typeof kind !== 'string' || !Object.hasOwn(MEMBERS, kind)) {
    throw new FaultSyntax(`unknown kind ${JSON.stringify(kind)}; known: ${Object.keys(MEMBERS).join(', ')}`);
  }
  const known: Fault['kind'] = kind as Fault['kind']; // a key of MEMBERS, as just checked
  const stray = Object.keys(object).find((key) => key !== 'kind' && !MEMBERS[known].includes(key));
  if (stray !== undefined) throw new FaultSyntax(`unknown member ${JSON.stringify(stray)} of the fault ${kind}`);
  switch (known) {
    case 'status':
      return statusFromObject(object);
    case 'latency': {
      const head = count(object, 'head_ms', 0);
      return { kind: known, head, firstEvent: count(object, 'first_event_ms', 0), event: count(object, 'event_ms', 0) };
    }
    case 'reset':
    case 'end-early':
    case 'stall':
      return { kind: known, at: count(object, 'at', 0), of: unitOf(object.of) };
    case 'malformed-event':
      return { kind: known, event: count(object, 'event', 0) };
    case 'error-event':
      return { kind: known, event: count(object, 'event', 0), error: failureName(object.error ?? 'overloaded') };
    case 'wrong-length':
      if (typeof object.by !== 'number') throw new FaultSyntax('wrong-length needs a number "by"');
      return { kind: known, by: object.by };
    case 'no-end':
    case 'close':
      return { kind: known };
    case 'refuse':
      return { kind: known, time: count(object, 'ms', 0) };
  }
}

function statusFromObject(object: JsonObject): StatusFault {
  const status = object.status === undefined ? null : count(object, 'status', 0);
  if (status !== null && (status < 200 || status > 599)) throw new FaultSyntax(`status ${status} is not one of HTTP's`);
  const error = object.error === undefined ? failureOfStatus(status ?? 500) : failureName(object.error);
  const body = object.body === undefined ? null : object.body;
  return statusFault(error, {
    status,
    message: text(object, 'message'),
    param: text(object, 'param'),
    retryAfter: retryAfterFrom(object),
    headers: Object.entries(isObject(object.headers) ? object.headers : {}).map(([name, value]) => [
      name.toLowerCase(),
      String(value).replace(/[\r\n]/g, ' '),
    ]),
    body: body === null || typeof body === 'string' ? body : JSON.stringify(body),
  });
}

function retryAfterFrom(object: JsonObject): StatusFault['retryAfter'] {
  if (object.retry_after === null) return 'none';
  if (object.retry_after_ms !== undefined) return count(object, 'retry_after_ms', 0);
  return object.retry_after === undefined ? null : count(object, 'retry_after', 0) * 1000;
}

function unitOf(value: Json | undefined): Unit {
  if (value === undefined) return 'response';
  if (value === 'response' || value === 'body' || value === 'events') return value;
  throw new FaultSyntax(`"of" is response, body or events, not ${JSON.stringify(value)}`);
}

function failureName(value: Json): FailureName {
  if (typeof value === 'string' && Object.hasOwn(FAILURES, value)) return value as FailureName;
  throw new FaultSyntax(`unknown error ${JSON.stringify(value)}; known: ${Object.keys(FAILURES).join(', ')}`);
}

function count(object: JsonObject, key: string, absent: number): number {
  const value = object[key] ?? absent;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new FaultSyntax(`${key} must be a number of at least 0, not ${JSON.stringify(value)}`);
  }
  return value;
}

function text(object: JsonObject, key: string): string | null {
  const value = object[key];
  return typeof value === 'string' ? value : null;
}
