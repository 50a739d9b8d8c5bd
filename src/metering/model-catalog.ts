import { deploymentId, groupName } from '../core/ids.ts';
import { arrayMember } from '../core/json.ts';
import type { Deployment, Snapshot } from '../core/snapshot.ts';
import { type TeamModel, teamModelOf } from '../core/team-model.ts';

/** What the configuration says of a model name, for lists of models. */
export interface ModelCatalog {
  /** Words of which any one in a list allows the model: its names and the access groups that include it. */
  words(model: string): ModelWords;
  /** The group that a team has under this name for itself; null: what it means to everybody. */
  ofTeam(team: string, model: string): string | null;
}

export interface ModelWords {
  /** The name asked for, what it is an alias of, and the same with the provider that it suggests in front. */
  readonly names: readonly string[];
  /** `model_info.access_groups` of its deployments. */
  readonly groups: readonly string[];
  /** The team that alone may ask for it, whatever lists say; null: no team's. */
  readonly owner: string | null;
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
  const ofTeams = namesOfTeams(snapshot);
  return {
    ofTeam: (team, model) => ofTeams.get(team)?.get(model) ?? null,
    words(model) {
      const known = remembered.get(model);
      if (known !== undefined) return known;
      if (remembered.size >= MOST_REMEMBERED) remembered.clear();
      const names = namesOf(snapshot, model, inferProvider);
      const words = { names, groups: accessGroups(snapshot, names), owner: ownerOf(snapshot, names) };
      remembered.set(model, words);
      return words;
    },
  };
}

function namesOf(snapshot: Snapshot, model: string, inferProvider: (model: string) => string | null) {
  const { aliases } = snapshot;
  const target = aliases.get(model)?.target;
  const publicName = teamModelIn(snapshot, model)?.publicName ?? null;
  const plain = [...new Set([model, target ?? model, publicName ?? model])];
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

function ownerOf(snapshot: Snapshot, names: readonly string[]): string | null {
  for (const name of names) {
    const owned = teamModelIn(snapshot, name);
    if (owned !== null) return owned.team;
  }
  return null;
}

/** Whose the group of this name is, or the deployment of this id: groups have one owner. */
function teamModelIn(snapshot: Snapshot, name: string): TeamModel | null {
  const [first = snapshot.deployments.get(deploymentId(name))] = deploymentsOf(snapshot, name);
  return first === undefined ? null : teamModelOf(first.info);
}

function deploymentsOf({ groups, wildcards }: Snapshot, name: string): readonly Deployment[] {
  const group = groups.get(groupName(name)) ?? wildcards.find(({ pattern }) => pattern.test(name));
  return group?.deployments ?? [];
}

/** Team → its own name of a model → group. */
function namesOfTeams({ groups, wildcards }: Snapshot): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const found = new Map<string, Map<string, string>>();
  for (const { name, deployments } of [...groups.values(), ...wildcards]) {
    const owned = deployments[0] === undefined ? null : teamModelOf(deployments[0].info);
    if (owned === null || owned.publicName === null) continue;
    const names = found.get(owned.team) ?? new Map<string, string>();
    found.set(owned.team, names.set(owned.publicName, name));
  }
  return found;
}
