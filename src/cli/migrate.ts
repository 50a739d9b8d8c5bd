import { parseArgs } from 'node:util';
import { loadConfig } from '../config/load.ts';
import { StoreRefused, StoreUnavailable } from '../store/errors.ts';
import { SCHEMA_VERSION } from '../store/migrate.ts';
import { openStore } from '../store/store.ts';
import { systemClock } from '../transport/system-clock.ts';
import { readEnvFile } from './environment.ts';
import type { Io } from './io.ts';

const USAGE = `Usage: tollgate migrate [--config FILE] [--env-file FILE] [--data-dir DIR]

Creates the tables or brings them up to date, as every start of the gateway does, and ends.
Database: that of the configuration or of DATABASE_URL, else the embedded one in --data-dir.
Exit code: 0 done, 1 it cannot be reached or used, 2 wrong use.
`;

/** `tollgate migrate`: for a job that runs before a new version serves. @returns the exit code */
export async function migrate(argv: readonly string[], io: Io): Promise<number> {
  const flags = readFlags(argv);
  if (flags === null || flags.help === true) {
    if (flags === null) io.writeError(USAGE);
    else io.write(USAGE);
    return flags === null ? 2 : 0;
  }
  const env = readEnvFile(io, flags['env-file'] ?? null);
  if (typeof env === 'string') return failed(io, env);
  const path = flags.config ?? env.CONFIG_FILE_PATH ?? null;
  const loaded = loadConfig({ path, readFile: io.readFile, env, strict: false, demo: null });
  if (loaded.kind === 'invalid') return failed(io, `${path} has errors: run 'tollgate check ${path}'.`);
  const url = loaded.snapshot.server.databaseUrl?.reveal() ?? null;
  const dataDir = flags['data-dir'] ?? env.TOLLGATE_DATA_DIR ?? 'data';
  try {
    const store = await openStore({ clock: systemClock, postgres: url === null ? null : { url }, dataDir });
    await store.close();
  } catch (error) {
    if (error instanceof StoreRefused || error instanceof StoreUnavailable) return failed(io, error.message);
    throw error;
  }
  const database = url === null ? `the embedded database in ${dataDir}` : 'PostgreSQL';
  io.write(`✓ the tables of ${database} have schema version ${SCHEMA_VERSION}.\n`);
  return 0;
}

function readFlags(argv: readonly string[]) {
  const value = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: {
        config: { ...value, short: 'c' },
        'env-file': value,
        'data-dir': value,
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch {
    return null;
  }
}

function failed(io: Io, problem: string): number {
  io.writeError(`tollgate migrate: ${problem}\n`);
  return 1;
}
