import type { JsonObject } from '../core/json.ts';
import type { FallbackMap, RoutingSettings } from '../core/snapshot.ts';
import { type ChainRules, fallbackChain } from './chain.ts';
import { type ChainKind, type Demands, eligible, type Leg, levelsOf, type Refusal } from './leg.ts';
import { type ClientFallback, contextErrorsLeave, isClientList, type RouteRequest } from './request.ts';
import type { Target, TargetTable } from './targets.ts';

/** Entries of a client's `fallbacks` list that are looked at. */
const MOST_CLIENT_FALLBACKS = 20;
const NO_FALLBACKS: FallbackMap = new Map();

/** A target on the way, with what a client's fallback list changes for it. */
interface Stop {
  readonly target: Target;
  readonly overrides: JsonObject | null;
}

/** Builds the legs of one request. */
export class Planner {
  readonly #settings: RoutingSettings;
  readonly #targets: TargetTable;
  readonly #request: RouteRequest;
  readonly #demands: Demands;

  constructor(settings: RoutingSettings, targets: TargetTable, request: RouteRequest) {
    this.#settings = settings;
    this.#targets = targets;
    this.#request = request;
    this.#demands = {
      tags: settings.tagFiltering ? request.tags : null,
      tagMatch: settings.tagMatch,
      promptTokens: settings.preCallChecks ? request.promptTokens : null,
    };
  }

  /** What the model name stands for; `default_fallbacks` serve names that nothing else does. */
  primary(): Target | null {
    const { model, controls } = this.#request;
    const found = this.#targets.resolve(model);
    if (found !== null || controls.disableFallbacks) return found;
    return this.#resolveAll(this.#settings.defaultFallbacks)[0] ?? null;
  }

  /** Why the target has nothing for this request, or null when it has. */
  refusalOf(target: Target): Refusal | null {
    const found = eligible(target, this.#demands);
    return typeof found === 'string' ? found : null;
  }

  /** The primary and its fallbacks; a prompt too long for the primary starts in the context chain (B14). */
  legsFrom(primary: Target, refusal: Refusal | null): readonly Leg[] {
    if (refusal === 'context') {
      const chain = this.#contextChain(primary);
      if (chain !== null) return chain;
      if (!contextErrorsLeave(this.#settings, this.#request)) return [];
    }
    const fallbacks = this.#ordinaryStops(primary).flatMap((stop) => this.#leg(stop, 'fallback') ?? []);
    const first = this.#leg({ target: primary, overrides: null }, 'primary');
    return first === null ? fallbacks : [first, ...fallbacks];
  }

  #ordinaryStops(primary: Target): readonly Stop[] {
    const { fallbacks, disableFallbacks } = this.#request.controls;
    if (disableFallbacks) return [];
    if (isClientList(fallbacks)) return this.#clientStops(primary, fallbacks);
    return fallbackChain(this.#targets, primary, this.#ordinaryRules(), new Set()).map(withoutOverrides);
  }

  /** A client's list is taken as it is: its targets' own fallbacks are not added. */
  #clientStops(primary: Target, fallbacks: readonly ClientFallback[]): readonly Stop[] {
    const visited = new Set([primary.name]);
    const stops: Stop[] = [];
    for (const { model, overrides } of fallbacks.slice(0, MOST_CLIENT_FALLBACKS)) {
      const target = this.#targets.resolve(model);
      // With a body of its own even a group that was tried is worth an attempt.
      if (target === null || (overrides === null && visited.has(target.name))) continue;
      visited.add(target.name);
      stops.push({ target, overrides });
    }
    return stops;
  }

  #ordinaryRules(): ChainRules {
    const { fallbacks } = this.#request.controls;
    const isReplaced = fallbacks !== null;
    return {
      map: isReplaced ? (isClientList(fallbacks) ? NO_FALLBACKS : fallbacks) : this.#settings.fallbacks,
      defaults: isReplaced ? [] : this.#settings.defaultFallbacks,
      maxDepth: this.#settings.maxFallbacks,
    };
  }

  #leg({ target, overrides }: Stop, role: Leg['role']): Leg | null {
    const leg = this.#plainLeg({ target, overrides }, role, 'ordinary');
    if (leg === null) return null;
    return { ...leg, contextChain: this.#contextChain(target), contentChain: this.#contentChain(target) };
  }

  /** A leg without chains of its own: inside a special chain there is no second one. */
  #plainLeg({ target, overrides }: Stop, role: Leg['role'], chain: ChainKind): Leg | null {
    const demands = overrides === null ? this.#demands : { ...this.#demands, promptTokens: null };
    const found = eligible(target, demands);
    if (typeof found === 'string') return null;
    // Another body makes another try: copies tell the attempts of this leg from those of the group's own.
    const deployments = overrides === null ? found : found.map((each) => ({ ...each }));
    return {
      group: target.group,
      role,
      chain,
      levels: levelsOf(deployments),
      deployments,
      groupSize: target.groupSize,
      overrides,
      contextChain: null,
      contentChain: null,
    };
  }

  #contextChain(from: Target): readonly Leg[] | null {
    return this.#specialChain(
      'context',
      from,
      this.#request.controls.contextWindowFallbacks ?? this.#settings.contextWindowFallbacks,
    );
  }

  #contentChain(from: Target): readonly Leg[] | null {
    return this.#specialChain(
      'content',
      from,
      this.#request.controls.contentPolicyFallbacks ?? this.#settings.contentPolicyFallbacks,
    );
  }

  /** The targets that the map names, then those that they fall back to themselves. */
  #specialChain(chain: ChainKind, from: Target, map: FallbackMap | null): readonly Leg[] | null {
    if (map === null || this.#request.controls.disableFallbacks) return null;
    const visited = new Set<string>();
    const rules = { map, defaults: [], maxDepth: this.#settings.maxFallbacks };
    const named = fallbackChain(this.#targets, from, rules, visited);
    const after = named.flatMap((each) => fallbackChain(this.#targets, each, this.#ordinaryRules(), visited, 1));
    const legs = [...named, ...after].flatMap(
      (target) => this.#plainLeg({ target, overrides: null }, 'fallback', chain) ?? [],
    );
    return legs.length === 0 ? null : legs;
  }

  #resolveAll(names: readonly string[]): readonly Target[] {
    return names.flatMap((name) => this.#targets.resolve(name) ?? []);
  }
}

function withoutOverrides(target: Target): Stop {
  return { target, overrides: null };
}
