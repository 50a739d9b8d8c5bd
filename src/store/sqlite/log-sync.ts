import { type FileHandle, open } from 'node:fs/promises';

/**
 * Brings SQLite's write-ahead log to the disk, in a thread that serves no requests.
 *
 * A sync that is asked for while another runs is one of its own: the running one may have begun before the last write.
 */
export class LogSync {
  readonly #path: string;
  /** The log is there from the first commit on, and the same file as long as the database is open. */
  #file: Promise<FileHandle> | null = null;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** Resolves when everything written before the call is on the disk; rejects when the disk refuses. */
  sync(): Promise<void> {
    if (this.#running === null) return this.#start();
    this.#next ??= this.#running.then(ignore, ignore).then(() => this.#start());
    return this.#next;
  }

  async close(): Promise<void> {
    await this.#running?.catch(ignore);
    await this.#next?.catch(ignore);
    await this.#file?.then((file) => file.close()).catch(ignore);
  }

  #start(): Promise<void> {
    this.#next = null;
    const running = this.#sync().finally(() => {
      if (this.#running === running) this.#running = null;
    });
    this.#running = running;
    return running;
  }

  async #sync(): Promise<void> {
    this.#file ??= open(this.#path, 'r+');
    try {
      await (await this.#file).datasync();
    } catch (error) {
      // Opened anew next time, should it be the file that is at fault.
      const file = this.#file;
      this.#file = null;
      await file?.then((opened) => opened.close()).catch(ignore);
      throw error;
    }
  }
}

function ignore(): void {}
