/** What does it cost to plan a request and to choose a deployment: few, many, and after failures? */
import { loadConfig } from '../../src/config/load.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import { millis } from '../../src/core/units.ts';
import { decide } from '../../src/router/decide.ts';
import { HealthTable } from '../../src/router/health.ts';
import { LoadTable } from '../../src/router/load.ts';
import { type Attempt, NO_CONTROLS, planRoute, type Route, type RoutingControls } from '../../src/router/route.ts';
import { compare, printMachine } from './compare.ts';

const FAILED: Outcome = { kind: 'connect-failed', code: 'ECONNREFUSED' };
const CLIENT_FALLBACKS: RoutingControls = { ...NO_CONTROLS, fallbacks: [{ model: 'secondary', overrides: null }] };
const health = new HealthTable();
const load = new LoadTable();

for (const size of [1, 10, 100]) {
  const snapshot = configured(size);
  compare(`Groups of ${size} deployments, weighted, with one fallback group:`, [
    { name: 'plan and first choice', run: (times) => repeat(times, () => firstChoice(snapshot)) },
    {
      name: 'plan, first choice, choice after a refused connection',
      run: (times) => repeat(times, () => secondChoice(snapshot)),
    },
    {
      name: 'plan with a fallback list of the client',
      run: (times) => repeat(times, () => routeOf(snapshot, CLIENT_FALLBACKS).legs.length),
    },
    { name: 'one weighted pick (the floor)', run: (times) => repeat(times, () => Math.floor(Math.random() * size)) },
  ]);
}
printMachine();

function firstChoice(snapshot: Snapshot): number {
  return attemptOf(routeOf(snapshot, NO_CONTROLS), []).startedAt;
}

function secondChoice(snapshot: Snapshot): number {
  const route = routeOf(snapshot, NO_CONTROLS);
  return attemptOf(route, [attemptOf(route, [])]).startedAt;
}

function routeOf(snapshot: Snapshot, controls: RoutingControls): Route {
  const request = {
    model: 'primary',
    isStreaming: false,
    promptTokens: null,
    tags: [],
    controls,
    startedAt: millis(1000),
  };
  const route = planRoute(snapshot, request);
  if (route.kind !== 'route') throw new Error(route.kind);
  return route;
}

function attemptOf(route: Route, attempts: readonly Attempt[]): Attempt {
  const decision = decide(route, attempts, health, load, millis(1000), Math.random);
  if (decision.kind !== 'attempt') throw new Error(decision.reason);
  const { deployment, group, delay } = decision;
  return { deployment, group, outcome: FAILED, startedAt: millis(1000), endedAt: millis(1001), delay };
}

function repeat(times: number, operation: () => number): number {
  let sum = 0;
  for (let i = 0; i < times; i++) sum += operation();
  return sum;
}

function configured(size: number): Snapshot {
  const entries = ['primary', 'secondary'].flatMap((group) =>
    Array.from({ length: size }, (_, index) => ({
      model_name: group,
      litellm_params: { model: `openai/model-${index}`, api_key: `sk-${group}-${index}`, weight: (index % 3) + 1 },
    })),
  );
  const text = JSON.stringify({ model_list: entries, router_settings: { fallbacks: [{ primary: ['secondary'] }] } });
  const loaded = loadConfig({ path: 'bench.yaml', text, readFile: () => text, env: {}, strict: false, demo: null });
  if (loaded.kind === 'invalid') throw new Error(JSON.stringify(loaded.findings));
  return { ...loaded.snapshot, version: 1 };
}
