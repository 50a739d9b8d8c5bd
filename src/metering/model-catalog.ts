import { groupName } from '../core/ids.ts';
import { arrayMember } from '../core/json.ts';
import type { Deployment, Snapshot } from '../core/snapshot.ts';

/** What the configuration says of a model name, for lists of models. */
export interface ModelCatalog {
  /** Words of which any one in a list allows the model: its names and the access groups that include it. */
  words(model: string): ModelWords;
}

export interface ModelWords {
  /** The name asked for, what it is an alias of, and the same with the provider that it suggests in front. */
  readonly names: readonly string[];
  /** `model_info.access_groups` of its deployments. */
  readonly groups: readonly string[];
}

/** Names come from clients: this many are remembered. */
const MOST_REMEMBERED = 1000;

/**
 * The catalog of one configuration.
 *
 * @param inferProvider guesses the provider of a bare name (`gpt-4o` → `openai`), so that `openai/*` allows it
 * @see litellm.md §5.5
 */
export function modelCatalog(snapshot: Snapshot, inferProvider: (model: string) => string | null): ModelCatalog {
  const remembered = new Map<string, ModelWords>();
  return {
    words(model) {
      const known = remembered.get(model);
      if (known !== undefined) return known;
      if (remembered.size >= MOST_REMEMBERED) remembered.clear();
      const names = namesOf(snapshot, model, inferProvider);
      const words = { names, groups: accessGroups(snapshot, names) };
      remembered.set(model, words);
      return words;
    },
  };
}

function namesOf({ aliases }: Snapshot, model: string, inferProvider: (model: string) => string | null) {
  const target = aliases.get(model)?.target;
  const plain = target === undefined || target === model ? [model] : [model, target];
  const prefixed = plain.flatMap((name) => {
    const provider = name.includes('/') ? null : inferProvider(name);
    return provider === null ? [] : `${provider}/${name}`;
  });
  return [...plain, ...prefixed];
}

function accessGroups(snapshot: Snapshot, names: readonly string[]): readonly string[] {
  const deployments = names.flatMap((name) => deploymentsOf(snapshot, name));
  const groups = deployments.flatMap(({ info }) => arrayMember(info, 'access_groups'));
  return [...new Set(groups.filter((group) => typeof group === 'string'))];
}

function deploymentsOf({ groups, wildcards }: Snapshot, name: string): readonly Deployment[] {
  const group = groups.get(groupName(name)) ?? wildcards.find(({ pattern }) => pattern.test(name));
  return group?.deployments ?? [];
}
