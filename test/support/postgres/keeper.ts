/**
 * Keeps one PostgreSQL server for as long as the tests that share it run: `bun keeper.ts PID FOLDER`.
 *
 * A process of its own, because every test file has its own globals (`bun test --isolate`), and because a server must
 * not outlive tests that were killed. It watches the process that runs the tests, ends the server by its handle, and
 * removes the folder.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres } from './server.ts';

const [, , parent = '', folder = ''] = process.argv;
const WATCH_MS = 200;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function tell(words: object): void {
  writeFileSync(join(folder, 'ready.tmp'), JSON.stringify(words));
  renameSync(join(folder, 'ready.tmp'), join(folder, 'ready.json'));
}

// Ctrl-C reaches every process of the terminal; the keeper ends when the tests have.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
try {
  const server = await startPostgres(folder, 'fast');
  tell({ url: server.url });
  while (isAlive(Number(parent))) await Bun.sleep(WATCH_MS);
  await server.stop();
} catch (error) {
  tell({ error: String(error) });
  while (isAlive(Number(parent))) await Bun.sleep(WATCH_MS);
}
rmSync(folder, { recursive: true, force: true });
