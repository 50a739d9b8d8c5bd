import { parseArgs } from 'node:util';

/** What `tollgate` without a subcommand was asked to do: LiteLLM's proxy flags and ours. */
export interface ServeArguments {
  readonly kind: 'serve' | 'version' | 'help' | 'health' | 'test';
  readonly config: string | null;
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  /** File of `NAME=value` lines that fills in what the environment lacks, or null. */
  readonly envFile: string | null;
  readonly debug: 'off' | 'debug' | 'detailed';
  /** URL given to `--test`, or null. */
  readonly target: string | null;
  /** Flags that LiteLLM takes and that have no effect here, as given. */
  readonly ignored: readonly string[];
}

/** LiteLLM's flags that we accept so that command lines keep working, with or without a value. */
const ACCEPTED_WITH_VALUE = [
  ...['num_workers', 'request_timeout', 'max_budget', 'keepalive_timeout', 'max_requests_before_restart', 'log_config'],
  ...['telemetry', 'num_requests'],
] as const;
const ACCEPTED = [
  ...['run_gunicorn', 'run_hypercorn', 'use_prisma_db_push', 'iam_token_db_auth', 'local', 'drop_params'],
  ...['use_v2_migration_resolver', 'enforce_prisma_migration_check', 'use_queue'],
] as const;

const HELP = `tollgate: an LLM gateway

  tollgate [--config FILE] [--port 4000] [--host 0.0.0.0]   serve
  tollgate check FILE [--strict] [--json]      check a configuration and say what is honoured
  tollgate explain MODEL [--config FILE]       print the route that a request would take
  tollgate simulate [--port N] [--corpus DIR]  simulated providers, for rehearsing an outage
  tollgate keys COMMAND [--json]               make, list, block and delete keys of a running gateway
  tollgate doctor [--config FILE]              look at the surroundings and say what is missing
  tollgate import --from SOURCE [--dry-run]    bring a LiteLLM database over: keys, tenants, budgets, spend, models
  tollgate credentials rotate                  encrypt stored credentials anew after a change of LITELLM_SALT_KEY
  tollgate ledger verify|replay [--json]       check the spend ledger, or write what journals still hold
  tollgate migrate [--config FILE]             create or update the tables, and end

  --config, -c FILE     LiteLLM's configuration (environment: CONFIG_FILE_PATH)
  --data-dir DIR        where the gateway keeps its files (environment: TOLLGATE_DATA_DIR; default ./data)
  --env-file FILE       NAME=value lines that fill in what the environment lacks
  --debug, --detailed_debug   log more; secrets and bodies stay out
  --health              ask a running gateway for its health
  --test [URL]          send one chat request to a running gateway
  --version, -v
`;

export const helpText = HELP;

/**
 * Reads the command line of the server; environment variables stand in for flags that are not given.
 *
 * @returns the arguments, or what is wrong with them
 */
export function readServeArguments(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ServeArguments | string {
  const flag = { type: 'boolean' } as const;
  const value = { type: 'string' } as const;
  let parsed: ReturnType<typeof parse>;
  const parse = () =>
    parseArgs({
      args: argv.map((word) => word.replace(/^--[a-z0-9-]+/, (flag) => `--${flag.slice(2).replaceAll('-', '_')}`)),
      allowPositionals: true,
      strict: true,
      options: {
        config: { ...value, short: 'c' },
        host: value,
        port: value,
        data_dir: value,
        env_file: value,
        debug: flag,
        detailed_debug: flag,
        version: { ...flag, short: 'v' },
        help: { ...flag, short: 'h' },
        health: flag,
        test: flag,
        ...Object.fromEntries(ACCEPTED_WITH_VALUE.map((name) => [name, value])),
        ...Object.fromEntries(ACCEPTED.map((name) => [name, flag])),
      },
    });
  try {
    parsed = parse();
  } catch (error) {
    return `${(error as Error).message.split('\n', 1)[0]}\nRun 'tollgate --help' for the flags.`;
  }
  const { values, positionals } = parsed;
  if (positionals.length > (values.test === true ? 1 : 0)) {
    return `Unknown command '${positionals[0]}'.\nRun 'tollgate --help' for the commands.`;
  }
  const port = Number(values.port ?? env.PORT ?? 4000);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    return `--port must be a number from 0 to 65535, not '${values.port ?? env.PORT}'.`;
  const known: Readonly<Record<string, unknown>> = values;
  return {
    kind: kindOf(values),
    config: stringOr(values.config, env.CONFIG_FILE_PATH ?? null),
    host: stringOr(values.host, env.HOST ?? '0.0.0.0') ?? '0.0.0.0',
    port,
    dataDir: stringOr(values.data_dir, env.TOLLGATE_DATA_DIR ?? 'data') ?? 'data',
    envFile: stringOr(values.env_file, null),
    debug: debugOf(values, env),
    target: positionals[0] ?? null,
    ignored: [...ACCEPTED_WITH_VALUE, ...ACCEPTED].filter((name) => known[name] !== undefined),
  };
}

interface Switches {
  readonly version?: boolean;
  readonly help?: boolean;
  readonly health?: boolean;
  readonly test?: boolean;
  readonly debug?: boolean;
  readonly detailed_debug?: boolean;
}

function kindOf(values: Switches): ServeArguments['kind'] {
  if (values.version === true) return 'version';
  if (values.help === true) return 'help';
  if (values.health === true) return 'health';
  return values.test === true ? 'test' : 'serve';
}

function debugOf(values: Switches, env: Readonly<Record<string, string | undefined>>): ServeArguments['debug'] {
  const isOn = (name: string) => /^(1|true|yes)$/i.test(env[name] ?? '');
  if (values.detailed_debug === true || isOn('DETAILED_DEBUG')) return 'detailed';
  return values.debug === true || isOn('DEBUG') ? 'debug' : 'off';
}

function stringOr(value: unknown, fallback: string | null): string | null {
  return typeof value === 'string' ? value : fallback;
}
