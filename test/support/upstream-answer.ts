import type { HeaderPair } from '../../src/core/http.ts';
import type { OutboundRequest, Upstream, UpstreamCall, UpstreamFault } from '../../src/transport/upstream.ts';

/** What a call through an `Upstream` has brought so far. */
export interface UpstreamAnswer {
  readonly call: UpstreamCall;
  readonly status: number | null;
  readonly headers: readonly HeaderPair[];
  /** Body so far, as latin-1. */
  readonly body: string;
  readonly bodyBytes: number;
  readonly isSent: boolean;
  readonly fault: UpstreamFault | null;
  /** Every event in order: `sent`, `head 200`, `data 5`, `end`, `error closed`. */
  readonly events: readonly string[];
  /** Resolves with the ending: `end`, or the kind of the fault. */
  readonly ending: Promise<'end' | UpstreamFault['kind']>;
  /** Resolves once `isTrue` holds; asked after every event. */
  until(isTrue: (answer: UpstreamAnswer) => boolean): Promise<void>;
}

export interface AnswerOptions {
  /** Keep no body, only count it. */
  readonly discard?: 'discard';
  readonly onData?: (bytes: Buffer) => void;
  readonly onEnd?: () => void;
}

/** A POST with a small JSON body. */
export function post(url: string, body: string | Uint8Array = '{}'): OutboundRequest {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return { method: 'POST', url, headers: [['content-type', 'application/json']], body: [bytes] };
}

/** Sends a request and gathers what comes back. Throws when the contract on events is broken. */
export function ask(upstream: Upstream, request: OutboundRequest, options: AnswerOptions = {}): UpstreamAnswer {
  const events: string[] = [];
  const chunks: Buffer[] = [];
  const ending = Promise.withResolvers<'end' | UpstreamFault['kind']>();
  let waiting: { isTrue: (answer: UpstreamAnswer) => boolean; resolve: () => void }[] = [];
  let status: number | null = null;
  let headers: readonly HeaderPair[] = [];
  let fault: UpstreamFault | null = null;
  let bodyBytes = 0;
  let isOver = false;
  let hasReturned = false;

  const note = (event: string): void => {
    if (!hasReturned) ending.reject(new Error(`${event} came before the call had returned`));
    if (isOver) ending.reject(new Error(`${event} came after the end: ${events.join(', ')}`));
    events.push(event);
  };
  const wake = (): void => {
    const now = waiting.filter((one) => one.isTrue(answer));
    waiting = waiting.filter((one) => !now.includes(one));
    for (const one of now) one.resolve();
  };

  const call = upstream.request(request, {
    onConnected() {},
    onSent() {
      note('sent');
      wake();
    },
    onHead(code, pairs) {
      note(`head ${code}`);
      status = code;
      headers = pairs;
      wake();
    },
    onData(bytes) {
      note(`data ${bytes.length}`);
      bodyBytes += bytes.length;
      if (options.discard === undefined) chunks.push(bytes);
      options.onData?.(bytes);
      wake();
    },
    onEnd() {
      note('end');
      isOver = true;
      options.onEnd?.();
      ending.resolve('end');
      wake();
    },
    onError(reason) {
      note(`error ${reason.kind}`);
      isOver = true;
      fault = reason;
      ending.resolve(reason.kind);
      wake();
    },
  });
  hasReturned = true;

  const answer: UpstreamAnswer = {
    call,
    events,
    ending: ending.promise,
    get status() {
      return status;
    },
    get headers() {
      return headers;
    },
    get body() {
      return Buffer.concat(chunks).toString('latin1');
    },
    get bodyBytes() {
      return bodyBytes;
    },
    get isSent() {
      return events.includes('sent');
    },
    get fault() {
      return fault;
    },
    until: (isTrue) =>
      isTrue(answer) ? Promise.resolve() : new Promise((resolve) => waiting.push({ isTrue, resolve })),
  };
  return answer;
}
