import type { Outcome } from '../core/outcome.ts';
import type { RoutingSettings } from '../core/snapshot.ts';
import { minus } from '../core/units.ts';
import type { Usage } from '../core/usage.ts';
import { groupSizeOf } from '../router/route.ts';
import type { ExchangeDependencies } from './dependencies.ts';
import { meterStatus } from './failure.ts';
import type { AttemptDecision, Story } from './story.ts';

/** How an attempt ended, and whether anybody was called. */
interface Conclusion {
  readonly decision: AttemptDecision;
  readonly outcome: Outcome;
  readonly usage: Usage | null;
  /** False for a mocked attempt: then only the request's own story hears of it. */
  readonly wasCalled: boolean;
}

/** Story, health, load and metrics hear of an attempt's end here and nowhere else. */
export function conclude(
  { health, load, ports }: ExchangeDependencies,
  story: Story,
  routing: RoutingSettings,
  { decision, outcome, usage, wasCalled }: Conclusion,
): void {
  const { deployment, group } = decision;
  const { accepted, route, firstByte } = story;
  const { startedAt, endedAt } = story.end(decision, outcome);
  if (!wasCalled) return;
  const duration = minus(endedAt, startedAt);
  // A call with the client's own credential says nothing about ours.
  const told: Outcome = accepted?.controls.credentials == null ? outcome : { kind: 'client-gone' };
  const groupSize = route === null ? 1 : groupSizeOf(route, group);
  const wasReady = health.isReady(deployment.id, endedAt);
  health.record(deployment, groupSize, told, routing, endedAt);
  const status = meterStatus(outcome);
  if (wasReady && !health.isReady(deployment.id, endedAt)) ports.meters.benched({ deployment, status });
  const sample = {
    outcome: told,
    elapsed: duration,
    firstToken: firstByte,
    completionTokens: usage?.output ?? null,
    totalTokens: usage === null ? null : usage.input + usage.output,
  };
  load.end(deployment.id, sample, routing, endedAt);
  ports.meters.attempt({
    deployment,
    group,
    principal: accepted?.principal ?? null,
    outcome: outcome.kind,
    status,
    duration,
    outputTokens: sample.completionTokens,
  });
}
