import type { Clock, Timer } from '../core/clock.ts';
import type { Failure } from '../core/outcome.ts';
import { type Millis, minus, plus } from '../core/units.ts';
import type { Usage } from '../core/usage.ts';
import type { Encoder } from '../endpoints/endpoint.ts';
import type { StreamSink } from '../providers/provider.ts';
import type { ClientStream } from '../transport/server.ts';
import type { ChatChunk } from '../wire/openai/chat.ts';
import type { SseEvent } from '../wire/sse.ts';
import { responseIdIn } from './response-id.ts';

/** Bytes held for a client that is not attached yet before the upstream has to wait. */
const HELD_LIMIT = 256 * 1024;

const EVENT_END = Buffer.from('\n\n');
const NEWLINE = 0x0a;
/** `[DONE]`, the only payload of this length that starts with a bracket. */
const DONE_LENGTH = 6;
const BRACKET = 0x5b;

/** What the relay tells its attempt. */
export interface RelayListener {
  /** The first output that means something: the answer is ours now. */
  onCommit(): void;
  /** The client reads slower than the upstream writes. */
  onBacklog(): void;
  onDrained(): void;
  /** The protocol ended, well (null) or badly. Called once; nothing is written afterwards but `finish`'s own end. */
  onProtocolEnd(failure: Failure | null): void;
}

/**
 * One streamed answer on its way from the decoder to the client.
 *
 * held ──meaningful──▶ committed ──finish──▶ ended
 *
 * 1. Nothing reaches the client before the first output that means something.
 * 2. Only whole events are written, in order, each once.
 * 3. A stream that broke ends with the dialect's error event and without `[DONE]`; a whole one ends with `[DONE]`.
 */
export class Relay implements StreamSink {
  readonly #encoder: Encoder;
  readonly #passThrough: boolean;
  readonly #listener: RelayListener;
  readonly #clock: Clock;
  /** Silence towards the client after which a comment keeps proxies and clients from hanging up; 0 for never. */
  readonly #patience: Millis;
  #state: 'held' | 'committed' | 'ended' = 'held';
  #stream: ClientStream | null = null;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #isBlocked = false;
  #protocolEnded = false;
  #sawDone = false;
  #lastByte = NEWLINE;
  #tail: Uint8Array | null = null;
  #usage: Usage | null = null;
  #responseId: string | null = null;
  #hasWritten = false;
  /** Events of one read that are neighbours in its buffer leave in one write. */
  #range: Buffer | null = null;
  #from = 0;
  #to = 0;
  #parts: Uint8Array[] = [];
  #lastWrite: Millis;
  #keepAlive: Timer | null = null;

  constructor(encoder: Encoder, passThrough: boolean, listener: RelayListener, clock: Clock, keepAlive: Millis) {
    this.#encoder = encoder;
    this.#passThrough = passThrough;
    this.#listener = listener;
    this.#clock = clock;
    this.#patience = keepAlive;
    this.#lastWrite = clock.now();
  }

  get isCommitted(): boolean {
    return this.#state !== 'held';
  }

  get latestUsage(): Usage | null {
    return this.#usage;
  }

  /** The id in the first event that the client got. */
  get responseId(): string | null {
    return this.#responseId;
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  forward(event: SseEvent): void {
    if (!this.#passThrough) {
      this.#forwardTranslated(event);
      return;
    }
    if (event.dataEnd - event.dataStart === DONE_LENGTH && event.bytes[event.dataStart] === BRACKET)
      this.#sawDone = true;
    if (this.#range === event.bytes && this.#to === event.start) {
      this.#to = event.end;
      return;
    }
    this.#closeRange();
    this.#range = event.bytes;
    this.#from = event.start;
    this.#to = event.end;
  }

  /** The facet forwards its own dialect, but the client speaks another: the payload is a hub chunk. */
  #forwardTranslated(event: SseEvent): void {
    const data = event.data();
    if (data.trim() === '[DONE]') return;
    // The decoder has looked at this payload and found a chunk.
    this.chunk(JSON.parse(data) as ChatChunk);
  }

  chunk(chunk: ChatChunk): void {
    const bytes = this.#encoder.chunk(chunk);
    if (bytes === null) return;
    this.#closeRange();
    this.#parts.push(bytes);
  }

  /** Whole bytes for the client from outside a decoder. */
  raw(bytes: Uint8Array): void {
    this.#closeRange();
    this.#parts.push(bytes);
  }

  meaningful(): void {
    if (this.#state !== 'held') return;
    this.#state = 'committed';
    this.#listener.onCommit();
  }

  usage(usage: Usage): void {
    this.#usage = usage;
  }

  complete(): void {
    if (this.#protocolEnded) return;
    this.#protocolEnded = true;
    // An answer may be whole without having said anything.
    this.meaningful();
    this.flush();
    this.#listener.onProtocolEnd(null);
  }

  fail(outcome: Failure): void {
    if (this.#protocolEnded) return;
    this.#protocolEnded = true;
    this.flush();
    this.#listener.onProtocolEnd(outcome);
  }

  /** Hands on what the current read produced; called once after each read. */
  flush(): void {
    this.#closeRange();
    const parts = this.#parts;
    if (parts.length === 0) return;
    const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
    this.#parts = [];
    this.#write(bytes);
  }

  #closeRange(): void {
    if (this.#range === null) return;
    // A read is often one event and nothing else.
    const isAll = this.#from === 0 && this.#to === this.#range.length;
    this.#parts.push(isAll ? this.#range : this.#range.subarray(this.#from, this.#to));
    this.#range = null;
  }

  #write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (!this.#hasWritten) {
      this.#hasWritten = true;
      this.#responseId = responseIdIn(bytes);
    }
    this.#lastByte = bytes[bytes.length - 1] as number;
    if (this.#stream === null) {
      this.#held.push(bytes);
      this.#heldBytes += bytes.length;
      if (this.#heldBytes > HELD_LIMIT) this.#block();
      return;
    }
    this.#lastWrite = this.#clock.now();
    if (!this.#stream.write(bytes)) this.#block();
  }

  #block(): void {
    if (this.#isBlocked) return;
    this.#isBlocked = true;
    this.#listener.onBacklog();
  }

  #unblock(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.#listener.onDrained();
  }

  /** The client can be written to: everything held goes out. */
  attach(stream: ClientStream): void {
    this.#stream = stream;
    stream.onDrain(() => this.#unblock());
    this.#lastWrite = this.#clock.now();
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    const hasRoom =
      held.length === 0 || stream.write(held.length === 1 ? (held[0] as Uint8Array) : Buffer.concat(held));
    if (hasRoom) this.#unblock();
    else this.#block();
    if (this.#state === 'ended') this.#close(stream);
    else this.#watchSilence();
  }

  /** Ends the client's stream: with the encoder's end when `tail` is null, else with that error event. */
  finish(tail: Uint8Array | null): void {
    if (this.#state === 'ended') return;
    this.flush();
    this.#state = 'ended';
    this.#keepAlive?.cancel();
    this.#tail = tail ?? (this.#sawDone && this.#passThrough ? null : this.#encoder.done);
    if (this.#stream !== null) this.#close(this.#stream);
  }

  #close(stream: ClientStream): void {
    if (this.#tail !== null) {
      // An upstream may have ended inside its last event's blank line.
      if (this.#lastByte !== NEWLINE) stream.write(EVENT_END);
      stream.write(this.#tail);
    }
    stream.end();
  }

  /** The client is gone, or has read nothing for too long: its connection is cut, should there be one still. */
  abandon(): void {
    if (this.#state !== 'ended') this.#stream?.cut();
    this.#state = 'ended';
    this.#protocolEnded = true;
    this.#keepAlive?.cancel();
    this.#held = [];
    this.#parts = [];
    this.#range = null;
  }

  #watchSilence(): void {
    // 0 turns the comments off.
    if (this.#patience <= 0) return;
    const due = plus(this.#lastWrite, this.#patience);
    const wait = minus(due, this.#clock.now());
    this.#keepAlive = this.#clock.after(wait > 0 ? wait : this.#patience, () => {
      if (this.#state !== 'committed') return;
      const silent = minus(this.#clock.now(), this.#lastWrite) >= this.#patience;
      if (silent && !this.#isBlocked) this.#write(this.#encoder.keepAlive);
      this.#watchSilence();
    });
  }
}
