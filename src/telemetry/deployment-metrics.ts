import type { Deployment } from '../core/snapshot.ts';
import { type AttemptNames, labelsOf } from './attempt-metrics.ts';
import { DEPLOYMENT } from './labels.ts';
import type { MetricsRegistry } from './metrics.ts';

/** What a deployment is doing at one moment. */
export interface DeploymentGauge {
  readonly deployment: Deployment;
  /** The breaker's state, or `disabled` when it is out of use by its configuration. */
  readonly state: BreakerState;
  /** Failures in a row. */
  readonly failures: number;
  readonly inFlight: number;
}

export type BreakerState = 'available' | 'cooling' | 'ejected' | 'probing' | 'disabled';

const STATES = ['available', 'cooling', 'ejected', 'probing', 'disabled'] as const satisfies readonly BreakerState[];

/** Gauges of the deployments of the configuration, computed when they are asked for. */
export function observeDeployments(
  registry: MetricsRegistry,
  deployments: () => Iterable<DeploymentGauge>,
  names: Pick<AttemptNames, 'apiBase'>,
): void {
  const each = (name: string, help: string, gaugeOf: (gauge: DeploymentGauge) => number | null) =>
    registry.scraped(name, help, DEPLOYMENT, (set) => {
      for (const gauge of deployments()) {
        const value = gaugeOf(gauge);
        if (value !== null) set(labelsOf(gauge.deployment, names), value);
      }
    });
  each('litellm_deployment_state', '0 healthy, 1 failing, 2 out of rotation.', outage);
  each(
    'litellm_deployment_rpm_limit',
    'Requests a minute that the configuration allows.',
    (gauge) => gauge.deployment.rpm,
  );
  each(
    'litellm_deployment_tpm_limit',
    'Tokens a minute that the configuration allows.',
    (gauge) => gauge.deployment.tpm,
  );
  registry.scraped('tollgate_breaker_state', '1 for the state that a deployment is in.', BREAKER_LABELS, (set) => {
    for (const { deployment, state } of deployments()) {
      const { id, group, provider } = deployment;
      for (const each of STATES)
        set({ model_id: id, model_group: group, api_provider: provider, state: each }, each === state ? 1 : 0);
    }
  });
  registry.scraped('tollgate_deployment_in_flight', 'Attempts that are running.', ['model_id'], (set) => {
    for (const { deployment, inFlight } of deployments()) set({ model_id: deployment.id }, inFlight);
  });
}

const BREAKER_LABELS = ['model_id', 'model_group', 'api_provider', 'state'];

function outage({ state, failures }: DeploymentGauge): number {
  if (state !== 'available') return 2;
  return failures > 0 ? 1 : 0;
}
