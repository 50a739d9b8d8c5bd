import type { OutboundRequest, Upstream, UpstreamCall, UpstreamHandlers } from '../../src/transport/upstream.ts';

/** An upstream without sockets: the test plays the provider, call by call. */
export class FakeUpstream implements Upstream {
  readonly calls: FakeCall[] = [];

  request(request: OutboundRequest, handlers: UpstreamHandlers): UpstreamCall {
    const call = new FakeCall(request, handlers);
    this.calls.push(call);
    return call;
  }

  close(): void {}

  /** The newest call. */
  get last(): FakeCall {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error('nothing was sent');
    return call;
  }
}

export class FakeCall implements UpstreamCall {
  readonly request: OutboundRequest;
  readonly handlers: UpstreamHandlers;
  isAborted = false;
  isPaused = false;

  constructor(request: OutboundRequest, handlers: UpstreamHandlers) {
    this.request = request;
    this.handlers = handlers;
  }

  abort(): void {
    this.isAborted = true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  /** The request went out and the head came back. */
  head(status = 200, type = 'text/event-stream'): this {
    this.handlers.onConnected();
    this.handlers.onSent();
    this.handlers.onHead(status, [['content-type', type]]);
    return this;
  }

  data(text: string): this {
    this.handlers.onData(Buffer.from(text));
    return this;
  }

  end(): void {
    this.handlers.onEnd();
  }
}
