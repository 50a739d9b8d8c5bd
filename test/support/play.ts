import type { Failure } from '../../src/core/outcome.ts';
import type { Usage } from '../../src/core/usage.ts';
import type { StreamDecoder, StreamSink } from '../../src/providers/provider.ts';
import { SseSplitter } from '../../src/wire/sse.ts';

/** What one stream led to. */
export interface Played {
  /** What the client reads: forwarded events, encoded chunks, and the `[DONE]` that a whole answer ends with. */
  readonly client: Buffer;
  /** Every call of the sink, in order and with its arguments. */
  readonly calls: readonly string[];
  readonly usage: Usage | null;
  readonly end: 'complete' | 'failed' | 'open';
  readonly failure: Failure | null;
}

const DONE = 'data: [DONE]\n\n';

/** Runs a decoder over the reads of one body, to its end. Whatever it says after the end is recorded as well. */
export function play(decoder: StreamDecoder, reads: readonly Buffer[]): Played {
  const sink = new RecordingSink();
  const splitter = new SseSplitter();
  for (const read of reads) splitter.push(read, (event) => decoder.push(event, sink));
  splitter.end((event) => decoder.push(event, sink));
  decoder.end(sink);
  return sink.played();
}

/** The reads of a body cut at these offsets. */
export function cut(body: Buffer, offsets: readonly number[]): readonly Buffer[] {
  const ends = [...offsets, body.length];
  return ends.map((end, index) => body.subarray(index === 0 ? 0 : ends[index - 1], end));
}

class RecordingSink implements StreamSink {
  readonly #calls: string[] = [];
  #client = '';
  #usage: Usage | null = null;
  #end: Played['end'] = 'open';
  #failure: Failure | null = null;
  #sawDone = false;

  forward(event: Parameters<StreamSink['forward']>[0]): void {
    const bytes = event.bytes.toString('latin1', event.start, event.end);
    if (event.data().trim() === '[DONE]') this.#sawDone = true;
    this.#client += bytes;
    this.#calls.push(`forward ${bytes}`);
  }

  chunk(chunk: Parameters<StreamSink['chunk']>[0]): void {
    const json = JSON.stringify(chunk);
    this.#client += Buffer.from(`data: ${json}\n\n`).toString('latin1');
    this.#calls.push(`chunk ${json}`);
  }

  meaningful(): void {
    this.#calls.push('meaningful');
  }

  usage(usage: Usage): void {
    this.#usage = usage;
    this.#calls.push(`usage ${JSON.stringify(usage)}`);
  }

  complete(): void {
    this.#end = 'complete';
    if (!this.#sawDone) this.#client += DONE;
    this.#calls.push('complete');
  }

  fail(outcome: Failure): void {
    this.#end = 'failed';
    this.#failure = outcome;
    this.#calls.push(`fail ${JSON.stringify(outcome)}`);
  }

  played(): Played {
    return {
      client: Buffer.from(this.#client, 'latin1'),
      calls: this.#calls,
      usage: this.#usage,
      end: this.#end,
      failure: this.#failure,
    };
  }
}
