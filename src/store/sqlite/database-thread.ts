import { StoreUnavailable } from '../errors.ts';
import { sqliteFailure } from './failures.ts';
import type { Answer, Done, Failed, Task } from './protocol.ts';

interface Waiting {
  readonly resolve: (done: Done) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The embedded database in a thread of its own, so that neither its work nor its waiting for the disk holds up requests.
 *
 * Tasks are done one after the other, in the order in which they were asked. A thread that ended does nothing any more:
 * everything asked of it fails, and what was committed is in the file.
 */
export class DatabaseThread {
  readonly #worker: Worker;
  readonly #onLost: (reason: string) => void;
  readonly #waiting: Waiting[] = [];
  #isInTransaction = false;
  #ended: string | null = null;
  #closing: Promise<void> | null = null;

  /** @param onLost is told when the thread ends by itself */
  constructor(onLost: (reason: string) => void, script = new URL('./thread.ts', import.meta.url).href) {
    this.#onLost = onLost;
    this.#worker = new Worker(script, { name: 'database', smol: true });
    this.#worker.addEventListener('message', (event: MessageEvent<Answer>) => this.#answered(event.data));
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault();
      // Bun puts the lines of the script before the words of the error.
      this.#end(/^error: (.*)$/m.exec(event.message)?.[1] ?? event.message);
    });
    this.#worker.addEventListener('close', () => this.#end('it was closed'));
  }

  /** As the last answer left it. */
  get isInTransaction(): boolean {
    return this.#isInTransaction;
  }

  /** @throws as `sqliteFailure` says; StoreUnavailable when the thread has ended */
  do(task: Task): Promise<Done> {
    if (this.#ended !== null) return Promise.reject(endedError(this.#ended));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(task);
    });
  }

  /** Does what was asked before, closes the file and ends. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#ended === null) await this.do({ kind: 'close' });
    this.#end('it was closed');
  }

  #answered({ isInTransaction, ...answer }: Answer): void {
    this.#isInTransaction = isInTransaction;
    const waiting = this.#waiting.shift();
    // Not inside of the event: while one message is delivered Bun (1.4.5) delivers no other, so who then waits in a loop
    // of its own for the next, as the test runner's `rejects` does, waits for ever.
    setImmediate(() => {
      if (answer.kind === 'done') waiting?.resolve(answer);
      else waiting?.reject(errorOf(answer));
    });
  }

  #end(reason: string): void {
    if (this.#ended === null && this.#closing === null) this.#onLost(endedError(reason).message);
    this.#ended ??= reason;
    for (const { reject } of this.#waiting.splice(0)) reject(endedError(this.#ended));
  }
}

const endedError = (reason: string): StoreUnavailable =>
  new StoreUnavailable(`the thread of the embedded database has ended (${reason}): start the gateway again`);

const errorOf = ({ code, message }: Failed): Error =>
  code === null ? new Error(message) : sqliteFailure(code, message);
