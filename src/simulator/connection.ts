import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { type Answer, textAnswer } from './answer.ts';
import { play } from './player.ts';
import type { Ending, OpenRecord } from './request-log.ts';
import { type RawRequest, RequestReader } from './request-reader.ts';
import { type Script, script } from './script.ts';

/** What to send for a request, and the record to keep of it (null for admin calls). */
export interface Performance {
  readonly script: Script;
  readonly record: OpenRecord | null;
}

export interface ConnectionOptions {
  readonly clock: Clock;
  /** Decides about one request. */
  perform(request: RawRequest): Performance;
  /** A record has changed. */
  onChange(): void;
}

export interface Connection {
  /** Ends it at once, whatever runs. */
  stop(): void;
  /** Ends it in order unless an answer runs. */
  closeIfIdle(): void;
}

/**
 * Serves one client connection: requests one after another, each answered by its script.
 *
 * While an answer runs the socket is still read, so that a client that leaves is noticed at once.
 */
export function serveConnection(socket: Socket, options: ConnectionOptions): Connection {
  const { clock } = options;
  const reader = new RequestReader();
  let running: { record: OpenRecord | null; stop: () => void } | null = null;

  const settle = (ending: Ending): void => {
    const record = running?.record;
    running?.stop();
    running = null;
    if (record?.ending !== 'pending') return;
    record.ending = ending;
    record.endedAt = clock.now();
    options.onChange();
  };
  const take = (): void => {
    while (running === null && !socket.destroyed && socket.writable) {
      const read = reader.next();
      if (read.kind === 'more') return;
      if (read.kind === 'expects-continue') socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      else if (read.kind === 'malformed') {
        refuse(socket, read.message);
        return;
      } else {
        running = { record: null, stop: () => {} }; // busy already while it is decided what to answer
        start(options.perform(read.request));
      }
    }
  };
  const start = ({ script, record }: Performance): void => {
    running = { record, stop: () => {} };
    const stop = play(script, socket, clock, {
      onSent: (bytes) => {
        if (record) record.bytesSent += bytes;
      },
      onDone: (ending) => {
        if (ending === 'stall') {
          if (record) record.isStalled = true;
          options.onChange();
          return;
        }
        settle(endingOf(script));
        if (ending === 'keep') queueMicrotask(take);
      },
    });
    // A script without waits is over already.
    if (running !== null) running = { record, stop };
  };

  socket.setNoDelay(true);
  socket.on('data', (bytes) => {
    reader.push(bytes as Uint8Array); // no encoding is set, so these are bytes
    take();
  });
  socket.on('end', () => settle('client-closed'));
  socket.on('close', () => settle('client-closed'));
  socket.on('error', () => settle('client-closed'));
  return {
    stop: () => {
      settle('stopped');
      socket.destroy();
    },
    closeIfIdle: () => {
      if (running === null) socket.end();
    },
  };
}

/** How the record calls the end of a script that was played whole. */
function endingOf(script: Script): Ending {
  if (script.ending === 'reset') return 'reset';
  if (script.steps.length === 0) return 'closed';
  return script.isCut ? 'ended-early' : 'complete';
}

function refuse(socket: Socket, message: string): void {
  const answer: Answer = textAnswer(400, 'text/plain', `simulator: ${message}\n`);
  const { steps } = script(answer, { faults: [], eventGap: 0, keepAlive: false, failure: noFailure });
  for (const step of steps) socket.write(step.bytes);
  socket.end();
}

function noFailure(): never {
  throw new Error('a refusal has no faults');
}
