import type { Deployment, Snapshot } from '../core/snapshot.ts';
import type { Millis } from '../core/units.ts';
import { VERSION } from '../core/version.ts';
import type { StatusPages } from '../gateway/gateway.ts';
import type { HealthTable } from '../router/health.ts';
import type { Books } from './books.ts';

/** What the pages are told by the composition root. */
export interface StatusSources {
  current(): Snapshot;
  now(): Millis;
  readonly health: HealthTable;
  readonly books: Pick<Books, 'store' | 'directory' | 'ledger'>;
  /** Why the last edit of the configuration was not taken, or null. */
  configProblem(): string | null;
  isStopping(): boolean;
  /** Somebody has asked for readiness. */
  onReadiness(): void;
  metrics(): Promise<Uint8Array>;
}

/**
 * `/health`, `/health/readiness` and `/metrics` from what is known already: none of them calls a model (B18).
 *
 * Without a key `/health` says only whether the gateway works; with one it lists the deployments as LiteLLM does.
 */
export function statusPages(sources: StatusSources): StatusPages {
  return {
    health(isKeyed) {
      const problems = problemsOf(sources);
      const isHealthy = problems === null;
      const status = isHealthy ? 'healthy' : 'unhealthy';
      const body = { status, ...problems, ...(isKeyed ? endpointLists(sources) : {}) };
      return { status: isHealthy ? 200 : 503, body };
    },
    probed(results) {
      const healthy = results
        .filter((result) => result.isHealthy)
        .map(({ deployment }) => describeDeployment(deployment));
      const unhealthy = results
        .filter((result) => !result.isHealthy)
        .map(({ deployment, error, status }) => ({ ...describeDeployment(deployment), error, status }));
      const body = {
        status: unhealthy.length === 0 ? 'healthy' : 'unhealthy',
        healthy_endpoints: healthy,
        unhealthy_endpoints: unhealthy,
        healthy_count: healthy.length,
        unhealthy_count: unhealthy.length,
      };
      // LiteLLM answers 200 whatever it found: monitoring reads the counts.
      return { status: 200, body };
    },
    readiness() {
      sources.onReadiness();
      const snapshot = sources.current();
      const problem = sources.configProblem();
      const { store, directory, ledger } = sources.books;
      const { refusing, unwrittenEntries, journalBytes } = ledger.status();
      const isStopping = sources.isStopping();
      const isReady = !isStopping && refusing === null;
      return {
        // Not for the database's sake: taken out of rotation, the gateway could not serve the keys that it knows.
        status: isReady ? 200 : 503,
        body: {
          status: isReady ? 'healthy' : isStopping ? 'stopping' : 'refusing',
          db: store.health().kind === 'up' ? 'connected' : 'Not connected',
          database: store.kind,
          ledger: { status: refusing ?? 'accepting', unwritten_entries: unwrittenEntries, journal_bytes: journalBytes },
          directory: { version: directory.roster.version, keys: directory.roster.keys.size, ready: directory.isReady },
          cache: null,
          litellm_version: VERSION,
          success_callbacks: [],
          config: {
            version: snapshot.version,
            fingerprint: snapshot.fingerprint,
            ...(problem === null ? { status: 'current' } : { status: 'rejected', problem }),
          },
        },
      };
    },
    metrics: sources.metrics,
  };
}

/** Why the gateway is not well, in words that everybody may read; null when it is. */
function problemsOf({ isStopping, books: { store, ledger } }: StatusSources): Record<string, string> | null {
  const { refusing } = ledger.status();
  const isDown = store.health().kind === 'down';
  if (!isStopping() && !isDown && refusing === null) return null;
  return {
    ...(isStopping() && { reason: 'stopping' }),
    ...(isDown && { db: 'Not connected' }),
    ...(refusing !== null && { ledger: refusing }),
  };
}

function endpointLists({ current, health, now }: StatusSources) {
  const healthy: unknown[] = [];
  const unhealthy: unknown[] = [];
  const disabled: unknown[] = [];
  for (const deployment of current().deployments.values()) {
    if (deployment.disabled !== null) {
      disabled.push({
        ...describeDeployment(deployment),
        error: deployment.disabled.message,
        missing: deployment.disabled.missingVariables,
      });
      continue;
    }
    const { kind } = health.state(deployment.id, now());
    if (kind === 'available') healthy.push(describeDeployment(deployment));
    else unhealthy.push({ ...describeDeployment(deployment), error: `out of rotation: ${kind}` });
  }
  return {
    healthy_endpoints: healthy,
    unhealthy_endpoints: unhealthy,
    disabled_endpoints: disabled,
    healthy_count: healthy.length,
    unhealthy_count: unhealthy.length,
    disabled_count: disabled.length,
  };
}

function describeDeployment(deployment: Deployment) {
  return {
    model: deployment.configuredModel,
    model_name: deployment.group,
    model_id: deployment.id,
    ...(deployment.upstream.baseUrl === null ? {} : { api_base: deployment.upstream.baseUrl }),
  };
}
