import { accessSync, constants, existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Invalid, type Loaded, loadConfig } from '../config/load.ts';
import { VERSION } from '../core/version.ts';
import { parsePostgresUrl } from '../store/address.ts';
import { readEnvFile } from './environment.ts';
import type { Io } from './io.ts';
import { describeProxy, readOutbound } from './outbound.ts';

/** The engine that this version was tested with. */
const ENGINE = '1.4.5';
const WEAK_KEY_LENGTH = 16;

interface Check {
  readonly verdict: 'ok' | 'note' | 'bad';
  readonly text: string;
}

/**
 * `tollgate doctor`: looks at engine, environment, configuration, data folder and port, and says what to do.
 *
 * Calls no provider. @returns 1 when something would keep the gateway from starting
 */
export async function doctor(argv: readonly string[], io: Io): Promise<number> {
  const args = readArguments(argv);
  if (typeof args === 'string') {
    io.writeError(`tollgate doctor: ${args}\n`);
    return 2;
  }
  const env = readEnvFile(io, args.envFile);
  if (typeof env === 'string') {
    io.writeError(`tollgate doctor: ${env}\n`);
    return 1;
  }
  const path = args.config ?? env.CONFIG_FILE_PATH ?? null;
  const loaded = loadConfig({ path, readFile: io.readFile, env, strict: false, demo: null });
  const checks = [
    { verdict: 'ok', text: `Tollgate ${VERSION}` },
    engine(),
    configuration(path, loaded),
    ...deployments(loaded),
    masterKey(loaded),
    database(loaded),
    ...outbound(env, io),
    dataFolder(args.dataDir ?? env.TOLLGATE_DATA_DIR ?? 'data'),
    await port(Number(args.port ?? env.PORT ?? 4000)),
  ] satisfies Check[];
  const mark = { ok: '✓', note: '•', bad: '✗' } as const;
  io.write(`${checks.map(({ verdict, text }) => `${mark[verdict]} ${text}`).join('\n')}\n`);
  return checks.some(({ verdict }) => verdict === 'bad') ? 1 : 0;
}

function readArguments(argv: readonly string[]) {
  try {
    const value = { type: 'string' } as const;
    const { values } = parseArgs({
      args: [...argv],
      options: { config: { ...value, short: 'c' }, 'env-file': value, 'data-dir': value, port: value },
    });
    return {
      config: values.config ?? null,
      envFile: values['env-file'] ?? null,
      dataDir: values['data-dir'] ?? null,
      port: values.port ?? null,
    };
  } catch (error) {
    return (error as Error).message;
  }
}

function engine(): Check {
  const version = process.versions.bun ?? `not Bun (Node ${process.version})`;
  if (version === ENGINE) return { verdict: 'ok', text: `Engine: Bun ${version}` };
  return {
    verdict: 'note',
    text: `Engine: ${version}; this version was tested with Bun ${ENGINE}. Start it with bin/tollgate.`,
  };
}

function configuration(path: string | null, loaded: Loaded | Invalid): Check {
  if (path === null) return { verdict: 'note', text: 'No configuration: name one with --config FILE.' };
  if (loaded.kind === 'invalid') return { verdict: 'bad', text: `${path} has errors: run 'tollgate check ${path}'.` };
  const warnings = loaded.findings.filter((finding) => finding.severity === 'warning').length;
  return warnings === 0
    ? { verdict: 'ok', text: `${path} is sound.` }
    : { verdict: 'note', text: `${path} loads with ${warnings} warnings: run 'tollgate check ${path}'.` };
}

function deployments(loaded: Loaded | Invalid): Check[] {
  if (loaded.kind === 'invalid') return [];
  const all = [...loaded.snapshot.deployments.values()];
  const ready = all.filter((deployment) => deployment.disabled === null).length;
  const disabled = all.flatMap((deployment): Check[] =>
    deployment.disabled === null
      ? []
      : [
          {
            verdict: 'note',
            text: `${deployment.group} (${deployment.configuredModel}) is disabled: ${deployment.disabled.message}`,
          },
        ],
  );
  const summary: Check =
    ready > 0
      ? { verdict: 'ok', text: `${ready} of ${all.length} deployments are ready.` }
      : { verdict: 'note', text: 'No deployment is ready: only the simulated model `demo` will answer.' };
  return [summary, ...disabled];
}

function masterKey(loaded: Loaded | Invalid): Check {
  if (loaded.kind === 'invalid')
    return { verdict: 'note', text: 'Master key: not known until the configuration loads.' };
  const key = loaded.snapshot.server.masterKey?.reveal() ?? '';
  if (key === '')
    return { verdict: 'bad', text: 'No master key: set LITELLM_MASTER_KEY, or run scripts/setup-litellm-env.sh.' };
  if (!key.startsWith('sk-'))
    return { verdict: 'note', text: "The master key does not start with 'sk-'; LiteLLM's clients expect that." };
  if (key.length < WEAK_KEY_LENGTH)
    return {
      verdict: 'note',
      text: 'The master key is short enough to guess; generate one with scripts/setup-litellm-env.sh.',
    };
  return { verdict: 'ok', text: 'Master key: set.' };
}

/** Whether the address is one; nobody is asked at it. */
function database(loaded: Loaded | Invalid): Check {
  if (loaded.kind === 'invalid') return { verdict: 'note', text: 'Database: not known until the configuration loads.' };
  const url = loaded.snapshot.server.databaseUrl?.reveal() ?? null;
  if (url === null) return { verdict: 'ok', text: 'Database: the embedded one, in the data folder.' };
  try {
    const { place, schema } = parsePostgresUrl(url);
    return { verdict: 'ok', text: `Database: PostgreSQL at ${place}, schema ${schema}` };
  } catch (error) {
    return { verdict: 'bad', text: (error as Error).message };
  }
}

function outbound(env: Io['env'], io: Io): Check[] {
  const read = readOutbound(env, io.readFile);
  if (typeof read === 'string') return [{ verdict: 'bad', text: read }];
  const warnings = read.warnings.map((text): Check => ({ verdict: 'note', text }));
  return [{ verdict: 'ok', text: describeProxy(read.proxy) }, ...warnings];
}

function dataFolder(path: string): Check {
  let existing = resolve(path);
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  try {
    accessSync(existing, constants.W_OK);
    return { verdict: 'ok', text: `Data folder: ${path}` };
  } catch {
    return { verdict: 'bad', text: `The data folder ${path} cannot be written; name another with --data-dir.` };
  }
}

function port(number: number): Promise<Check> {
  return new Promise((answer) => {
    const probe = createServer();
    probe.once('error', () => answer({ verdict: 'bad', text: `Port ${number} is taken; choose another with --port.` }));
    probe.listen(number, '127.0.0.1', () =>
      probe.close(() => answer({ verdict: 'ok', text: `Port ${number} is free.` })),
    );
  });
}
