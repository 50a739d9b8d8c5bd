import { isObject, type Json, type JsonObject } from '../core/json.ts';
import type { Dialect } from './dialect.ts';
import { type Fault, FaultSyntax, faultsFromJson } from './fault.ts';

/** Which requests a rule is about; null members match all. */
export interface Match {
  /** Part of the path. */
  readonly path: string | null;
  readonly model: string | null;
  readonly key: string | null;
  readonly dialect: Dialect | null;
  readonly stream: boolean | null;
}

/** A standing order: the faults, for which requests, and for how many of them. */
export interface Rule {
  readonly faults: readonly Fault[];
  readonly match: Match;
  /** How many matching requests are served well first. */
  readonly skip: number;
  /** How many requests it harms after those, or null for all. */
  readonly times: number | null;
}

/** What rules look at. */
export interface Matchable {
  readonly path: string;
  readonly model: string | null;
  readonly key: string | null;
  readonly dialect: Dialect;
  readonly stream: boolean;
}

const EVERY_REQUEST: Match = { path: null, model: null, key: null, dialect: null, stream: null };

/** A rule with its defaults: every request, at once, for ever. */
export function rule(
  faults: readonly Fault[],
  more: Partial<Omit<Rule, 'match'>> & { match?: Partial<Match> } = {},
): Rule {
  return { faults, skip: more.skip ?? 0, times: more.times ?? null, match: { ...EVERY_REQUEST, ...more.match } };
}

/**
 * Reads a rule: `{"fault": …, "match": {…}, "skip": 2, "times": 1}`; `"nth": 3` is the third matching request only.
 *
 * @throws FaultSyntax saying what is wrong
 */
export function ruleFromJson(value: Json): Rule {
  if (!isObject(value)) return rule(faultsFromJson(value));
  if (value.fault === undefined) throw new FaultSyntax('a rule needs the member "fault"');
  const nth = whole(value, 'nth');
  const faults = faultsFromJson(value.fault);
  if (nth !== null) return rule(faults, { match: matchFromJson(value.match), skip: Math.max(0, nth - 1), times: 1 });
  return rule(faults, {
    match: matchFromJson(value.match),
    skip: whole(value, 'skip') ?? 0,
    times: whole(value, 'times'),
  });
}

function matchFromJson(value: Json | undefined): Match {
  if (value === undefined) return EVERY_REQUEST;
  if (!isObject(value)) throw new FaultSyntax('"match" must be an object');
  const stray = Object.keys(value).find((key) => !Object.hasOwn(EVERY_REQUEST, key));
  if (stray !== undefined) throw new FaultSyntax(`"match" has no member ${JSON.stringify(stray)}`);
  return { ...EVERY_REQUEST, ...(value as Partial<Match>) };
}

function whole(object: JsonObject, key: string): number | null {
  const value = object[key];
  if (value === undefined || value === null) return null;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw new FaultSyntax(`"${key}" must be a whole number of at least 0`);
  }
  return value;
}

/** A rule in force, with what it has seen. */
export interface ActiveRule extends Rule {
  readonly id: number;
  /** Matching requests so far, the skipped ones included. */
  readonly seen: number;
}

/** The rules in force, in the order in which they were given. */
export class RuleBook {
  #rules: ActiveRule[] = [];
  #nextId = 1;

  /** Adds a rule at the end; gives its id. */
  add(rule: Rule): number {
    const id = this.#nextId++;
    this.#rules.push({ ...rule, id, seen: 0 });
    return id;
  }

  /** Takes a rule out; false when it is not there. */
  remove(id: number): boolean {
    const before = this.#rules.length;
    this.#rules = this.#rules.filter((rule) => rule.id !== id);
    return this.#rules.length < before;
  }

  clear(): void {
    this.#rules = [];
  }

  list(): readonly ActiveRule[] {
    return this.#rules;
  }

  /**
   * Counts one request and gives the first rule that harms it.
   *
   * Rules that only skip it count it and let the next rule look; a rule that is used up counts no more.
   */
  take(request: Matchable): ActiveRule | null {
    for (const [index, rule] of this.#rules.entries()) {
      if (!matches(rule.match, request) || isUsedUp(rule)) continue;
      this.#rules[index] = { ...rule, seen: rule.seen + 1 };
      if (rule.seen >= rule.skip) return rule;
    }
    return null;
  }
}

function isUsedUp(rule: ActiveRule): boolean {
  return rule.times !== null && rule.seen >= rule.skip + rule.times;
}

function matches(match: Match, request: Matchable): boolean {
  return (
    (match.path === null || request.path.includes(match.path)) &&
    (match.model === null || request.model === match.model) &&
    (match.key === null || request.key === match.key) &&
    (match.dialect === null || request.dialect === match.dialect) &&
    (match.stream === null || request.stream === match.stream)
  );
}
