import type { Outcome } from '../core/outcome.ts';
import type { Deployment } from '../core/snapshot.ts';
import type { Millis } from '../core/units.ts';
import { decide } from './decide.ts';
import type { HealthTable } from './health.ts';
import type { Leg } from './leg.ts';
import type { LoadTable } from './load.ts';
import type { Attempt, Decision, Route } from './route.ts';

type Step = Extract<Decision, { kind: 'attempt' }>;

/** Attempts printed; plans are longer only by accident. */
const MOST_STEPS = 100;

/** What the explanation assumes of every attempt: the plainest failure that lets all of the plan show. */
const ASSUMED: Outcome = {
  kind: 'upstream-error',
  retryAfter: null,
  words: { status: 503, message: 'assumed', type: null, param: null, code: null },
};

/**
 * The plan of one request as lines of text: what is called first and why, then what follows if every attempt fails.
 *
 * It is `decide` that is asked for each line, so that it cannot disagree with what happens: with the same tables, time
 * and random source the first deployment named is the one that is used.
 */
export function explain(
  route: Route,
  health: HealthTable,
  load: LoadTable,
  now: Millis,
  random: () => number,
): readonly string[] {
  const { steps, end } = rehearse(route, health, load, now, random);
  const first = steps[0];
  return [
    `model ${route.request.model} → group ${route.group}, strategy ${route.settings.strategy}`,
    ...route.legs.flatMap((leg) => legLines(leg, health, now)),
    first === undefined
      ? `nothing is called: ${end}`
      : `first: ${nameOf(first)}, ${reasonFor(route, first, health, now)}`,
    ...steps.slice(1).map((step, index) => stepLine(step, steps.slice(0, index + 1))),
    ...(first === undefined ? [] : [`then give up (${end})`]),
    `deadline: ${duration(route.deadline - now)} from now for all attempts together`,
  ];
}

/** Asks `decide` again and again as if each attempt failed at once; the tables stay as they are. */
function rehearse(
  route: Route,
  health: HealthTable,
  load: LoadTable,
  start: Millis,
  random: () => number,
): { readonly steps: readonly Step[]; readonly end: string } {
  const steps: Step[] = [];
  const attempts: Attempt[] = [];
  let now = start;
  while (steps.length < MOST_STEPS) {
    const decision = decide(route, attempts, health, load, now, random);
    if (decision.kind === 'give-up') return { steps, end: decision.reason };
    steps.push(decision);
    now = (now + decision.delay) as Millis;
    const { deployment, group, delay } = decision;
    attempts.push({ deployment, group, delay, outcome: ASSUMED, startedAt: now, endedAt: now });
  }
  return { steps, end: 'the rest is not shown' };
}

function legLines(leg: Leg, health: HealthTable, now: Millis): readonly string[] {
  const changed = leg.overrides === null ? '' : ', with a body of its own';
  return [
    `${leg.role} group ${leg.group}${changed}:`,
    ...leg.deployments.map((each) => `  ${deploymentLine(each, health, now)}`),
    ...chainLine('context-window', leg.contextChain),
    ...chainLine('content-policy', leg.contentChain),
  ];
}

function chainLine(name: string, chain: readonly Leg[] | null): readonly string[] {
  return chain === null ? [] : [`  ${name} errors go to ${chain.map((leg) => leg.group).join(', ')}`];
}

function deploymentLine(deployment: Deployment, health: HealthTable, now: Millis): string {
  const { id, order, weight, rpm, tpm } = deployment;
  const numbers = { order, weight, rpm, tpm };
  const shown = Object.entries(numbers).flatMap(([name, value]) => (value === null ? [] : `${name} ${value}`));
  return [`${id} (${deployment.provider}/${deployment.model})`, ...shown, healthWords(deployment, health, now)].join(
    ', ',
  );
}

function healthWords({ id }: Deployment, health: HealthTable, now: Millis): string {
  const state = health.state(id, now);
  switch (state.kind) {
    case 'available':
      return state.failures === 0 ? 'available' : `available after ${state.failures} failures in a row`;
    case 'probing':
      return 'being probed';
    case 'cooling':
    case 'ejected':
      return now < state.until ? `${state.kind} for ${duration(state.until - now)}` : `${state.kind}, due for a probe`;
  }
}

function reasonFor({ legs, settings }: Route, { deployment }: Step, health: HealthTable, now: Millis): string {
  if (!health.isReady(deployment.id, now)) return 'the least bad, since everything is benched';
  const leg = legs.find((each) => each.deployments.includes(deployment));
  const level = leg?.levels.find((each) => each.deployments.includes(deployment));
  if (leg !== legs[0]) return `since nothing in group ${legs[0]?.group} is available`;
  const peers = (level?.deployments ?? []).filter((each) => health.isReady(each.id, now)).length;
  const order = level?.order === null || level === undefined ? 'the first level' : `order ${level.order}`;
  return peers < 2 ? `the only one available of ${order}` : `chosen by ${settings.strategy} among ${peers} of ${order}`;
}

function stepLine(step: Step, before: readonly Step[]): string {
  const isReturn = before.some((each) => each.deployment === step.deployment);
  const when = step.delay > 0 ? `after ${duration(step.delay)}` : 'at once';
  return `then ${when}: ${nameOf(step)}${isReturn ? ` again (retry ${step.retries})` : ''}`;
}

function nameOf({ deployment, group }: Step): string {
  return `${deployment.id} of ${group}`;
}

function duration(value: number): string {
  return value < 1000 ? `${Math.round(value)} ms` : `${Math.round(value / 10) / 100} s`;
}
