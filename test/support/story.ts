import type { Outcome } from '../../src/core/outcome.ts';
import type { Deployment, RoutingSettings, Snapshot } from '../../src/core/snapshot.ts';
import { type Millis, minus, seconds } from '../../src/core/units.ts';
import { decide } from '../../src/router/decide.ts';
import { HealthTable } from '../../src/router/health.ts';
import { LoadTable } from '../../src/router/load.ts';
import {
  type Attempt,
  type Decision,
  type GiveUpReason,
  groupSizeOf,
  planRoute,
  type Route,
  type RouteError,
} from '../../src/router/route.ts';
import { type Answer, type Ask, outcomeOf, requestOf, snapshotOf } from './routing.ts';
import { VirtualClock } from './virtual-clock.ts';

/** One scripted call: what the deployment answers and after how many seconds. */
export type Call = Answer | { readonly answer: Answer; readonly after: number };

/** What happens in a story. */
export interface Setting {
  readonly deployments: readonly Deployment[];
  readonly settings?: Partial<RoutingSettings>;
  readonly aliases?: Readonly<Record<string, string>>;
  /** Answers by deployment id, in order; the last one repeats. Deployments without a script succeed. */
  readonly script?: Readonly<Record<string, readonly Call[]>>;
  /** Uniform in [0, 1); 0 unless given: no jitter, the first of equals. */
  readonly random?: () => number;
}

/** How one request of a story went. */
export interface Telling {
  /** One line an attempt: `<second it began> <deployment> <answer>`. */
  readonly lines: string[];
  /** Seconds slept before each attempt. */
  readonly delays: number[];
  readonly decisions: Extract<Decision, { kind: 'attempt' }>[];
  readonly attempts: Attempt[];
  end: GiveUpReason | 'success' | RouteError['kind'] | 'running';
  endedAt: number;
}

/** Runs requests through the router as the gateway does, on a virtual clock against scripted deployments. */
export class Story {
  readonly clock = new VirtualClock();
  readonly health = new HealthTable();
  readonly load = new LoadTable();
  readonly snapshot: Snapshot;
  readonly #script: Map<string, Call[]>;
  readonly #random: () => number;

  constructor({ deployments, settings, aliases, script, random }: Setting) {
    this.snapshot = snapshotOf(deployments, settings, aliases);
    this.#script = new Map(Object.entries(script ?? {}).map(([id, calls]) => [id, [...calls]]));
    this.#random = random ?? (() => 0);
  }

  /** Sends a request now and plays everything to its end. */
  ask(ask: Ask | string): Telling {
    const telling = this.start(ask);
    this.clock.runAll();
    return telling;
  }

  /** Sends a request now; the test moves the clock. */
  start(ask: Ask | string): Telling {
    const telling: Telling = { lines: [], delays: [], decisions: [], attempts: [], end: 'running', endedAt: 0 };
    const route = planRoute(this.snapshot, requestOf(ask, this.clock.now()));
    if (route.kind === 'route') this.#step(route, telling);
    else telling.end = route.kind;
    return telling;
  }

  /** Lets time pass. */
  wait(duration: number): void {
    this.clock.advanceTo(seconds(this.clock.now() / 1000 + duration));
  }

  #step(route: Route, telling: Telling): void {
    const decision = decide(route, telling.attempts, this.health, this.load, this.clock.now(), this.#random);
    if (decision.kind === 'give-up') {
      this.#end(telling, decision.reason);
      return;
    }
    telling.decisions.push(decision);
    telling.delays.push(decision.delay / 1000);
    this.#after(decision.delay, () => this.#attempt(route, telling, decision));
  }

  #attempt(route: Route, telling: Telling, decision: Extract<Decision, { kind: 'attempt' }>): void {
    const { deployment } = decision;
    const startedAt = this.clock.now();
    const { answer, after } = this.#nextCall(deployment.id);
    const outcome = outcomeOf(answer);
    telling.lines.push(`${startedAt / 1000} ${deployment.id} ${label(answer)}`);
    this.health.begin(deployment, startedAt);
    this.load.begin(deployment.id, startedAt);
    this.#after(seconds(after), () => {
      const attempt = { deployment, group: decision.group, outcome, startedAt, delay: decision.delay };
      this.#finish(route, telling, { ...attempt, endedAt: this.clock.now() });
    });
  }

  #finish(route: Route, telling: Telling, attempt: Attempt): void {
    const { deployment, group, outcome } = attempt;
    const now = this.clock.now();
    this.health.record(deployment, groupSizeOf(route, group), outcome, route.settings, now);
    this.load.end(deployment.id, sampleOf(outcome, minus(now, attempt.startedAt)), route.settings, now);
    telling.attempts.push(attempt);
    if (outcome.kind === 'success') this.#end(telling, 'success');
    else this.#step(route, telling);
  }

  #end(telling: Telling, end: Telling['end']): void {
    telling.end = end;
    telling.endedAt = this.clock.now() / 1000;
  }

  /** At once when it takes no time: the stack of a story is as deep as one request has attempts. */
  #after(duration: Millis, callback: () => void): void {
    if (duration === 0) callback();
    else this.clock.after(duration, callback);
  }

  #nextCall(id: string): { answer: Answer; after: number } {
    const calls = this.#script.get(id) ?? ['ok'];
    const call = (calls.length > 1 ? calls.shift() : calls[0]) ?? 'ok';
    return typeof call === 'object' && 'after' in call ? call : { answer: call, after: 0 };
  }
}

function label(answer: Answer): string {
  return typeof answer === 'object' ? String(answer.status) : String(answer);
}

function sampleOf(outcome: Outcome, elapsed: Millis) {
  return { outcome, elapsed, firstToken: null, completionTokens: 1, totalTokens: 1 };
}
