import type { ClientStream } from './server.ts';

/** Hears that the answer is complete. */
interface Finish {
  finish(): void;
}

/**
 * A streamed answer over a `direct` stream of Bun: 10 µs of CPU an event against 12.5 for a pull stream (relay of 200
 * streams with our own client, Bun 1.4.5, 2026-11-23).
 *
 * The sign of back-pressure is that `write` gives a promise; it must be waited for, else the whole body ends in memory
 * (400 MB were seen).
 */
export class BunClientStream implements ClientStream {
  readonly #controller: ReadableStreamDirectController;
  readonly #finish: Finish;
  #drained: (() => void) | null = null;
  #isBacklogged = false;
  #isOver = false;

  constructor(controller: ReadableStreamDirectController, finish: Finish) {
    this.#controller = controller;
    this.#finish = finish;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isOver) return true;
    const taken = this.#controller.write(bytes as Uint8Array<ArrayBuffer>);
    // No flush: Bun sends what a turn of the event loop has written at its end, several events in one packet.
    if (taken instanceof Promise && !this.#isBacklogged) this.#waitFor(taken);
    return !this.#isBacklogged;
  }

  onDrain(callback: () => void): void {
    this.#drained = callback;
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#finish.finish();
    settle(this.#controller.end());
  }

  /** Bun ends a failed body by RST, which throws away what has not been sent, so that goes first. */
  cut(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#finish.finish();
    // In a later turn: Bun prints the error of a body that fails in the turn in which it began.
    const fail = (): void => {
      setImmediate(() => this.#controller.close(new Error('the answer was cut')));
    };
    const drained = this.#controller.flush(true);
    if (drained instanceof Promise) drained.then(fail, fail);
    else fail();
  }

  /** The client has left: nothing is written any more, and nothing asked for. */
  forget(): void {
    this.#isOver = true;
  }

  #waitFor(taken: Promise<number>): void {
    this.#isBacklogged = true;
    // A client that leaves settles it too; its going is told elsewhere.
    taken.then(
      () => this.#resume(),
      () => this.#resume(),
    );
  }

  #resume(): void {
    this.#isBacklogged = false;
    if (!this.#isOver) this.#drained?.();
  }
}

/** Nobody waits for the last bytes to leave; a client that does not take them is no error of ours. */
function settle(ending: unknown): void {
  if (ending instanceof Promise) ending.catch(() => {});
}
