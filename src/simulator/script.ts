import type { HeaderPair } from '../core/http.ts';
import type { Answer, StreamAnswer, StreamEvent, WholeAnswer } from './answer.ts';
import type { Fault, Unit } from './fault.ts';

/**
 * An answer as it goes over the wire: bytes, waits before them, and how the connection ends.
 *
 * Made before the first byte leaves, so that every fault is a change to a list and nothing is decided while sending.
 */
export interface Script {
  readonly steps: readonly Step[];
  /** `keep`: the next request may come. `stall`: nothing more is sent, the connection stays open. */
  readonly ending: 'keep' | 'fin' | 'reset' | 'stall';
  /** Whether a fault took away the end of the answer. */
  readonly isCut: boolean;
}

export interface Step {
  /** Milliseconds to wait first; null lets the bytes share a write with those before. */
  readonly delay: number | null;
  readonly bytes: Uint8Array;
  /** Where in `bytes` the body's payload begins and ends; equal when there is none. */
  readonly payloadStart: number;
  readonly payloadEnd: number;
}

/** What the script needs to know beside the answer. */
export interface ScriptContext {
  readonly faults: readonly Fault[];
  /** Milliseconds between two events of a stream; 0 sends all at once. */
  readonly eventGap: number;
  readonly keepAlive: boolean;
  /** What the answer fails with inside a 200, in the request's dialect: an event of a stream, or a whole body. */
  readonly failure: (fault: Extract<Fault, { kind: 'error-event' }>) => { event: StreamEvent; body: Uint8Array };
}

const encoder = new TextEncoder();

/** Lays out an answer and applies the faults to it. */
export function script(answer: Answer, context: ScriptContext): Script {
  const { faults } = context;
  if (faults.some((fault) => fault.kind === 'close')) return { steps: [], ending: 'fin', isCut: true };
  const wrong = faults.find((fault) => fault.kind === 'wrong-length');
  const ending = context.keepAlive && wrong === undefined ? 'keep' : 'fin';
  const steps = withLatency(layOut(harmed(answer, context), context, wrong?.by ?? null), context);
  return cutShort({ steps, ending, isCut: false }, faults);
}

/** The answer with the faults that change what is said, not how it is carried. */
function harmed(answer: Answer, context: ScriptContext): Answer {
  if (answer.kind === 'whole') return harmedWhole(answer, context);
  let events = [...answer.events];
  let isChanged = false;
  for (const fault of context.faults) {
    switch (fault.kind) {
      case 'malformed-event':
        events = events.map((event, index) => (index === fault.event ? broken(event) : event));
        break;
      case 'error-event':
        // A stream that failed says nothing more: no end marker follows (openai.md §3, anthropic.md §7).
        events = [...events.slice(0, fault.event), context.failure(fault).event];
        break;
      case 'no-end':
        events = events.filter((event) => event.role !== 'end');
        break;
      default:
        continue;
    }
    isChanged = true;
  }
  return { ...answer, events, reads: isChanged ? null : answer.reads };
}

function harmedWhole(answer: WholeAnswer, context: ScriptContext): WholeAnswer {
  let body = answer.body;
  for (const fault of context.faults) {
    if (fault.kind === 'malformed-event') body = body.subarray(0, Math.floor(body.length / 2));
    if (fault.kind === 'error-event') body = context.failure(fault).body;
  }
  return { ...answer, body };
}

/** An event whose JSON stops in the middle. */
function broken(event: StreamEvent): StreamEvent {
  const text = new TextDecoder().decode(event.bytes);
  return { role: event.role, bytes: encoder.encode(text.replace(/(data: ?)([^\n]*)/, brokenLine)) };
}

function brokenLine(_: string, field: string, data: string): string {
  return field + data.slice(0, Math.max(1, Math.floor(data.length / 2)));
}

function layOut(answer: Answer, context: ScriptContext, wrongBy: number | null): Step[] {
  const parts = answer.kind === 'whole' ? [answer.body] : streamParts(answer);
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const isChunked = answer.kind === 'stream' && wrongBy === null;
  const framing: HeaderPair = isChunked
    ? ['transfer-encoding', 'chunked']
    : ['content-length', String(Math.max(0, length + (wrongBy ?? 0)))];
  const connection: HeaderPair = ['connection', context.keepAlive && wrongBy === null ? 'keep-alive' : 'close'];
  const head = headBytes(answer.status, [...answer.headers, framing, connection]);
  const separate = answer.kind === 'stream' && answer.reads !== null;
  const body = parts.map((part) => bodyStep(part, isChunked, separate ? 0 : null));
  const end = isChunked ? [plainStep(encoder.encode('0\r\n\r\n'))] : [];
  return [plainStep(head), ...body, ...end];
}

function streamParts(answer: StreamAnswer): Uint8Array[] {
  const events = answer.events.map((event) => event.bytes);
  if (answer.reads === null) return events;
  const whole = Buffer.concat(events);
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const length of answer.reads) {
    if (at < whole.length) parts.push(whole.subarray(at, at + length));
    at += length;
  }
  if (at < whole.length) parts.push(whole.subarray(at));
  return parts;
}

function headBytes(status: number, headers: readonly HeaderPair[]): Uint8Array {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return encoder.encode(`HTTP/1.1 ${status} ${REASONS[status] ?? 'Unknown'}\r\n${lines}\r\n`);
}

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Payload Too Large',
  422: 'Unprocessable Entity',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

function plainStep(bytes: Uint8Array): Step {
  return { delay: null, bytes, payloadStart: bytes.length, payloadEnd: bytes.length };
}

function bodyStep(part: Uint8Array, isChunked: boolean, delay: number | null): Step {
  if (!isChunked) return { delay, bytes: part, payloadStart: 0, payloadEnd: part.length };
  const size = encoder.encode(`${part.length.toString(16)}\r\n`);
  const bytes = Buffer.concat([size, part, encoder.encode('\r\n')]);
  return { delay, bytes, payloadStart: size.length, payloadEnd: size.length + part.length };
}

/** Waits before the head, the first event and each later one; the longer of the pace and the fault counts. */
function withLatency(steps: readonly Step[], context: ScriptContext): Step[] {
  const latency = { head: 0, firstEvent: 0, event: context.eventGap };
  for (const fault of context.faults) {
    if (fault.kind !== 'latency') continue;
    latency.head += fault.head;
    latency.firstEvent += fault.firstEvent;
    latency.event = Math.max(latency.event, fault.event);
  }
  return steps.map((step, index) => {
    const isPayload = step.payloadEnd > step.payloadStart;
    const wait = index === 0 ? latency.head : index === 1 ? latency.firstEvent : isPayload ? latency.event : 0;
    return wait > 0 ? { ...step, delay: wait } : step;
  });
}

/** Ends the script at the earliest cut that lies inside it; a cut beyond the end harms nothing. */
function cutShort(whole: Script, faults: readonly Fault[]): Script {
  let earliest: { at: number; ending: Script['ending'] } | null = null;
  for (const fault of faults) {
    if (fault.kind !== 'reset' && fault.kind !== 'end-early' && fault.kind !== 'stall') continue;
    const at = wirePosition(whole.steps, fault.at, fault.of);
    const ending = fault.kind === 'end-early' ? 'fin' : fault.kind;
    if (at < wireLength(whole.steps) && (earliest === null || at < earliest.at)) earliest = { at, ending };
  }
  if (earliest === null) return whole;
  return { steps: firstBytes(whole.steps, earliest.at), ending: earliest.ending, isCut: true };
}

function wirePosition(steps: readonly Step[], at: number, of: Unit): number {
  switch (of) {
    case 'response':
      return at;
    case 'body':
      return wireOffset(steps, at);
    case 'events': {
      const isStream = steps.length > 2;
      return isStream ? wireLength(steps.slice(0, at + 1)) : wireOffset(steps, Math.floor(payloadLength(steps) / 2));
    }
  }
}

function payloadLength(steps: readonly Step[]): number {
  return steps.reduce((sum, step) => sum + step.payloadEnd - step.payloadStart, 0);
}

/** The earliest place on the wire at which `payload` bytes of the body have been sent. */
function wireOffset(steps: readonly Step[], payload: number): number {
  let wire = 0;
  let left = payload;
  for (const [index, step] of steps.entries()) {
    const length = step.payloadEnd - step.payloadStart;
    if (index > 0 && left === 0) return wire;
    if (left < length || (left === length && length > 0)) return wire + step.payloadStart + left;
    left -= length;
    wire += step.bytes.length;
  }
  return wire;
}

function wireLength(steps: readonly Step[]): number {
  return steps.reduce((sum, step) => sum + step.bytes.length, 0);
}

function firstBytes(steps: readonly Step[], count: number): Step[] {
  const kept: Step[] = [];
  let left = count;
  for (const step of steps) {
    if (left <= 0) break;
    kept.push(left >= step.bytes.length ? step : { ...step, bytes: step.bytes.subarray(0, left) });
    left -= step.bytes.length;
  }
  return kept;
}
