import type { Deployment } from '../core/snapshot.ts';
import { earliest, type Millis } from '../core/units.ts';
import type { AttemptLimits, Route } from './route.ts';

/**
 * The time limits of an attempt at one deployment (litellm.md §2.4).
 *
 * LiteLLM's `timeout` bounds each wait, not the whole answer: it is the limit for the first byte and for every gap. The
 * request's deadline bounds the whole.
 */
export function attemptLimits(route: Route, deployment: Deployment): AttemptLimits {
  const wait = (route.request.isStreaming ? streamTimeout(route, deployment) : null) ?? replyTimeout(route, deployment);
  return {
    connect: earliest(route.settings.connectTimeout, wait),
    firstByte: wait,
    idle: wait,
    deadline: route.deadline,
  };
}

function streamTimeout({ request, settings }: Route, deployment: Deployment): Millis | null {
  return request.controls.streamTimeout ?? deployment.streamTimeout ?? settings.streamTimeout;
}

function replyTimeout({ request, settings }: Route, deployment: Deployment): Millis {
  return request.controls.timeout ?? deployment.timeout ?? settings.timeout;
}
