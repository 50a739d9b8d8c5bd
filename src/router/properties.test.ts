import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { type Answer, deploymentOf, outcomeOf, requestOf, snapshotOf } from '../../test/support/routing.ts';
import type { Deployment, RoutingSettings, RoutingStrategy, Snapshot } from '../core/snapshot.ts';
import { type Millis, millis, plus, seconds } from '../core/units.ts';
import { isOverLimit } from './candidates.ts';
import { decide } from './decide.ts';
import { explain } from './explain.ts';
import { HealthTable } from './health.ts';
import type { Leg } from './leg.ts';
import { LoadTable } from './load.ts';
import { type Attempt, type Decision, groupSizeOf, planRoute, type Route } from './route.ts';
import { STRATEGIES } from './strategy/registry.ts';

/** A configuration, a past and the answers to come, all from small numbers so that shrinking works. */
interface World {
  readonly snapshot: Snapshot;
  readonly isStreaming: boolean;
  readonly past: readonly (readonly [deployment: number, answer: Answer, pause: number])[];
  readonly answers: readonly (readonly [answer: Answer, seconds: number])[];
  readonly seed: number;
}

const GROUPS = ['g', 'h', 'i'];
const answer = fc.constantFrom<Answer>(
  ...([500, 503, 429, 401, 404, 400, 402, 'timeout', 'refused', 'cut', 'context', 'content'] as const),
  { status: 429, retryAfter: 3 },
  { status: 503, retryAfter: 50 },
);
const maybe = (max: number) => fc.option(fc.integer({ min: 0, max }), { freq: 3 });

const deployments = fc
  .array(
    fc.record({
      group: fc.constantFrom(...GROUPS),
      order: maybe(2),
      weight: maybe(3),
      rpm: maybe(5),
      maxParallel: maybe(2),
      cooldown: fc.option(fc.constantFrom(millis(0), seconds(2)), { freq: 4 }),
      numRetries: maybe(3),
    }),
    { minLength: 1, maxLength: 7 },
  )
  .map((all): readonly Deployment[] => all.map((words, index) => deploymentOf(`d${index}`, words)));

const fallbackMap = fc
  .array(fc.tuple(fc.constantFrom(...GROUPS, '*'), fc.subarray(GROUPS)), { maxLength: 3 })
  .map((entries): ReadonlyMap<string, string[]> => new Map(entries));

const settings = fc.record({
  strategy: fc.constantFrom(...(Object.keys(STRATEGIES) as RoutingStrategy[])),
  fallbacks: fallbackMap,
  contextWindowFallbacks: fc.option(fallbackMap),
  contentPolicyFallbacks: fc.option(fallbackMap),
  numRetries: fc.integer({ min: 0, max: 3 }),
  allowedFails: fc.integer({ min: 1, max: 3 }),
  totalTimeout: fc.constantFrom(seconds(5), seconds(60), seconds(600)),
  fallbackOn: fc.constantFrom<RoutingSettings['fallbackOn']>([], ['any'], [400]),
  preCallChecks: fc.boolean(),
});

const world: fc.Arbitrary<World> = fc
  .record({
    deployments,
    settings,
    isStreaming: fc.boolean(),
    past: fc.array(fc.tuple(fc.nat(6), fc.oneof(answer, fc.constant<Answer>('ok')), fc.nat(5)), { maxLength: 12 }),
    answers: fc.array(fc.tuple(answer, fc.constantFrom(0, 0, 1, 30)), { minLength: 1, maxLength: 40 }),
    seed: fc.nat(),
  })
  .map(({ deployments: all, settings: some, ...rest }) => ({ snapshot: snapshotOf(all, some), ...rest }));

function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Scene {
  readonly route: Route;
  readonly health: HealthTable;
  readonly load: LoadTable;
  readonly now: Millis;
}

/** Plays the past into the tables and plans a request after it. */
function setUp({ snapshot, past, isStreaming }: World): Scene | null {
  const health = new HealthTable();
  const load = new LoadTable();
  const all = [...snapshot.deployments.values()];
  let now = millis(0);
  for (const [index, reply, pause] of past) {
    const deployment = all[index % all.length]!;
    now = plus(now, seconds(pause));
    health.begin(deployment, now);
    load.begin(deployment.id, now);
    health.record(deployment, 2, outcomeOf(reply), snapshot.routing, now);
  }
  const route = planRoute(snapshot, requestOf({ model: 'g', isStreaming }, now));
  return route.kind === 'route' ? { route, health, load, now } : null;
}

interface Taken {
  readonly decision: Extract<Decision, { kind: 'attempt' }>;
  readonly before: readonly Attempt[];
  readonly at: Millis;
}

/** Runs the request to its end; `seen` is called before each attempt with the tables as `decide` saw them. */
function play(world: World, scene: Scene, seen: (taken: Taken) => void): readonly Attempt[] {
  const { route, health, load } = scene;
  const random = seeded(world.seed);
  const attempts: Attempt[] = [];
  let now = scene.now;
  for (let i = 0; i < 100; i += 1) {
    const decision = decide(route, attempts, health, load, now, random);
    if (decision.kind === 'give-up') return attempts;
    seen({ decision, before: [...attempts], at: now });
    const startedAt = plus(now, decision.delay);
    const [reply, took] = world.answers[i % world.answers.length]!;
    now = plus(startedAt, seconds(took));
    const { deployment, group, delay } = decision;
    const outcome = outcomeOf(reply);
    health.begin(deployment, startedAt);
    load.begin(deployment.id, startedAt);
    health.record(deployment, groupSizeOf(route, group), outcome, route.settings, now);
    attempts.push({ deployment, group, outcome, startedAt, endedAt: now, delay });
  }
  throw new Error('a request without end');
}

function chainsOf({ legs }: Route): readonly Leg[] {
  return legs.flatMap((leg) => [leg, ...(leg.contextChain ?? []), ...(leg.contentChain ?? [])]);
}

function check(law: (world: World, scene: Scene) => void, numRuns = 2000): void {
  fc.assert(
    fc.property(world, (each) => {
      const scene = setUp(each);
      if (scene !== null) law(each, scene);
    }),
    { numRuns },
  );
}

test('there are never more attempts than the plan has deployments and retries', () => {
  check((each, scene) => {
    const planned = new Set(chainsOf(scene.route).flatMap((leg) => leg.deployments));
    const retries = Math.max(scene.route.settings.numRetries, ...[...planned].map((d) => d.numRetries ?? 0));
    const attempts = play(each, scene, () => {});
    expect(attempts.length).toBeLessThanOrEqual(planned.size + retries);
    for (const attempt of attempts) expect(planned.has(attempt.deployment)).toBe(true);
  });
});

test('no attempt starts at or past the deadline', () => {
  check((each, scene) => {
    play(each, scene, ({ decision, at }) => expect(at + decision.delay).toBeLessThan(scene.route.deadline));
  });
});

test('a benched deployment is never called while another of its level may be', () => {
  check((each, scene) => {
    const { route, health } = scene;
    play(each, scene, ({ decision, before, at }) => {
      if (health.isReady(decision.deployment.id, at)) return;
      const level = chainsOf(route)
        .flatMap((leg) => leg.levels)
        .find(({ deployments: of }) => of.includes(decision.deployment));
      const others = (level?.deployments ?? []).filter((other) => health.isReady(other.id, at));
      for (const other of others)
        expect(before.some((attempt) => attempt.deployment === other) || isLimited(other, scene, at)).toBe(true);
    });
  });
});

/** Limits of the minute take a deployment out as well; they have their own tests. */
function isLimited(deployment: Deployment, { route, load }: Scene, now: Millis): boolean {
  const view = { settings: route.settings, load, now, random: () => 0, isStreaming: false, promptTokens: 0 };
  return isOverLimit(deployment, view);
}

test('a deployment is not repeated while an untried one is available, and only a repetition waits', () => {
  check((each, scene) => {
    const { route, health } = scene;
    play(each, scene, ({ decision, before, at }) => {
      const isRepeated = before.some((attempt) => attempt.deployment === decision.deployment);
      if (!isRepeated) expect(decision.delay).toBe(millis(0));
      const last = before.at(-1)?.outcome.kind;
      // A refusal closes its group or changes the chain: what is available then has stories of its own.
      if (!isRepeated || before.some((attempt) => attempt.outcome.kind === 'rejected') || last === undefined) return;
      const untried = route.legs
        .flatMap((leg) => leg.deployments)
        .filter((other) => !before.some((attempt) => attempt.deployment === other));
      for (const other of untried) expect(!health.isReady(other.id, at) || isLimited(other, scene, at)).toBe(true);
    });
  });
});

test('every attempt but a first one in the group asked for is a retry or a fallback', () => {
  check((each, scene) => {
    play(each, scene, ({ decision, before }) => {
      expect(decision.retries).toBeGreaterThanOrEqual(0);
      expect(decision.fallbacks).toBeGreaterThanOrEqual(before.length === 0 || decision.retries > 0 ? 0 : 1);
      const named = decision.retries + decision.fallbacks;
      expect([before.length, before.length + 1]).toContain(named);
    });
  });
});

test('explain names the deployment that is then used, in 10,000 random configurations', () => {
  let compared = 0;
  check((each, { route, health, load, now }) => {
    const lines = explain(route, health, load, now, seeded(each.seed));
    const decision = decide(route, [], health, load, now, seeded(each.seed));
    if (decision.kind === 'give-up') {
      expect(lines.some((line) => line.startsWith('nothing is called'))).toBe(true);
      return;
    }
    compared += 1;
    const named = lines.find((line) => line.startsWith('first: '));
    expect(named).toStartWith(`first: ${decision.deployment.id} of ${decision.group},`);
  }, 10_000);
  expect(compared).toBeGreaterThan(5000);
});
