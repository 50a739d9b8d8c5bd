import type { Limits } from '../core/identity.ts';
import { type Millis, millis, minus, plus, seconds } from '../core/units.ts';

/*
 * How much may be used in a window of time, and at once.
 *
 *   take ──refused──▶ nothing has changed
 *     │
 *     ▼                 settle(tokens): the facts replace the estimate, the place is free
 *   held ──────────────────────────────────────────────────────────────▶ settled
 *                       release(): nothing was used but the request itself
 *
 * 1. One step: either every rule counts the request or none does. A refused request counts nowhere.
 * 2. Estimate and facts of a request belong to the window in which it was admitted.
 * 3. A lease is settled once; a second time changes nothing. So parallel counts are never negative.
 * 4. A request that alone is larger than a token limit has a window to itself: it is admitted when nothing else is in
 *    it, and fills it.
 * 5. Memory is bounded by the counters that hold something: idle ones are dropped while others are used.
 * 6. Requests and tokens that other instances have counted are added to what is used, as it was last heard. Requests at
 *    once are not: a second after one has ended, its place would still be taken elsewhere.
 */

/** Whose limit it is, in LiteLLM's words (litellm.md §5.6). */
export type LimitScope =
  | 'api_key'
  | 'user'
  | 'team'
  | 'team_member'
  | 'end_user'
  | 'model_per_key'
  | 'model_per_team'
  | 'organization'
  | 'model_per_organization';

/** One limit that a request falls under. */
export interface LimitRule {
  readonly scope: LimitScope;
  /** Names the counter within its scope. */
  readonly id: string;
  /** What messages call it: never a hash. */
  readonly shown: string;
  readonly limits: Limits;
}

export type LimitKind = 'requests' | 'tokens' | 'max_parallel_requests';

/** Why a request has to wait. */
export interface LimitRefusal {
  readonly kind: 'refused';
  readonly rule: LimitRule;
  readonly limit: LimitKind;
  readonly allowed: number;
  readonly used: number;
  /** When to come back: for windows exact, for parallel requests the window's length, since nobody knows. */
  readonly reset: Millis;
}

/** How much of one limit is left. */
export interface LimitStanding {
  readonly rule: LimitRule;
  readonly limit: LimitKind;
  readonly allowed: number;
  readonly remaining: number;
}

/** How a window moves. */
export type WindowKind =
  /** LiteLLM's: it starts with the first request and ends for all of them at once. */
  | 'fixed'
  /** Each request leaves it by itself, to the second; never more than the limit in any window of time. */
  | 'sliding';

export interface RateLimitSettings {
  readonly window: WindowKind;
  /** LiteLLM's `LITELLM_RATE_LIMIT_WINDOW_SIZE`: 60 s. */
  readonly length: Millis;
}

export const LITELLM_WINDOW: RateLimitSettings = { window: 'fixed', length: seconds(60) };

/** Requests of a sliding window leave it by whole slices of this length. */
const SLICE: Millis = seconds(1);

/** Requests that leave the window together. */
interface Slice {
  readonly from: Millis;
  readonly until: Millis;
  requests: number;
  tokens: number;
  isOver: boolean;
}

/** What was counted under one limit. */
export interface Counts {
  readonly requests: number;
  readonly tokens: number;
}

/** What this instance has counted under one limit, and when the newest of its windows ends. */
export interface Counted extends Counts {
  readonly scope: LimitScope;
  readonly id: string;
  readonly until: Millis;
  readonly endsIn: Millis;
  /** Whether it is not what the others were told last. */
  readonly isNews: boolean;
}

const NOTHING: Counts = { requests: 0, tokens: 0 };

interface Counter {
  /** Counted by the other instances, as it was last heard. */
  elsewhere: Counts;
  /** What the others were told last. */
  told: Counted | null;
  running: number;
  /** Sums over `slices`. */
  requests: number;
  tokens: number;
  /** Those not over, oldest first. */
  readonly slices: Slice[];
}

/** What a request holds of one counter. */
interface Hold {
  readonly counter: Counter;
  readonly slice: Slice;
  readonly tokens: number;
}

/** A request that was counted. */
export interface RateLease {
  readonly kind: 'held';
  /** The request is over, and used this many tokens. Only the first call counts. */
  settle(tokens: number): void;
}

/** The counters of all limits; told the time, never asks for it. */
export class RateLimits {
  readonly #settings: RateLimitSettings;
  readonly #scopes = new Map<LimitScope, Map<string, Counter>>();
  /** Where the search for idle counters goes on, by scope. */
  readonly #hands = new Map<LimitScope, MapIterator<[string, Counter]>>();

  constructor(settings: RateLimitSettings = LITELLM_WINDOW) {
    this.#settings = settings;
  }

  /**
   * Counts a request under all its rules, or says which one has no room.
   *
   * @param tokens how many it will probably use
   */
  take(rules: readonly LimitRule[], tokens: number, now: Millis): RateLease | LimitRefusal {
    for (const rule of rules) {
      const refusal = this.#refusal(rule, tokens, now);
      if (refusal !== null) return refusal;
    }
    return new HeldPlaces(rules.map((rule) => this.#hold(rule, tokens, now)));
  }

  /** What is left of every limit of these rules. */
  standings(rules: readonly LimitRule[], now: Millis): readonly LimitStanding[] {
    const found: LimitStanding[] = [];
    for (const rule of rules) {
      const counter = this.#current(rule, now);
      for (const limit of KINDS) {
        const allowed = allowedBy(rule.limits, limit);
        if (allowed === null) continue;
        const used = counter === null ? 0 : usedOf(counter, limit);
        found.push({ rule, limit, allowed, remaining: Math.max(0, allowed - used) });
      }
    }
    return found;
  }

  /** What the other instances have to hear: of every counter that holds something. */
  counted(now: Millis): readonly Counted[] {
    const found: Counted[] = [];
    for (const [scope, counters] of this.#scopes)
      for (const [id, counter] of counters) {
        expire(counter, now);
        if (isIdle(counter)) continue;
        const { requests, tokens, slices, told } = counter;
        const until = slices.at(-1)?.until ?? told?.until ?? now;
        const isNews = told?.requests !== requests || told.tokens !== tokens || told.until !== until;
        found.push({ scope, id, requests, tokens, until, endsIn: minus(until, now), isNews });
      }
    return found;
  }

  /** What the other instances have counted under these limits, in their order; under all others they have nothing. */
  hear(counted: readonly Counted[], elsewhere: readonly Counts[]): void {
    for (const counters of this.#scopes.values()) for (const counter of counters.values()) counter.elsewhere = NOTHING;
    counted.forEach((told, index) => {
      const counter = this.#scopes.get(told.scope)?.get(told.id);
      const counts = elsewhere[index] ?? NOTHING;
      if (counter === undefined) return;
      counter.told = told;
      if (counts.requests + counts.tokens > 0) counter.elsewhere = counts;
    });
  }

  /** Counters in memory: for tests and metrics. */
  get size(): number {
    let sum = 0;
    for (const counters of this.#scopes.values()) sum += counters.size;
    return sum;
  }

  #refusal(rule: LimitRule, tokens: number, now: Millis): LimitRefusal | null {
    const counter = this.#current(rule, now);
    for (const limit of KINDS) {
      const allowed = allowedBy(rule.limits, limit);
      if (allowed === null) continue;
      const used = counter === null ? 0 : usedOf(counter, limit);
      const wanted = limit === 'tokens' ? Math.min(tokens, allowed) : 1;
      // A spent token limit refuses also those who expect to use nothing.
      if (used + Math.max(1, wanted) <= allowed) continue;
      const reset = limit === 'max_parallel_requests' ? null : roomAt(counter, limit, allowed - wanted);
      return { kind: 'refused', rule, limit, allowed, used, reset: reset ?? plus(now, this.#settings.length) };
    }
    return null;
  }

  #hold(rule: LimitRule, tokens: number, now: Millis): Hold {
    const counter = this.#current(rule, now) ?? this.#add(rule, now);
    const slice = this.#slice(counter, now);
    const held = rule.limits.tpm === null ? 0 : Math.min(tokens, rule.limits.tpm);
    counter.running += 1;
    counter.requests += 1;
    counter.tokens += held;
    slice.requests += 1;
    slice.tokens += held;
    return { counter, slice, tokens: held };
  }

  /** The rule's counter without what has left its window, or null when it has none. */
  #current({ scope, id }: LimitRule, now: Millis): Counter | null {
    const counter = this.#scopes.get(scope)?.get(id);
    if (counter === undefined) return null;
    expire(counter, now);
    return counter;
  }

  #add({ scope, id }: LimitRule, now: Millis): Counter {
    let counters = this.#scopes.get(scope);
    if (counters === undefined) {
      counters = new Map();
      this.#scopes.set(scope, counters);
    }
    // Two for each that comes: so there are never many more than hold something.
    this.#sweep(scope, counters, now);
    this.#sweep(scope, counters, now);
    const counter = { elsewhere: NOTHING, told: null, running: 0, requests: 0, tokens: 0, slices: [] };
    counters.set(id, counter);
    return counter;
  }

  /** Looks at the next counter of a scope and drops it when it is idle. */
  #sweep(scope: LimitScope, counters: Map<string, Counter>, now: Millis): void {
    const hand = this.#hands.get(scope) ?? counters.entries();
    const { value, done } = hand.next();
    if (done === true) this.#hands.delete(scope);
    else {
      this.#hands.set(scope, hand);
      const [id, counter] = value;
      expire(counter, now);
      if (isIdle(counter)) counters.delete(id);
    }
  }

  /** The slice that a request of now belongs to. */
  #slice(counter: Counter, now: Millis): Slice {
    const { window, length } = this.#settings;
    const last = counter.slices.at(-1);
    const from = window === 'fixed' ? now : millis(Math.floor(now / SLICE) * SLICE);
    if (last !== undefined && (window === 'fixed' || last.from === from)) return last;
    const until = plus(from, window === 'fixed' ? length : plus(SLICE, length));
    const slice = { from, until, requests: 0, tokens: 0, isOver: false };
    counter.slices.push(slice);
    return slice;
  }
}

const KINDS = ['requests', 'tokens', 'max_parallel_requests'] as const satisfies readonly LimitKind[];

class HeldPlaces implements RateLease {
  readonly kind = 'held';
  #holds: readonly Hold[];

  constructor(holds: readonly Hold[]) {
    this.#holds = holds;
  }

  settle(tokens: number): void {
    const holds = this.#holds;
    this.#holds = [];
    for (const { counter, slice, tokens: held } of holds) {
      counter.running -= 1;
      if (slice.isOver) continue;
      slice.tokens += tokens - held;
      counter.tokens += tokens - held;
    }
  }
}

function allowedBy(limits: Limits, limit: LimitKind): number | null {
  switch (limit) {
    case 'requests':
      return limits.rpm;
    case 'tokens':
      return limits.tpm;
    case 'max_parallel_requests':
      return limits.parallel;
  }
}

function usedOf(counter: Counter, limit: LimitKind): number {
  switch (limit) {
    case 'requests':
      return counter.requests + counter.elsewhere.requests;
    case 'tokens':
      return counter.tokens + counter.elsewhere.tokens;
    case 'max_parallel_requests':
      return counter.running;
  }
}

function isIdle({ running, slices, elsewhere }: Counter): boolean {
  return running === 0 && slices.length === 0 && elsewhere === NOTHING;
}

/** Takes out what has left the window. */
function expire(counter: Counter, now: Millis): void {
  const { slices } = counter;
  while (slices.length > 0) {
    const first = slices[0] as Slice; // there is one
    if (first.until > now) return;
    first.isOver = true;
    counter.requests -= first.requests;
    counter.tokens -= first.tokens;
    slices.shift();
  }
}

/** When so much has left the window that no more than `target` is in it; null when that is not known. */
function roomAt(counter: Counter | null, limit: 'requests' | 'tokens', target: number): Millis | null {
  if (counter === null) return null;
  let used = usedOf(counter, limit);
  for (const slice of counter.slices) {
    used -= slice[limit];
    if (used <= target) return slice.until;
  }
  return null;
}
