import { createReadStream, existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { epochMillis } from '../core/units.ts';
import type { Secrets } from '../importer/credentials.ts';
import { databaseSource } from '../importer/database.ts';
import { dumpSource } from '../importer/dump.ts';
import { importLitellm } from '../importer/import.ts';
import { renderReport, reportJson } from '../importer/report.ts';
import { type Source, SourceRefused } from '../importer/source.ts';
import { litellmKeys, secretBox } from '../secrets/keys.ts';
import { StoreRefused, StoreUnavailable } from '../store/errors.ts';
import { openStore, type Store } from '../store/store.ts';
import { systemClock } from '../transport/system-clock.ts';
import { readEnvFile } from './environment.ts';
import type { Io } from './io.ts';

const USAGE = `Usage: tollgate import --from SOURCE [--spend-logs] [--dry-run] [--json] [--env-file FILE] [--data-dir DIR]

Brings a LiteLLM database over: keys, tenants, budgets, spend, models and credentials.
  --from SOURCE   postgresql://USER:PASSWORD@HOST:5432/DATABASE[?schema=NAME], or a plain SQL dump of pg_dump;
                  environment: LITELLM_DATABASE_URL
  --spend-logs    the log of requests too
  --dry-run       read and report; the target is not opened
  --json          the report as JSON
Target: the database of DATABASE_URL, else the embedded one in --data-dir.
Credentials are read with LITELLM_SALT_KEY, or LITELLM_MASTER_KEY where LiteLLM had no salt key.
Exit code: 0 everything came over, 1 rows were skipped or it failed, 2 wrong use.
`;

type Environment = Io['env'];

/**
 * `tollgate import`.
 *
 * The report goes to `write`, also when rows were skipped; what went wrong goes to `writeError`. The source is only read.
 *
 * @returns the exit code
 */
export async function importDatabase(argv: readonly string[], io: Io): Promise<number> {
  const flags = readFlags(argv);
  if (typeof flags === 'string') return used(io, flags);
  if (flags.help === true) {
    io.write(USAGE);
    return 0;
  }
  const env = readEnvFile(io, flags['env-file'] ?? null);
  if (typeof env === 'string') return failed(io, env);
  const from = flags.from ?? env.LITELLM_DATABASE_URL;
  if (from === undefined || from === '') return used(io, '--from is missing.');
  try {
    return await run(from, flags, env, io);
  } catch (error) {
    if (error instanceof SourceRefused || error instanceof StoreRefused || error instanceof StoreUnavailable)
      return failed(io, error.message);
    throw error;
  }
}

type Flags = Exclude<ReturnType<typeof readFlags>, string>;

function readFlags(argv: readonly string[]) {
  const flag = { type: 'boolean' } as const;
  const value = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: {
        from: value,
        'spend-logs': flag,
        'dry-run': flag,
        json: flag,
        'env-file': value,
        'data-dir': value,
        help: { ...flag, short: 'h' },
      },
    }).values;
  } catch (error) {
    return (error as Error).message.split('\n', 1)[0] ?? '';
  }
}

async function run(from: string, flags: Flags, env: Environment, io: Io): Promise<number> {
  const source = await sourceOf(from);
  let target: Store | null = null;
  try {
    if (flags['dry-run'] !== true) target = await openTarget(flags, env);
    const report = await importLitellm({
      source,
      target,
      secrets: secretsOf(env),
      spendLogs: flags['spend-logs'] === true ? 'import' : 'leave',
      now: epochMillis(systemClock.wall()),
    });
    io.write(flags.json === true ? reportJson(report) : renderReport(report));
    const isWhole = report.tables.every(({ skipped }) => skipped.length === 0);
    return isWhole && (report.spendLogs?.rejected.length ?? 0) === 0 ? 0 : 1;
  } finally {
    await target?.close();
    await source.close();
  }
}

async function sourceOf(from: string): Promise<Source> {
  if (/^postgres(ql)?:/.test(from)) return databaseSource(from);
  if (!existsSync(from)) throw new SourceRefused(`${from} is neither a file nor a postgresql:// address.`);
  return dumpSource(from, () => linesOf(from));
}

/** Lines as `COPY` ends them: by a line feed and nothing else. */
async function* linesOf(path: string): AsyncIterable<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

function openTarget(flags: Flags, env: Environment): Promise<Store> {
  const url = env.DATABASE_URL ?? '';
  return openStore({
    clock: systemClock,
    postgres: url === '' ? null : { url },
    dataDir: flags['data-dir'] ?? env.TOLLGATE_DATA_DIR ?? 'data',
  });
}

function secretsOf(env: Environment): Secrets {
  const masterKey = env.LITELLM_MASTER_KEY ?? null;
  return { litellmKeys: litellmKeys(env, masterKey), box: secretBox(env, masterKey) };
}

function used(io: Io, problem: string): number {
  io.writeError(`tollgate import: ${problem}\n\n${USAGE}`);
  return 2;
}

function failed(io: Io, problem: string): number {
  io.writeError(`tollgate import: ${problem}\n`);
  return 1;
}
