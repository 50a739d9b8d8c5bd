import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dir, '../..');

/** The key of every gateway in tests. */
export const MASTER_KEY = 'sk-test-master-key-0123456789';

/** A gateway in a process of its own, started as an operator would. */
export interface TestGateway {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Folder of the gateway's configuration and data. */
  readonly folder: string;
  readonly configPath: string;
  /** Everything it has written so far. */
  output(): string;
  /** Resolves when the output holds the text. */
  until(text: string): Promise<void>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  chat(body: Record<string, unknown>, headers?: Record<string, string>): Promise<Response>;
  signal(signal: 'SIGHUP' | 'SIGTERM' | 'SIGINT'): void;
  /** Its exit code, once it has ended. */
  readonly exited: Promise<number>;
  /** Ends it and gives its exit code. */
  stop(): Promise<number>;
}

/**
 * Starts `bin/tollgate` on a free port with this configuration.
 *
 * @param env added to an otherwise empty environment, so that no key of the developer's takes part
 */
export async function startGateway(
  config: string,
  env: Record<string, string> = {},
  flags: readonly string[] = [],
): Promise<TestGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-test-'));
  const configPath = join(folder, 'config.yaml');
  writeFileSync(configPath, config);
  const child = Bun.spawn(
    [
      join(root, 'bin/tollgate'),
      '--config',
      configPath,
      '--port',
      '0',
      '--host',
      '127.0.0.1',
      '--data-dir',
      join(folder, 'data'),
      ...flags,
    ],
    {
      cwd: folder,
      env: { PATH: process.env.PATH ?? '', LITELLM_MASTER_KEY: MASTER_KEY, TOLLGATE_DRAIN_SECONDS: '0', ...env },
      stdout: 'pipe',
      stderr: 'pipe',
    },
  );
  const output = new Output();
  void output.follow(child.stdout);
  void output.follow(child.stderr);
  void child.exited.then((code) => output.close(`the gateway ended with ${code}`));
  const [, port] = await output.match(/serves at http:\/\/[^:]+:(\d+)/);
  const url = `http://127.0.0.1:${port}`;
  const post: TestGateway['post'] = (path, body, headers = {}) =>
    fetch(url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${MASTER_KEY}`, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  return {
    url,
    port: Number(port),
    pid: child.pid,
    folder,
    configPath,
    output: () => output.text,
    until: async (text) => void (await output.match(new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))),
    post,
    chat: (body, headers) =>
      post('/v1/chat/completions', { messages: [{ role: 'user', content: 'Hello' }], ...body }, headers),
    signal: (signal) => child.kill(signal),
    exited: child.exited,
    async stop() {
      // A second signal ends it at once: no test waits for its drain.
      child.kill('SIGTERM');
      const code = await child.exited;
      rmSync(folder, { recursive: true, force: true });
      return code;
    },
  };
}

/** What a process writes, and those who wait for a word in it. */
class Output {
  text = '';
  #waiting: {
    readonly pattern: RegExp;
    readonly resolve: (match: RegExpExecArray) => void;
    readonly reject: (error: Error) => void;
  }[] = [];
  #closed: string | null = null;

  async follow(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      this.text += decoder.decode(bytes, { stream: true });
      this.#waiting = this.#waiting.filter(({ pattern, resolve }) => {
        const match = pattern.exec(this.text);
        if (match !== null) resolve(match);
        return match === null;
      });
    }
  }

  match(pattern: RegExp): Promise<RegExpExecArray> {
    const match = pattern.exec(this.text);
    if (match !== null) return Promise.resolve(match);
    if (this.#closed !== null) return Promise.reject(new Error(`${this.#closed} before ${pattern}:\n${this.text}`));
    return new Promise((resolve, reject) => this.#waiting.push({ pattern, resolve, reject }));
  }

  close(reason: string): void {
    this.#closed = reason;
    for (const { pattern, reject } of this.#waiting) reject(new Error(`${reason} before ${pattern}:\n${this.text}`));
    this.#waiting = [];
  }
}

/** The JSON of each `data:` payload of a chat stream, `[DONE]` as that text; comments are left out. */
export function streamEvents(text: string): unknown[] {
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('data: '))
    .map((block) => (block === 'data: [DONE]' ? '[DONE]' : JSON.parse(block.slice('data: '.length))));
}

/** The text that a chat stream carried. */
export function streamedText(events: readonly unknown[]): string {
  return events
    .map((event) => (event as { choices?: { delta?: { content?: string } }[] }).choices?.[0]?.delta?.content ?? '')
    .join('');
}
