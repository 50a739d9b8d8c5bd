import type { HeaderPair } from '../core/http.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { EpochMillis, Millis } from '../core/units.ts';
import type { Dialect } from './dialect.ts';

/**
 * How an exchange ended.
 *
 * `complete`: the answer went out whole (a wrong length or a malformed event is whole in this sense). `reset`,
 * `ended-early`, `closed`: cut by a fault. `client-closed`: the client went away first. `stopped`: the simulator did.
 */
export type Ending = 'pending' | 'complete' | 'reset' | 'ended-early' | 'closed' | 'client-closed' | 'stopped';

/** One request and what became of it; members change until `ending` is no longer `pending`. */
export interface RecordedRequest {
  /** Counts from 1. */
  readonly id: number;
  /** Which connection carried it; equal for requests that shared one. */
  readonly connection: number;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** As received, credentials included; lower-case names. */
  readonly headers: readonly HeaderPair[];
  readonly body: Buffer;
  /** The body parsed, or undefined when it is not JSON. */
  readonly json: Json | undefined;
  readonly dialect: Dialect;
  readonly model: string;
  readonly credential: string | null;
  /** When it was complete: monotonic, and on the wall. */
  readonly at: Millis;
  readonly wall: EpochMillis;
  /** Rule that harmed it, or null. */
  readonly rule: number | null;
  readonly status: number | null;
  readonly bytesSent: number;
  /** Whether a fault holds the answer back for ever. */
  readonly isStalled: boolean;
  readonly ending: Ending;
  /** Monotonic time of the end, or null while it runs. */
  readonly endedAt: Millis | null;
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** A record while its exchange runs; only the connection writes to it. */
export type OpenRecord = Mutable<RecordedRequest>;

interface Waiter {
  readonly test: () => boolean;
  readonly resolve: () => void;
}

/** Bodies kept by one log, bytes. */
const MAX_BODY_BYTES = 256 * 1024 * 1024;

/** The requests of a simulator, the newest last; the oldest are dropped beyond a limit of number or size. */
export class RequestLog {
  readonly #limit: number;
  #records: OpenRecord[] = [];
  #waiters: Waiter[] = [];
  #bodyBytes = 0;
  #nextId = 1;

  /** @param limit how many records are kept, ≥ 1 */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get records(): readonly RecordedRequest[] {
    return this.#records;
  }

  /** Writes a new record and gives it for changing. */
  open(record: Omit<RecordedRequest, 'id'>): OpenRecord {
    const open: OpenRecord = { id: this.#nextId++, ...record };
    this.#records.push(open);
    this.#bodyBytes += open.body.length;
    while (this.#records.length > 1 && (this.#records.length > this.#limit || this.#bodyBytes > MAX_BODY_BYTES)) {
      this.#bodyBytes -= this.#records.shift()?.body.length ?? 0;
    }
    this.changed();
    return open;
  }

  clear(): void {
    this.#records = [];
    this.#bodyBytes = 0;
    this.changed();
  }

  /** Resolves as soon as the test holds; tests are asked again after every change. */
  until(test: (records: readonly RecordedRequest[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push({ test: () => test(this.#records), resolve });
      this.changed();
    });
  }

  /** Tells those who wait that something changed. */
  changed(): void {
    const waiting = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiting) {
      if (waiter.test()) waiter.resolve();
      else this.#waiters.push(waiter);
    }
  }
}

/** A record for people who are not to see credentials: keys masked, the body as JSON or text. */
export function publicRecord(record: RecordedRequest): JsonObject {
  const { body, json, credential, headers, ...rest } = record;
  return {
    ...rest,
    credential: credential === null ? null : masked(credential),
    headers: Object.fromEntries(
      headers.map(([name, value]) => [name, SECRET_HEADERS.has(name) ? masked(value) : value]),
    ),
    body: json ?? body.toString('utf8'),
    bodyBytes: body.length,
  };
}

const SECRET_HEADERS = new Set(['authorization', 'api-key', 'x-api-key', 'cookie', 'proxy-authorization']);

function masked(value: string): string {
  return value.length > 12 ? `…${value.slice(-4)}` : '…';
}
