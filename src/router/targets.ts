import { deploymentId, type GroupName, groupName, providerId } from '../core/ids.ts';
import type { Deployment, Snapshot, WildcardGroup } from '../core/snapshot.ts';

/** Guesses the provider of a bare model name (`gpt-4o` → `openai`), or null. */
export type InferProvider = (model: string) => string | null;

/** What a model name stands for. */
export interface Target {
  /** The name after aliases: two names of one group are one target. */
  readonly name: string;
  /** Names under which fallback maps may speak of it, most telling first. */
  readonly keys: readonly string[];
  readonly group: GroupName;
  /** Usable deployments by order, lowest first. */
  readonly enabled: readonly Deployment[];
  /** Usable or not, as configured. */
  readonly all: readonly Deployment[];
  /** Usable deployments of the whole group, also where the name stands for one of them. */
  readonly groupSize: number;
}

/** Names that only patterns match come from clients: this many are remembered. */
const MOST_REMEMBERED = 1000;

/**
 * Finds what a model name stands for: an alias, a group, a deployment id, a wildcard, an upstream model, in this order.
 *
 * LiteLLM looks at ids first; a group is not narrowed here to the one deployment whose id repeats the group's name.
 *
 * One table per snapshot, built when first asked. Memory is bounded by the configuration plus `MOST_REMEMBERED` names.
 *
 * @see litellm.md §1.5, §1.6 and §2.2
 */
export class TargetTable {
  readonly #snapshot: Snapshot;
  readonly #inferProvider: InferProvider;
  readonly #exact = new Map<string, Target>();
  readonly #matched = new Map<string, Target>();

  constructor(snapshot: Snapshot, inferProvider: InferProvider) {
    this.#snapshot = snapshot;
    this.#inferProvider = inferProvider;
  }

  /** The target of a name, or null when nothing serves it. */
  resolve(name: string): Target | null {
    const known = this.#exact.get(name) ?? this.#matched.get(name);
    if (known !== undefined) return known;
    const exact = this.#findExact(name);
    if (exact !== null) return remember(this.#exact, name, exact);
    const matched = this.#findWildcard(name) ?? this.#findUpstreamModel(name);
    if (matched === null) return null;
    if (this.#matched.size >= MOST_REMEMBERED) this.#matched.clear();
    return remember(this.#matched, name, matched);
  }

  #findExact(name: string): Target | null {
    const { deployments, aliases, groups } = this.#snapshot;
    const alias = aliases.get(name);
    const wanted = alias?.target ?? groupName(name);
    const group = groups.get(wanted);
    if (group !== undefined) return target(wanted, [name, wanted], group.name, group.deployments);
    const deployment = deployments.get(deploymentId(wanted));
    if (deployment !== undefined) return this.#sized(target(wanted, [name, wanted], deployment.group, [deployment]));
    const behind = alias === undefined ? null : (this.#findWildcard(wanted) ?? this.#findUpstreamModel(wanted));
    return behind === null ? null : { ...behind, keys: [name, ...behind.keys] };
  }

  /** Patterns on the name as it is, then with the provider that it suggests in front (litellm.md §1.5). */
  #findWildcard(name: string): Target | null {
    const direct = this.#matchWildcard(name, name);
    if (direct !== null || this.#snapshot.wildcards.length === 0) return direct;
    const provider = this.#inferProvider(name);
    return provider === null ? null : this.#matchWildcard(`${provider}/${name}`, name);
  }

  #matchWildcard(text: string, asked: string): Target | null {
    for (const group of this.#snapshot.wildcards) {
      const captures = group.pattern.exec(text);
      if (captures === null) continue;
      const filled = group.deployments.map((each) => this.#fill(each, captures.slice(1), text));
      return target(asked, [asked, group.name], group.name, filled, wildcardGroupKeys(group));
    }
    return null;
  }

  /**
   * A copy of the deployment with each star of its model replaced by what the pattern's stars matched, in order.
   *
   * With more captures than stars the client's own name is used (LiteLLM). Where the whole model is a star, the name
   * also says whose it is: `anthropic/claude-x` behind `*` goes to Anthropic.
   */
  #fill(deployment: Deployment, captures: readonly string[], text: string): Deployment {
    if (!deployment.model.includes('*')) return deployment;
    const stars = deployment.model.split('*').length - 1;
    let next = 0;
    const filled = captures.length > stars ? text : deployment.model.replace(/\*/g, () => captures[next++] ?? '');
    const inferred = deployment.configuredModel.startsWith('*') ? this.#inferProvider(filled) : null;
    const provider = inferred === null ? deployment.provider : providerId(inferred);
    return { ...deployment, provider, model: withoutPrefix(filled, provider) };
  }

  #sized(found: Target): Target {
    const group = this.#snapshot.groups.get(found.group);
    const others = group?.deployments.filter((each) => each.disabled === null).length ?? 0;
    return { ...found, groupSize: Math.max(others, found.enabled.length) };
  }

  /** Deployments that call the upstream model asked for, whatever their group is called. */
  #findUpstreamModel(name: string): Target | null {
    const found = [...this.#snapshot.deployments.values()].filter((each) => each.configuredModel === name);
    const first = found[0];
    return first === undefined ? null : this.#sized(target(name, [name, first.group], first.group, found));
  }
}

function target(
  name: string,
  names: readonly string[],
  group: GroupName,
  all: readonly Deployment[],
  more: readonly string[] = [],
): Target {
  const enabled = all.filter((each) => each.disabled === null).sort((a, b) => orderOf(a) - orderOf(b));
  return {
    name,
    keys: [...names, ...names.map(withoutProvider), ...more],
    group,
    enabled,
    all,
    groupSize: enabled.length,
  };
}

function wildcardGroupKeys(group: WildcardGroup): readonly string[] {
  // The lone star is the fallback maps' own "every group", looked up last anyway.
  return group.name === '*' ? [] : [group.name];
}

/** A missing order comes after every number. */
function orderOf({ order }: Deployment): number {
  return order ?? Number.MAX_SAFE_INTEGER;
}

/** `openai/gpt-4o` → `gpt-4o`: fallback maps know groups by either name (litellm.md §2.7). */
function withoutProvider(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}

function withoutPrefix(model: string, provider: string): string {
  return model.startsWith(`${provider}/`) ? model.slice(provider.length + 1) : model;
}

function remember(map: Map<string, Target>, name: string, found: Target): Target {
  map.set(name, found);
  return found;
}
