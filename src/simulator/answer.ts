import type { HeaderPair } from '../core/http.ts';

/** A provider's answer before it meets a socket: no framing headers, no faults, no time. */
export type Answer = WholeAnswer | StreamAnswer;

export interface WholeAnswer {
  readonly kind: 'whole';
  readonly status: number;
  readonly headers: readonly HeaderPair[];
  readonly body: Uint8Array;
}

export interface StreamAnswer {
  readonly kind: 'stream';
  readonly status: number;
  readonly headers: readonly HeaderPair[];
  readonly events: readonly StreamEvent[];
  /** Lengths of the network reads in which the body was recorded, or null. */
  readonly reads: readonly number[] | null;
}

/** One server-sent event with its blank line; `end` marks what closes the stream (`[DONE]`, `message_stop`). */
export interface StreamEvent {
  readonly role: 'data' | 'end';
  readonly bytes: Uint8Array;
}

const encoder = new TextEncoder();

/** A JSON answer; `indent` is what the provider pretty-prints with (OpenAI 2, its errors 4, Anthropic none). */
export function jsonAnswer(status: number, headers: readonly HeaderPair[], body: unknown, indent = 0): WholeAnswer {
  const text = JSON.stringify(body, null, indent);
  return {
    kind: 'whole',
    status,
    headers: [['content-type', 'application/json'], ...headers],
    body: encoder.encode(text),
  };
}

/** An answer whose body is text of another type. */
export function textAnswer(status: number, contentType: string, text: string): WholeAnswer {
  return { kind: 'whole', status, headers: [['content-type', contentType]], body: encoder.encode(text) };
}

/** An event without a name, as OpenAI and Azure send it. */
export function dataEvent(data: unknown, role: StreamEvent['role'] = 'data'): StreamEvent {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return { role, bytes: encoder.encode(`data: ${text}\n\n`) };
}

/** An event with its name, as Anthropic sends it. */
export function namedEvent(name: string, data: unknown, role: StreamEvent['role'] = 'data'): StreamEvent {
  return { role, bytes: encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`) };
}
