import { parseArgs } from 'node:util';
import { loadConfig } from '../config/load.ts';
import { renderFindings } from '../config/report.ts';
import { millis } from '../core/units.ts';
import { routeError } from '../gateway/refusals.ts';
import { providerFor } from '../providers/registry.ts';
import { explain as explainRoute } from '../router/explain.ts';
import { HealthTable } from '../router/health.ts';
import { LoadTable } from '../router/load.ts';
import { NO_CONTROLS, planRoute, type RouteRequest } from '../router/route.ts';
import { readEnvFile } from './environment.ts';
import type { Io } from './io.ts';

const USAGE = 'usage: tollgate explain MODEL [--config FILE] [--env-file FILE] [--stream] [--tags A,B]';

/**
 * `tollgate explain MODEL`: the route that a request would take on a gateway where everything is healthy.
 *
 * Prints what `planRoute` and `decide` say: the same functions that route requests.
 *
 * @returns 0, or 1 when no deployment would be tried
 */
export function explain(argv: readonly string[], io: Io): number {
  const read = readArguments(argv);
  if (typeof read === 'string') return refuse(io, read);
  const { model, values } = read;
  const env = readEnvFile(io, values['env-file'] ?? null);
  if (typeof env === 'string') return refuse(io, env);
  const path = values.config ?? env.CONFIG_FILE_PATH ?? null;
  const loaded = loadConfig({ path, readFile: io.readFile, env, strict: false, demo: null });
  if (loaded.kind === 'invalid') return refuse(io, renderFindings(loaded.findings));

  const route = planRoute(
    { ...loaded.snapshot, version: 1 },
    request(model, values),
    (name) => providerFor(name, null)?.provider.id ?? null,
  );
  if (route.kind !== 'route') return refuse(io, routeError(route, 'explain').message);
  const lines = explainRoute(route, new HealthTable(), new LoadTable(), millis(0), Math.random);
  io.write(`${lines.join('\n')}\n`);
  return 0;
}

interface Values {
  readonly config?: string | undefined;
  readonly 'env-file'?: string | undefined;
  readonly tags?: string | undefined;
  readonly stream?: boolean | undefined;
}

function readArguments(argv: readonly string[]): { readonly model: string; readonly values: Values } | string {
  try {
    const value = { type: 'string' } as const;
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { config: { ...value, short: 'c' }, 'env-file': value, tags: value, stream: { type: 'boolean' } },
    });
    const [model] = positionals;
    return model === undefined || positionals.length > 1 ? USAGE : { model, values };
  } catch (error) {
    return `${(error as Error).message}\n${USAGE}`;
  }
}

function request(model: string, values: Values): RouteRequest {
  return {
    model,
    isStreaming: values.stream === true,
    promptTokens: null,
    tags: values.tags?.split(',') ?? [],
    startedAt: millis(0),
    controls: NO_CONTROLS,
  };
}

function refuse(io: Io, reason: string): number {
  io.writeError(`tollgate explain: ${reason}\n`);
  return 1;
}
