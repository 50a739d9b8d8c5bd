import { chownSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Subprocess } from 'bun';
import { type Binaries, findBinaries } from './binaries.ts';

/** A real PostgreSQL server in a folder of its own, which tests may also kill. */
export interface PostgresServer {
  /** Of a user who may do everything. */
  readonly url: string;
  readonly pid: number;
  /** Kills it with SIGKILL; its children notice and end without writing anything. */
  kill(): Promise<void>;
  /** Starts it again on the same port, with the same data. */
  start(): Promise<void>;
  /** Ends it and waits for it. */
  stop(): Promise<void>;
}

/** `durable`: commits are on disk, for tests that kill the server. `fast`: they are not. */
export type Durability = 'durable' | 'fast';

/**
 * Creates a cluster and starts it on a free port of the loopback address.
 *
 * @param folder exists and is empty; everything is kept in it
 * @param more settings as `name=value`, after ours
 * @throws Error with the server's own words when it does not start
 */
export async function startPostgres(
  folder: string,
  durability: Durability,
  more: readonly string[] = [],
): Promise<PostgresServer> {
  const binaries = findBinaries(folder);
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  if (binaries.owner !== null)
    for (const path of [folder, data]) chownSync(path, binaries.owner.uid, binaries.owner.gid);
  await initialise(binaries, data);
  const port = await freePort();
  const place = { folder, port, durability, more };
  let child = await launch(binaries, place);
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    get pid() {
      return child.pid;
    },
    async kill() {
      child.kill('SIGKILL');
      await child.exited;
    },
    async start() {
      // The shared memory is in use until the last child of the one that was killed has noticed.
      const deadline = performance.now() + PATIENCE_MS;
      for (;;) {
        try {
          child = await launch(binaries, place);
          return;
        } catch (error) {
          if (performance.now() > deadline) throw error;
          await Bun.sleep(20);
        }
      }
    },
    async stop() {
      child.kill('SIGINT');
      await child.exited;
    },
  };
}

async function initialise({ initdb, owner }: Binaries, data: string): Promise<void> {
  const words = [initdb, '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  const child = Bun.spawn(words, { ...owner, stdout: 'ignore', stderr: 'pipe', env: ENVIRONMENT });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`initdb failed: ${said}`);
}

const ENVIRONMENT = { PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: 'UTC' };
const PATIENCE_MS = 20_000;

interface Place {
  readonly folder: string;
  readonly port: number;
  readonly durability: Durability;
  readonly more: readonly string[];
}

async function launch(binaries: Binaries, { folder, port, durability, more }: Place): Promise<Subprocess> {
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    `fsync=${durability === 'durable' ? 'on' : 'off'}`,
    'shared_buffers=32MB',
    ...more,
  ];
  const log = join(folder, 'server.log');
  const child = Bun.spawn(
    [binaries.postgres, '-D', join(folder, 'data'), '-p', String(port), ...settings.flatMap((each) => ['-c', each])],
    { ...binaries.owner, stdout: 'ignore', stderr: openSync(log, 'w'), env: ENVIRONMENT },
  );
  const deadline = performance.now() + PATIENCE_MS;
  while (!readFileSync(log, 'utf8').includes('ready to accept connections')) {
    if (child.exitCode !== null || performance.now() > deadline)
      throw new Error(`PostgreSQL did not start: ${readFileSync(log, 'utf8')}`);
    await Bun.sleep(10);
  }
  return child;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(address)));
    });
  });
}
