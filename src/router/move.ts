import { type Failure, isTriggeredBy, type Outcome, verdict } from '../core/outcome.ts';
import type { RoutingSettings } from '../core/snapshot.ts';
import type { Leg } from './leg.ts';
import { contextErrorsLeave, isClientList } from './request.ts';
import type { Route } from './route.ts';

/**
 * Where a request goes after one outcome.
 *
 * `onward`: to the next deployment of the plan. `leave`: to the next group, since every deployment of this one would
 * say the same. `context-chain`, `content-chain`: to the leg's chain. `stop`: nowhere.
 */
export type Move = 'onward' | 'leave' | 'context-chain' | 'content-chain' | 'stop';

/**
 * Applies the verdict table, then the operator's `fallback_on` and `no_fallback_on`, of which the latter wins.
 *
 * A chain set for context or content errors is only shut by name: `no_fallback_on: [400]` does not mean it.
 */
export function moveAfter(route: Route, leg: Leg, outcome: Outcome): Move {
  if (outcome.kind === 'success') return 'stop';
  const { settings, request } = route;
  const { elsewhere } = verdict(outcome);
  // Inside its own chain such an error only says that this group does not help either.
  if (elsewhere === `${leg.chain}-chain`) return 'leave';
  if (elsewhere === 'context-chain' && leg.contextChain !== null) {
    return isShut(settings, 'context-window') ? 'stop' : elsewhere;
  }
  if (elsewhere === 'content-chain' && leg.contentChain !== null) {
    return isShut(settings, 'content-policy') ? 'stop' : elsewhere;
  }
  if (isNamed(outcome, settings.noFallbackOn)) return 'stop';
  switch (elsewhere) {
    case 'fallback':
      return 'onward';
    case 'context-chain':
      return leavesDespite(settings, outcome, contextErrorsLeave(settings, request));
    case 'content-chain':
      return leavesDespite(settings, outcome, isClientList(request.controls.fallbacks));
    case 'stop':
      // Only a refusal can be sent elsewhere by configuration: a broken or abandoned answer cannot be taken back.
      return outcome.kind === 'rejected' ? leavesDespite(settings, outcome, false) : 'stop';
  }
}

function isShut({ noFallbackOn }: RoutingSettings, name: 'context-window' | 'content-policy'): boolean {
  return noFallbackOn.includes(name) || noFallbackOn.includes('any');
}

function leavesDespite(settings: RoutingSettings, outcome: Failure, isAllowed: boolean): Move {
  return isAllowed || isNamed(outcome, settings.fallbackOn) ? 'leave' : 'stop';
}

function isNamed(outcome: Failure, triggers: RoutingSettings['fallbackOn']): boolean {
  return triggers.some((trigger) => isTriggeredBy(outcome, trigger));
}
