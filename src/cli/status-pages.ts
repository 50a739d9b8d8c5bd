import type { Deployment, Snapshot } from '../core/snapshot.ts';
import type { Millis } from '../core/units.ts';
import { VERSION } from '../core/version.ts';
import type { StatusPages } from '../gateway/gateway.ts';
import type { HealthTable } from '../router/health.ts';

/** What the pages are told by the composition root. */
export interface StatusSources {
  current(): Snapshot;
  now(): Millis;
  readonly health: HealthTable;
  /** Why the last edit of the configuration was not taken, or null. */
  configProblem(): string | null;
  isStopping(): boolean;
  metrics(): string;
}

/**
 * `/health`, `/health/readiness` and `/metrics` from what is known already: none of them calls a model (B18).
 *
 * Without a key `/health` says only whether the gateway works; with one it lists the deployments as LiteLLM does.
 */
export function statusPages(sources: StatusSources): StatusPages {
  return {
    health(isKeyed) {
      const isHealthy = !sources.isStopping();
      const status = isHealthy ? 'healthy' : 'unhealthy';
      const body = isKeyed ? { status, ...endpointLists(sources) } : { status };
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
      const snapshot = sources.current();
      const problem = sources.configProblem();
      const isStopping = sources.isStopping();
      return {
        status: isStopping ? 503 : 200,
        body: {
          status: isStopping ? 'stopping' : 'healthy',
          db: 'Not connected',
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
