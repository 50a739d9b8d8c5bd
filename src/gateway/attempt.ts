import type { Clock, Timer } from '../core/clock.ts';
import type { HeaderPair } from '../core/http.ts';
import type { Failure, TimeoutPhase } from '../core/outcome.ts';
import { earliest, type Millis, millis, minus, plus } from '../core/units.ts';
import type { Encoder } from '../endpoints/endpoint.ts';
import type {
  CallContext,
  Facet,
  Provider,
  Reply,
  ReplyHead,
  StreamDecoder,
  UpstreamRequest,
} from '../providers/provider.ts';
import type { AttemptLimits } from '../router/route.ts';
import { type Decompressor, decompressor } from '../transport/decompress.ts';
import type { Upstream, UpstreamCall, UpstreamFault, UpstreamHandlers } from '../transport/upstream.ts';
import { type SseEvent, SseSplitter } from '../wire/sse.ts';
import { type BodyMode, modeOf, withoutBlanks } from './body-mode.ts';
import { Relay, type RelayListener } from './relay.ts';
import { wholeAsEvents } from './whole-as-stream.ts';
import { withoutCredentials } from './without-credentials.ts';

/** Most bytes of an error answer that are read; the rest says nothing new. */
const ERROR_BODY_LIMIT = 1024 * 1024;
/** How long the rest of a body may take after its protocol ended, before the connection is given up. */
const DRAIN_PATIENCE = millis(2_000);
/** A client that reads nothing for this long is dropped (transport.md §5). */
const CLIENT_PATIENCE = millis(300_000);

/** A whole answer that is one. */
export type ReplyToClient = Exclude<Reply, { kind: 'failed' }>;

/** How an attempt ended, or that its stream now belongs to the client. */
export type AttemptEnd =
  | { readonly kind: 'reply'; readonly reply: ReplyToClient; readonly head: AnswerHead }
  | { readonly kind: 'stream'; readonly relay: Relay; readonly head: AnswerHead; readonly whole: Promise<StreamEnd> }
  | { readonly kind: 'failed'; readonly outcome: Failure };

/** How a committed stream ended; null when its protocol says it is whole. */
export interface StreamEnd {
  readonly failure: Failure | null;
}

/** The upstream's status and headers. */
export class AnswerHead implements ReplyHead {
  readonly status: number;
  readonly pairs: readonly HeaderPair[];

  constructor(status: number, pairs: readonly HeaderPair[]) {
    this.status = status;
    this.pairs = pairs;
  }

  header(name: string): string | null {
    let value: string | null = null;
    for (const [key, text] of this.pairs) if (key === name) value = value === null ? text : `${value}, ${text}`;
    return value;
  }
}

export interface AttemptPlan {
  readonly provider: Provider;
  readonly facet: Facet;
  readonly context: CallContext;
  readonly limits: AttemptLimits;
  readonly encoder: Encoder;
  readonly passThrough: boolean;
  readonly maxResponseBytes: number;
  /** Silence towards the client that is broken by a comment. */
  readonly keepAlive: Millis;
  /** Hears of errors that translating code threw; the attempt fails then. */
  readonly report: (error: unknown) => void;
}

type Phase = 'connecting' | 'sending' | 'waiting' | 'reading' | 'relaying' | 'draining' | 'over';

/**
 * One try at one deployment: a call, its time limits and what becomes of its answer.
 *
 * connecting ─open─▶ sending ─sent─▶ waiting ─head─▶ reading ─commit─▶ relaying ─protocol end─▶ draining ─▶ over
 *
 * 1. `done` settles once: with a whole reply, with a committed stream, or with a failure.
 * 2. Before the commit point a failure is silent, so that another deployment can be tried.
 * 3. An event stream is whole only when its protocol says so, never because the transport ended.
 * 4. The idle limit runs only while the upstream is waited for, not while the client is slow.
 * 5. Whatever the end, the connection is given back or closed, and the timer is gone.
 * 6. Code that translates may throw (it must not): the attempt fails at once, it never waits for a timer.
 */
export class Attempt implements UpstreamHandlers, RelayListener {
  readonly done: Promise<AttemptEnd>;
  /** Whether the upstream has been sent the whole request: nothing of it is needed any more. */
  hasSent = false;
  readonly #plan: AttemptPlan;
  readonly #clock: Clock;
  readonly #relay: Relay;
  readonly #settle: (end: AttemptEnd) => void;
  #endStream: ((end: StreamEnd) => void) | null = null;
  #call: UpstreamCall | null = null;
  #phase: Phase = 'connecting';
  #mode: BodyMode = 'undecided';
  #head: AnswerHead | null = null;
  #inflate: Decompressor | null = null;
  #splitter: SseSplitter | null = null;
  #decoder: StreamDecoder | null = null;
  #chunks: Buffer[] = [];
  #size = 0;
  #timer: Timer | null = null;
  #lastByte: Millis;
  #blockedSince: Millis | null = null;

  constructor(plan: AttemptPlan, clock: Clock) {
    this.#plan = plan;
    this.#clock = clock;
    this.#lastByte = clock.now();
    this.#relay = new Relay(plan.encoder, plan.passThrough, this, clock, plan.keepAlive);
    const { promise, resolve } = Promise.withResolvers<AttemptEnd>();
    this.done = promise;
    this.#settle = (end) => resolve(end.kind === 'failed' ? { ...end, outcome: this.#clean(end.outcome) } : end);
  }

  /**
   * Sends the request; everything else comes back through the handlers.
   *
   * The request is not kept: its body would lie in memory for as long as the answer streams.
   */
  start(upstream: Upstream, request: UpstreamRequest): this {
    this.#arm();
    this.#call = upstream.request(
      { method: request.method, url: request.url, headers: request.headers, body: request.body },
      this,
    );
    return this;
  }

  /** The client went away: the upstream is closed at once. */
  abandon(): void {
    if (this.#phase === 'over') return;
    const wasRelaying = this.#phase === 'relaying';
    this.#relay.abandon();
    this.#close();
    if (wasRelaying) this.#endStream?.({ failure: { kind: 'client-gone' } });
    else this.#settle({ kind: 'failed', outcome: { kind: 'client-gone' } });
  }

  /** Nobody waits for the answer any longer, but the client is there and is told. */
  giveUp(outcome: Failure): void {
    if (!this.#isProtocolOver()) this.#fail(outcome);
  }

  // What the transport says.

  onConnected(): void {
    if (this.#phase !== 'connecting') return;
    this.#phase = 'sending';
    this.#lastByte = this.#clock.now();
    // The timer looks again when it fires; it is set anew only when the next limit may come before.
    const { firstByte, connect } = this.#plan.limits;
    if (firstByte < connect) this.#rearm();
  }

  onSent(): void {
    this.hasSent = true;
    if (this.#phase !== 'sending') return;
    this.#phase = 'waiting';
    this.#lastByte = this.#clock.now();
  }

  onHead(status: number, headers: readonly HeaderPair[]): void {
    if (this.#phase === 'over') return;
    this.#guarded(() => this.#takeHead(status, headers));
  }

  #takeHead(status: number, headers: readonly HeaderPair[]): void {
    this.#phase = 'reading';
    const head = new AnswerHead(status, headers);
    this.#head = head;
    this.#lastByte = this.#clock.now();
    const coding = head.header('content-encoding');
    if (coding !== null && coding !== 'identity') {
      this.#inflate = decompressor(coding, {
        onData: (bytes) => this.#guarded(() => this.#body(bytes)),
        onEnd: () => this.#guarded(() => this.#bodyEnd()),
        onError: (message) =>
          this.#fail({ kind: 'broken-stream', committed: this.#relay.isCommitted, detail: message }),
      });
      if (this.#inflate === null) {
        this.#fail({ kind: 'broken-stream', committed: false, detail: `unknown content-encoding ${coding}` });
        return;
      }
    }
    this.#mode = this.#bodyMode(head);
  }

  /** Some hosts answer a stream request with plain JSON, or call their events something else: the bytes decide. */
  #bodyMode(head: AnswerHead): BodyMode {
    if (!this.#plan.context.isStreaming || !isSuccess(head.status)) return 'whole';
    const type = head.header('content-type')?.toLowerCase() ?? '';
    return type.startsWith('text/event-stream') ? 'events' : 'undecided';
  }

  onData(bytes: Buffer): void {
    if (this.#phase === 'over' || this.#phase === 'draining') return;
    this.#lastByte = this.#clock.now();
    if (this.#inflate !== null) {
      this.#inflate.push(bytes);
      return;
    }
    try {
      this.#body(bytes);
    } catch (error) {
      this.#crash(error);
    }
  }

  onEnd(): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'draining') {
      this.#release();
      return;
    }
    if (this.#inflate !== null) this.#inflate.end();
    else this.#guarded(() => this.#bodyEnd());
  }

  onError(fault: UpstreamFault): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'draining') {
      this.#release();
      return;
    }
    const isUnderstood = fault.kind === 'connect' || fault.kind === 'closed';
    if (fault.kind === 'connect' || (this.#head === null && isUnderstood)) {
      this.#fail({ kind: 'connect-failed', code: fault.code });
      return;
    }
    const detail = `${fault.message} (${fault.code})`;
    this.#fail({ kind: 'broken-stream', committed: this.#relay.isCommitted, detail });
  }

  // What becomes of the body.

  #body(bytes: Buffer): void {
    if (this.#phase === 'over' || this.#phase === 'draining') return;
    if (this.#mode === 'events') this.#events(bytes);
    else if (this.#mode === 'whole') this.#collect(bytes);
    else this.#decide(bytes);
  }

  /** Collects until the first bytes tell what the body is: they may come one by one. */
  #decide(bytes: Buffer): void {
    const start = this.#chunks.length === 0 ? bytes : Buffer.concat([...this.#chunks, bytes]);
    this.#mode = modeOf(start);
    if (this.#mode !== 'events') {
      this.#collect(bytes);
      return;
    }
    this.#chunks = [];
    this.#events(withoutBlanks(start));
  }

  #collect(bytes: Buffer): void {
    this.#size += bytes.length;
    const limit = isSuccess(this.#head?.status ?? 0) ? this.#plan.maxResponseBytes : ERROR_BODY_LIMIT;
    if (this.#size > limit) {
      this.#fail({ kind: 'broken-stream', committed: false, detail: `the answer is larger than ${limit} bytes` });
      return;
    }
    this.#chunks.push(bytes);
  }

  // One function for all reads: a stream may have thousands of them.
  readonly #onEvent = (event: SseEvent): void => {
    if (this.#phase !== 'draining' && this.#phase !== 'over') this.#decoder?.push(event, this.#relay);
  };

  #events(bytes: Buffer): void {
    this.#splitter ??= new SseSplitter();
    this.#decoder ??= this.#plan.facet.stream(this.#plan.context);
    const fault = this.#splitter.push(bytes, this.#onEvent);
    this.#relay.flush();
    if (fault !== null)
      this.#fail({ kind: 'broken-stream', committed: this.#relay.isCommitted, detail: fault.message });
  }

  #bodyEnd(): void {
    if (this.#phase === 'over' || this.#phase === 'draining') return;
    if (this.#mode === 'events') {
      this.#eventsEnd();
      return;
    }
    const head = this.#head;
    if (head === null) return;
    const body = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    this.#chunks = [];
    if (!isSuccess(head.status)) {
      this.#release();
      this.#settle({ kind: 'failed', outcome: this.#plan.provider.classify(head, body) });
      return;
    }
    const reply = this.#plan.facet.reply(head, body, this.#plan.context);
    this.#release();
    if (reply.kind === 'failed') this.#settle({ kind: 'failed', outcome: reply.outcome });
    else if (this.#plan.context.isStreaming) this.#streamWhole(reply);
    else this.#settle({ kind: 'reply', reply, head });
  }

  #eventsEnd(): void {
    this.#splitter?.end(this.#onEvent);
    if (!this.#isProtocolOver()) this.#decoder?.end(this.#relay);
    // The body is over: what the decoder did not end is broken.
    if (this.#isProtocolOver()) this.#release();
    else
      this.#fail({
        kind: 'broken-stream',
        committed: this.#relay.isCommitted,
        detail: 'the stream ended without its end',
      });
  }

  #isProtocolOver(): boolean {
    return this.#phase === 'draining' || this.#phase === 'over';
  }

  /** A host ignored `stream` and sent a whole answer: the client gets it as a stream all the same. */
  #streamWhole(reply: ReplyToClient): void {
    const { facet, encoder, context } = this.#plan;
    // Before the commit point, since a long answer may turn out to be unreadable.
    const events = wholeAsEvents(reply, facet, encoder, context.wantsUsage ? 'with-usage' : 'without-usage');
    this.#phase = 'reading';
    if (reply.usage !== null) this.#relay.usage(reply.usage);
    this.#relay.meaningful();
    this.#relay.raw(events);
    this.#relay.complete();
    this.#release();
  }

  // What the relay says.

  onCommit(): void {
    this.#phase = 'relaying';
    const { promise, resolve } = Promise.withResolvers<StreamEnd>();
    this.#endStream = resolve;
    // The head is there: nothing commits before it.
    this.#settle({ kind: 'stream', relay: this.#relay, head: this.#head as AnswerHead, whole: promise });
  }

  onBacklog(): void {
    if (!this.#relay.isCommitted) {
      // Nobody reads what is held before the commit point, so waiting would help nobody.
      this.#fail({ kind: 'broken-stream', committed: false, detail: 'it goes on and on without saying anything' });
      return;
    }
    this.#blockedSince = this.#clock.now();
    this.#call?.pause();
  }

  onDrained(): void {
    this.#blockedSince = null;
    this.#lastByte = this.#clock.now();
    this.#call?.resume();
  }

  onProtocolEnd(failure: Failure | null): void {
    if (failure !== null) {
      this.#fail(failure);
      return;
    }
    this.#phase = 'draining';
    this.#timer?.cancel();
    this.#timer = this.#clock.after(DRAIN_PATIENCE, () => this.#close());
    this.#call?.resume();
    this.#endStream?.({ failure: null });
  }

  // Limits and endings.

  #arm(): void {
    const wait = minus(this.#due(), this.#clock.now());
    this.#timer = this.#clock.after(wait > 0 ? wait : millis(0), () => this.#check());
  }

  #rearm(): void {
    this.#timer?.cancel();
    this.#arm();
  }

  /** When the nearest limit is reached if no byte comes until then. */
  #due(): Millis {
    const { limits } = this.#plan;
    if (this.#blockedSince !== null) return earliest(plus(this.#blockedSince, CLIENT_PATIENCE), limits.deadline);
    return earliest(plus(this.#lastByte, this.#limit()), limits.deadline);
  }

  #limit(): Millis {
    const { limits } = this.#plan;
    if (this.#phase === 'connecting') return limits.connect;
    return this.#phase === 'relaying' || this.#chunks.length > 0 ? limits.idle : limits.firstByte;
  }

  /** The timer is set once for a limit and looks again when it fires, so that bytes cost no timer. */
  #check(): void {
    if (this.#phase === 'over' || this.#phase === 'draining') return;
    const now = this.#clock.now();
    if (now < this.#due()) {
      this.#arm();
      return;
    }
    if (now >= this.#plan.limits.deadline) {
      this.#fail({ kind: 'timeout', phase: 'total', limit: this.#plan.limits.deadline });
    } else if (this.#blockedSince !== null) {
      this.abandon();
    } else {
      this.#fail({ kind: 'timeout', phase: this.#timeoutPhase(), limit: this.#limit() });
    }
  }

  #timeoutPhase(): TimeoutPhase {
    if (this.#phase === 'connecting') return 'connect';
    return this.#phase === 'relaying' || this.#chunks.length > 0 ? 'idle' : 'first-byte';
  }

  #fail(outcome: Failure): void {
    if (this.#phase === 'over') return;
    const wasCommitted = this.#relay.isCommitted;
    this.#close();
    if (wasCommitted) this.#endStream?.({ failure: this.#clean(committedFailure(outcome)) });
    else this.#settle({ kind: 'failed', outcome });
  }

  #clean(outcome: Failure): Failure {
    return withoutCredentials(outcome, this.#plan.context.deployment.upstream);
  }

  /** Runs a step that calls translating code: whatever it throws, the attempt ends (and not by a timer). */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#crash(error);
    }
  }

  /** A fault of ours, met by an odd answer: reported, and to the router a broken answer like any other. */
  #crash(error: unknown): void {
    this.#plan.report(error);
    const committed = this.#relay.isCommitted;
    const failure: Failure = { kind: 'broken-stream', committed, detail: 'the gateway could not read it' };
    this.#close();
    if (committed) this.#endStream?.({ failure });
    else this.#settle({ kind: 'failed', outcome: failure });
  }

  /** The connection goes back to the pool by itself. */
  #release(): void {
    this.#phase = 'over';
    this.#timer?.cancel();
  }

  #close(): void {
    this.#release();
    this.#call?.abort();
    this.#inflate?.destroy();
  }
}

function committedFailure(outcome: Failure): Failure {
  return outcome.kind === 'broken-stream' ? { ...outcome, committed: true } : outcome;
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
