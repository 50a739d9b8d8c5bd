import type { Clock } from '../core/clock.ts';
import type { HealthTable } from '../router/health.ts';
import type { LoadTable } from '../router/load.ts';
import type { Upstream } from '../transport/upstream.ts';
import type { GatewayPorts } from './ports.ts';
import type { Slots } from './slots.ts';
import type { UsageRefusals } from './usage-refusals.ts';

/** What all exchanges share. */
export interface ExchangeDependencies {
  readonly ports: GatewayPorts;
  readonly clock: Clock;
  readonly upstream: Upstream;
  readonly health: HealthTable;
  readonly load: LoadTable;
  readonly slots: Slots;
  readonly usageRefusals: UsageRefusals;
}
