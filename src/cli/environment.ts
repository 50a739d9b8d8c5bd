import { existsSync } from 'node:fs';
import type { Io } from './io.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment with what an env file adds; a variable that is set already wins over the file.
 *
 * The file has `NAME=value` lines, `#` comments and optional quotes; nothing is expanded or run.
 */
export function withEnvFile(env: Environment, text: string): Environment {
  const added: Record<string, string | undefined> = {};
  for (const line of text.split(/\r?\n/)) {
    const [, name, raw] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined || raw === undefined) continue;
    const value = unquote(raw);
    // An empty value is one that has not been filled in yet.
    if (value !== '' && (env[name] === undefined || env[name] === '')) added[name] = value;
  }
  return { ...env, ...added };
}

function unquote(raw: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(raw);
  return quoted?.[2] ?? raw.replace(/\s+#.*$/, '');
}

/** Reads `--env-file`; a file that is named but missing is an error. */
export function readEnvFile(io: Io, path: string | null): Environment | string {
  if (path === null) return io.env;
  if (!existsSync(path)) return `the env file ${path} does not exist. Run scripts/setup-litellm-env.sh to create it.`;
  return withEnvFile(io.env, io.readFile(path));
}
