import type { Socket } from 'node:net';
import type { Clock, Timer } from '../core/clock.ts';
import { millis } from '../core/units.ts';
import type { Script, Step } from './script.ts';

/** Steps of one write are joined up to this many bytes. */
const MAX_WRITE = 256 * 1024;

/** What the player reports. */
export interface PlayerEvents {
  onSent(bytes: number): void;
  /** All steps are sent; called once, and not after `stop`. */
  onDone(ending: Script['ending']): void;
}

/**
 * Sends a script over a socket: waits, writes, heeds back-pressure, then ends as the script says.
 *
 * @returns a function that stops it where it is
 */
export function play(script: Script, socket: Socket, clock: Clock, events: PlayerEvents): () => void {
  let index = 0;
  let timer: Timer | null = null;
  let isStopped = false;

  const next = (): void => {
    if (isStopped) return;
    const step = script.steps[index];
    if (step === undefined) finish();
    else if (step.delay === null) send();
    else timer = clock.after(millis(step.delay), send);
  };
  const send = (): void => {
    if (isStopped) return;
    const batch = takeBatch(script.steps, index);
    index += batch.length;
    const bytes = batch.length === 1 && batch[0] ? batch[0].bytes : Buffer.concat(batch.map((step) => step.bytes));
    events.onSent(bytes.length);
    if (socket.write(bytes)) next();
    else socket.once('drain', next);
  };
  const finish = (): void => {
    isStopped = true;
    end(script.ending, socket);
    events.onDone(script.ending);
  };

  next();
  return () => {
    isStopped = true;
    timer?.cancel();
  };
}

/** The step at `index` and those that may share its write. */
function takeBatch(steps: readonly Step[], index: number): Step[] {
  const batch: Step[] = [];
  let size = 0;
  for (let at = index; at < steps.length; at++) {
    const step = steps[at];
    if (step === undefined || (at > index && (step.delay !== null || size + step.bytes.length > MAX_WRITE))) break;
    batch.push(step);
    size += step.bytes.length;
  }
  return batch;
}

function end(ending: Script['ending'], socket: Socket): void {
  switch (ending) {
    case 'keep':
    case 'stall':
      return;
    case 'fin':
      socket.end();
      return;
    case 'reset':
      socket.resetAndDestroy();
      return;
  }
}
