import { randomBytes } from 'node:crypto';
import { createControl } from '../control/control.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { millis } from '../core/units.ts';
import { authenticate } from '../gateway/authenticate.ts';
import { addCors } from '../gateway/headers.ts';
import type { GatewayPorts } from '../gateway/ports.ts';
import type { Handler, ServerRequest } from '../transport/server.ts';
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
 * The server's handler: paths of the admin API go there, all others to the gateway, as do the questions of browsers
 * (OPTIONS), which are the same for both.
 */
export function withAdminApi(gateway: Handler, { current, books, ports, rootPath, models }: AdminApiOptions): Handler {
  const control = createControl({
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
  const admin = async (request: ServerRequest) => {
    const answer = await control.handle(request);
    if (request.method !== 'GET') await inForce([books.directory.settled(), models.settled()]);
    const headers = [...answer.headers];
    addCors(headers, request, current());
    return { ...answer, headers };
  };
  // Not async itself: a request for a model needs no promise more than it has.
  return (request) =>
    request.method !== 'OPTIONS' && control.handles(request.path) ? admin(request) : gateway(request);
}

/** Resolves when what was changed holds for requests to this instance, so that a client that blocked a key finds it blocked. */
function inForce(settled: readonly Promise<void>[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = systemClock.after(PATIENCE, resolve);
  void Promise.all(settled).then(() => resolve());
  return promise.finally(() => timer.cancel());
}
