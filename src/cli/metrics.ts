import type { Roster } from '../control/directory/roster.ts';
import type { Clock } from '../core/clock.ts';
import { keyHash, teamId } from '../core/ids.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { millis } from '../core/units.ts';
import { baseUrlOf } from '../providers/registry.ts';
import type { HealthTable } from '../router/health.ts';
import type { LoadTable } from '../router/load.ts';
import { AttemptMetrics } from '../telemetry/attempt-metrics.ts';
import { type DeploymentGauge, observeDeployments } from '../telemetry/deployment-metrics.ts';
import type { MetricsRegistry } from '../telemetry/metrics.ts';
import { RequestMetrics } from '../telemetry/request-metrics.ts';

/** Characters of a scrape after which others have a turn of the event loop: about a millisecond. */
const TURN = 256 * 1024;

/** What counts requests and attempts. The configuration's choice of labels is the one of the start. */
export function requestMeters(registry: MetricsRegistry, current: () => Snapshot, roster: Roster) {
  const settings = current().server.metrics;
  const names = {
    isKnown: (model: string) => namesOf(current()).has(model),
    teamAlias: (id: string) => roster.team(teamId(id))?.alias ?? null,
    keyMetadata: (hash: string) => roster.key(keyHash(hash))?.metadata ?? null,
    apiBase: baseUrlOf,
  };
  return {
    requests: new RequestMetrics(registry, settings, names),
    attempts: new AttemptMetrics(registry, settings, names),
  };
}

interface State {
  current(): Snapshot;
  readonly health: HealthTable;
  readonly loads: LoadTable;
  readonly clock: Clock;
  /** LLM requests whose answer is not over. */
  running(): number;
}

/** Gauges of what the data plane knows at a moment. */
export function observeState(registry: MetricsRegistry, state: State): void {
  const { current, running } = state;
  registry.observed('tollgate_config_version', 'Version of the configuration in use.', () => current().version);
  registry.observed('tollgate_requests_in_flight', 'LLM requests whose answer is not over, streams included.', running);
  observeDeployments(registry, () => deploymentsOf(state), { apiBase: baseUrlOf });
}

/** The text of a scrape, made in several turns when it is long: requests go on in between. */
export async function exposition(registry: MetricsRegistry, clock: Clock): Promise<Uint8Array> {
  const made: Buffer[] = [];
  let text = '';
  for (const part of registry.parts()) {
    text += part;
    if (text.length < TURN) continue;
    made.push(Buffer.from(text));
    text = '';
    await new Promise<void>((resolve) => clock.after(millis(0), resolve));
  }
  return Buffer.concat([...made, Buffer.from(text)]);
}

function* deploymentsOf({ current, health, loads, clock }: State): Generator<DeploymentGauge> {
  for (const deployment of current().deployments.values()) {
    const state = health.state(deployment.id, clock.now());
    yield {
      deployment,
      state: deployment.disabled === null ? state.kind : 'disabled',
      failures: state.kind === 'available' ? state.failures : 0,
      inFlight: loads.inFlight(deployment.id),
    };
  }
}

const names = new WeakMap<Snapshot, ReadonlySet<string>>();

/** Names of the configuration's own: what clients may ask for and what is asked of providers, stars not filled in. */
function namesOf(snapshot: Snapshot): ReadonlySet<string> {
  let known = names.get(snapshot);
  if (known === undefined) {
    const deployments = [...snapshot.deployments.values()].flatMap(({ id, model }) => [id, model]);
    known = new Set([...snapshot.groups.keys(), ...snapshot.aliases.keys(), ...deployments]);
    names.set(snapshot, known);
  }
  return known;
}
