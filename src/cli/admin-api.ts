import { randomBytes } from 'node:crypto';
import type { Control } from '../control/control.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { millis } from '../core/units.ts';
import { authenticate } from '../gateway/authenticate.ts';
import { addCors } from '../gateway/headers.ts';
import type { GatewayPorts } from '../gateway/ports.ts';
import type { ServerRequest, ServerResponse } from '../transport/server.ts';
import { systemClock } from '../transport/system-clock.ts';
import type { Books } from './books.ts';
import type { StoredModels } from './models.ts';
import { pricingPorts } from './pricing.ts';

/** How long an answer waits for the change that it tells of to be in force; everywhere it is within a second. */
const PATIENCE = millis(500);

/** What the admin API is made of. */
export interface AdminApiOptions {
  current(): Snapshot;
  readonly books: Pick<Books, 'store' | 'directory'>;
  readonly ports: Pick<GatewayPorts, 'keys' | 'log' | 'tokens'>;
  readonly rootPath: string;
  readonly models: StoredModels;
}

/**
 * The admin API, read from the disk when it is first asked: a gateway that nobody administers does without its memory and
 * starts earlier.
 *
 * @returns what answers a path that the gateway does not know; null when the admin API does not know it either
 */
export function adminApi(options: AdminApiOptions): (request: ServerRequest) => Promise<ServerResponse | null> {
  const { current, books, models } = options;
  let opening: Promise<Control> | null = null;
  return async (request) => {
    opening ??= openControl(options);
    const control = await opening;
    if (!control.handles(request.path)) return null;
    const answer = await control.handle(request);
    if (request.method !== 'GET') await inForce([books.directory.settled(), models.settled()]);
    const headers = [...answer.headers];
    addCors(headers, request, current());
    return { ...answer, headers };
  };
}

async function openControl({ current, books, ports, rootPath, models }: AdminApiOptions): Promise<Control> {
  const { createControl } = await import('../control/control.ts');
  return createControl({
    store: books.store,
    clock: systemClock,
    authenticate: (request) => authenticate(request, current(), ports.keys),
    directory: () => books.directory.roster,
    settings: () => ({ ...current().server.newcomers, errorProfile: current().server.errorProfile, rootPath }),
    models: models.ports,
    pricing: pricingPorts(current, ports.tokens),
    randomBytes: (count) => randomBytes(count),
    log: ports.log,
  });
}

/** Resolves when what was changed holds for requests to this instance, so that a client that blocked a key finds it blocked. */
function inForce(settled: readonly Promise<void>[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = systemClock.after(PATIENCE, resolve);
  void Promise.all(settled).then(() => resolve());
  return promise.finally(() => timer.cancel());
}
