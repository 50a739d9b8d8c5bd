import { parseArgs } from 'node:util';
import { rotateSecrets } from '../control/stored/rotate.ts';
import { secretBox } from '../secrets/keys.ts';
import { StoreRefused, StoreUnavailable } from '../store/errors.ts';
import { openStore } from '../store/store.ts';
import { systemClock } from '../transport/system-clock.ts';
import { readEnvFile } from './environment.ts';
import type { Io } from './io.ts';

const USAGE = `Usage: tollgate credentials rotate [--env-file FILE] [--data-dir DIR] [--json]

Encrypts every stored model and credential anew under LITELLM_SALT_KEY, in one transaction.
The key before stands in LITELLM_SALT_KEY_PREVIOUS (several: separated by commas); the master key is tried too.
Database: that of DATABASE_URL, else the embedded one in --data-dir.
Exit code: 0 done, 1 nothing was changed, 2 wrong use.
`;

/** The operator at the command line, as the audit log names him. */
const ACTOR = { id: 'tollgate credentials rotate', keyHash: '' };

/** `tollgate credentials rotate`. @returns the exit code */
export async function credentials(argv: readonly string[], io: Io): Promise<number> {
  const parsed = readFlags(argv);
  if (parsed === null || parsed.values.help === true || parsed.positionals.join(' ') !== 'rotate') {
    const isHelp = parsed?.values.help === true;
    if (isHelp) io.write(USAGE);
    else io.writeError(USAGE);
    return isHelp ? 0 : 2;
  }
  const env = readEnvFile(io, parsed.values['env-file'] ?? null);
  if (typeof env === 'string') return failed(io, env);
  try {
    return await rotate(env, parsed.values, io);
  } catch (error) {
    if (error instanceof StoreRefused || error instanceof StoreUnavailable) return failed(io, error.message);
    throw error;
  }
}

type Flags = NonNullable<ReturnType<typeof readFlags>>['values'];

function readFlags(argv: readonly string[]) {
  const value = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { 'env-file': value, 'data-dir': value, json: flag, help: { ...flag, short: 'h' } },
    });
  } catch {
    return null;
  }
}

async function rotate(env: Io['env'], flags: Flags, io: Io): Promise<number> {
  const box = secretBox(env, env.LITELLM_MASTER_KEY ?? null);
  if (box === null) return failed(io, 'LITELLM_SALT_KEY is not set: there is no key to encrypt with.');
  const url = env.DATABASE_URL ?? '';
  const dataDir = flags['data-dir'] ?? env.TOLLGATE_DATA_DIR ?? 'data';
  const store = await openStore({ clock: systemClock, postgres: url === '' ? null : { url }, dataDir });
  try {
    const result = await rotateSecrets(store, box, ACTOR);
    if (result.kind === 'unreadable')
      return failed(io, `nothing was changed, because no key opens these:\n  ${result.rows.join('\n  ')}`);
    const { models, credentials: named } = result;
    const words = `${models} models and ${named} credentials are encrypted under the key ${box.keyId} now.\n`;
    io.write(flags.json === true ? `${JSON.stringify({ models, credentials: named, key_id: box.keyId })}\n` : words);
    return 0;
  } finally {
    await store.close();
  }
}

function failed(io: Io, problem: string): number {
  io.writeError(`tollgate credentials: ${problem}\n`);
  return 1;
}
