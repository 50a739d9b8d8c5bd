import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SQL } from 'bun';

/** A database of one test file, empty at first. */
export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

/**
 * Creates an empty database on the tests' PostgreSQL server.
 *
 * The server is the one of `TEST_DATABASE_URL`, else one from npm's packages that the first caller starts and all files
 * of this test run share (`keeper.ts`). None is an error: no test is skipped.
 */
export async function testDatabase(): Promise<TestDatabase> {
  const server = process.env.TEST_DATABASE_URL ?? (await sharedServer());
  const name = `tollgate_test_${process.pid}_${crypto.randomUUID().slice(0, 8)}`;
  const url = new URL(server);
  url.pathname = `/${name}`;
  await asAdmin(server, `CREATE DATABASE ${name} TEMPLATE template0`);
  return { url: url.href, drop: () => asAdmin(server, `DROP DATABASE ${name} WITH (FORCE)`) };
}

async function asAdmin(server: string, statement: string): Promise<void> {
  const sql = new SQL(server, { max: 1 });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.close();
  }
}

const PATIENCE_MS = 30_000;

async function sharedServer(): Promise<string> {
  const folder = join(tmpdir(), `tollgate-test-postgres-${process.pid}`);
  if (!existsSync(folder)) startKeeper(folder);
  const ready = join(folder, 'ready.json');
  const deadline = performance.now() + PATIENCE_MS;
  while (!existsSync(ready)) {
    if (performance.now() > deadline) throw new Error(`the tests' PostgreSQL did not start within 30 s: see ${folder}`);
    await Bun.sleep(10);
  }
  const { url, error } = JSON.parse(readFileSync(ready, 'utf8')) as { url?: string; error?: string };
  if (url === undefined) throw new Error(error);
  return url;
}

function startKeeper(folder: string): void {
  mkdirSync(folder, { mode: 0o755 });
  const words = [process.execPath, '--no-env-file', join(import.meta.dir, 'keeper.ts'), String(process.pid), folder];
  Bun.spawn(words, { stdin: 'ignore', stdout: 'ignore', stderr: 'inherit', detached: true }).unref();
}
