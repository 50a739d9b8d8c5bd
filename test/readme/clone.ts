import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { repositoryFiles, root } from './documents.ts';

/** What a newcomer's shell has, and how npm reaches its registry there; no key of a provider and none of ours. */
const KEPT = /^(PATH|HOME|TMPDIR|https?_proxy|no_proxy|NODE_EXTRA_CA_CERTS|npm_config_(registry|cache|userconfig))$/i;

/** How a command ended and what it said. */
export interface Ran {
  readonly code: number;
  readonly output: string;
}

/** A program that goes on running. */
export interface Running {
  /** Everything it has said so far. */
  output(): string;
  /** Sends SIGTERM to it and to what it started; resolves when it has ended. */
  stop(): Promise<void>;
}

/** A copy of the repository as `git clone` would make it of the present state: no packages, no `.env`. */
export class Clone {
  readonly folder = mkdtempSync(join(tmpdir(), 'tollgate-clone-'));
  /** Groups of processes that have not ended yet. */
  readonly #running = new Set<number>();

  constructor() {
    for (const path of repositoryFiles()) {
      const copy = join(this.folder, path);
      mkdirSync(dirname(copy), { recursive: true });
      copyFileSync(join(root, path), copy);
      chmodSync(copy, statSync(join(root, path)).mode & 0o777);
    }
  }

  /** Runs a command line to its end; the first command that fails ends it. */
  async run(commands: string, env: Record<string, string> = {}): Promise<Ran> {
    const child = Bun.spawn(['sh', '-e', '-c', `exec 2>&1\n${commands}`], {
      cwd: this.folder,
      env: { ...environment(), ...env },
      stdout: 'pipe',
    });
    const output = await new Response(child.stdout).text();
    return { code: await child.exited, output };
  }

  /** Starts a command and waits until it has said what is waited for. */
  async start(words: readonly string[], until: RegExp): Promise<Running> {
    // A group of its own: npm, the shell and the gateway are stopped together, and nobody else is.
    const child = Bun.spawn([...words], {
      cwd: this.folder,
      env: environment(),
      stdout: 'pipe',
      stderr: 'inherit',
      detached: true,
    });
    this.#running.add(child.pid);
    void child.exited.then(() => this.#running.delete(child.pid));
    let output = '';
    const { promise: isReady, resolve } = Promise.withResolvers<void>();
    const reading = (async () => {
      const decoder = new TextDecoder();
      for await (const bytes of child.stdout) {
        output += decoder.decode(bytes, { stream: true });
        if (until.test(output)) resolve();
      }
    })();
    await Promise.race([isReady, reading]);
    if (!until.test(output)) throw new Error(`it ended before it said ${until}:\n${output}`);
    return {
      output: () => output,
      async stop() {
        process.kill(-child.pid, 'SIGTERM');
        await child.exited;
        await reading;
      },
    };
  }

  /** Removes the folder; what still runs in it, because a test failed, is ended. */
  remove(): void {
    for (const pid of this.#running) process.kill(-pid, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function environment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name, value]) => KEPT.test(name) && value !== undefined);
  return Object.fromEntries(kept as [string, string][]);
}

/** A port that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject(address)));
    });
  });
}
