import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A program of Prometheus: the path that the variable names, else what is on the path, else null. */
export function program(name: 'prometheus' | 'promtool'): string | null {
  return process.env[name.toUpperCase()] ?? Bun.which(name);
}

/** What a query gave, at one moment. */
export interface QueryResult {
  readonly status: string;
  readonly error?: string;
  readonly data?: {
    readonly resultType: string;
    readonly result: readonly { readonly metric: Readonly<Record<string, string>>; readonly value: [number, string] }[];
  };
}

/** A rule as Prometheus evaluated it. */
export interface RuleState {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
  readonly state: string;
}

/** A Prometheus in a process of its own, on loopback and a free port. */
export interface TestPrometheus {
  query(expression: string): Promise<QueryResult>;
  /** The first value of a query, or null. */
  value(expression: string): Promise<number | null>;
  rules(): Promise<readonly RuleState[]>;
  stop(): Promise<void>;
}

/**
 * Starts Prometheus with a configuration whose paths are absolute.
 *
 * Prometheus does not say which port it took, so a free one is found first; another process may be faster, and then a
 * second try is made.
 */
export async function startPrometheus(binary: string, config: string): Promise<TestPrometheus> {
  for (let attempt = 0; ; attempt += 1) {
    const started = await tryStart(binary, config);
    if (started !== null) return started;
    if (attempt === 2) throw new Error('Prometheus did not start on any port');
  }
}

async function tryStart(binary: string, config: string): Promise<TestPrometheus | null> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-prometheus-'));
  writeFileSync(join(folder, 'prometheus.yml'), config);
  const url = `http://127.0.0.1:${freePort()}`;
  const child = Bun.spawn(
    [
      binary,
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=${url.slice('http://'.length)}`,
      '--log.level=warn',
    ],
    { cwd: folder, stdout: 'ignore', stderr: 'pipe', env: {} },
  );
  const get = async <T>(path: string): Promise<T> => (await (await fetch(url + path)).json()) as T;
  const query = (expression: string) => get<QueryResult>(`/api/v1/query?query=${encodeURIComponent(expression)}`);
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await child.exited;
    rmSync(folder, { recursive: true, force: true });
  };
  if (!(await isReady(url, child))) {
    await stop();
    return null;
  }
  return {
    query,
    stop,
    async value(expression) {
      const value = (await query(expression)).data?.result[0]?.value[1];
      return value === undefined ? null : Number(value);
    },
    async rules() {
      const { data } = await get<{ data: { groups: { rules: RuleState[] }[] } }>('/api/v1/rules');
      return data.groups.flatMap(({ rules }) => rules);
    },
  };
}

async function isReady(url: string, child: Bun.Subprocess): Promise<boolean> {
  const deadline = performance.now() + 20_000;
  while (performance.now() < deadline && child.exitCode === null) {
    const answer = await fetch(`${url}/-/ready`).catch(() => null);
    if (answer?.status === 200) return true;
    await Bun.sleep(20);
  }
  return false;
}

function freePort(): number {
  const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
  server.stop(true);
  return server.port;
}
