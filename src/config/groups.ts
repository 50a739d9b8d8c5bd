import { deploymentId, groupName } from '../core/ids.ts';
import { nearest } from '../core/nearest.ts';
import type { Deployment, DisabledReason, GroupAlias, ModelGroup, Snapshot, WildcardGroup } from '../core/snapshot.ts';
import { teamModelOf } from '../core/team-model.ts';
import type { Findings } from './findings.ts';
import type { ConfigFile } from './keys/root.ts';
import { keyPlace, locate, type MapTree, member, type Path, type Place } from './tree.ts';

type Names = Pick<Snapshot, 'groups' | 'wildcards' | 'aliases' | 'deployments'>;

/** Sorts deployments into groups and patterns, and reads the aliases. */
export function compileGroups(compiled: readonly Deployment[], file: ConfigFile): Names {
  const deployments = withoutMixedOwners(compiled);
  const byName = new Map<string, Deployment[]>();
  for (const deployment of deployments) {
    const members = byName.get(deployment.group);
    if (members === undefined) byName.set(deployment.group, [deployment]);
    else members.push(deployment);
  }
  const all: readonly ModelGroup[] = [...byName].map(([name, members]) => ({
    name: groupName(name),
    deployments: members,
  }));
  return {
    groups: new Map(all.filter(({ name }) => !name.includes('*')).map((group) => [group.name, group])),
    wildcards: all
      .filter(({ name }) => name.includes('*'))
      .map(wildcard)
      .sort(bySpecificity),
    aliases: aliases(file),
    deployments: new Map(deployments.map((deployment) => [deployment.id, deployment])),
  };
}

/** A group belongs to one team or to everybody: a team's deployments in another's group are out of use. */
function withoutMixedOwners(deployments: readonly Deployment[]): readonly Deployment[] {
  const owners = Map.groupBy(deployments, ({ group }) => group);
  const isMixed = ({ group }: Deployment) =>
    new Set(owners.get(group)?.map(({ info }) => teamModelOf(info)?.team ?? null)).size > 1;
  return deployments.map((each) =>
    teamModelOf(each.info) === null || each.disabled !== null || !isMixed(each) ? each : { ...each, disabled: MIXED },
  );
}

const MIXED: DisabledReason = {
  missingVariables: [],
  message:
    'belongs to a team (model_info.team_id), and its model_name to others as well; give it one of its own, or a team_public_model_name',
};

const wildcard = (group: ModelGroup): WildcardGroup => ({ ...group, pattern: wildcardPattern(group.name) });

/** The whole requested name, each star capturing what it stands for (litellm.md §1.5). */
export function wildcardPattern(name: string): RegExp {
  // Neighbouring stars mean the same as one and would make matching slow.
  const source = name
    .replace(/\*+/g, '*')
    .replace(/[\\^$.+?()[\]{}|/-]/g, '\\$&')
    .replaceAll('*', '(.*)');
  return new RegExp(`^${source}$`, 's');
}

/** LiteLLM's measure: the longer pattern first, then the one with more special characters. */
function bySpecificity(a: WildcardGroup, b: WildcardGroup): number {
  return b.name.length - a.name.length || complexity(b.name) - complexity(a.name) || (a.name < b.name ? -1 : 1);
}

const complexity = (name: string): number => name.replace(/[^*+?.^$|()[\]{}\\]/g, '').length;

function aliases(file: ConfigFile): ReadonlyMap<string, GroupAlias> {
  const result = new Map<string, GroupAlias>();
  for (const [name, target] of Object.entries(file.litellm_settings?.model_alias_map ?? {})) {
    result.set(name, { target: groupName(target), isHidden: false });
  }
  for (const [name, alias] of Object.entries(file.router_settings?.model_group_alias ?? {})) {
    const target = typeof alias === 'string' ? alias : alias.model;
    result.set(name, {
      target: groupName(target),
      isHidden: typeof alias === 'string' ? false : (alias.hidden ?? false),
    });
  }
  return result;
}

/** Warns about every group that settings name and nothing defines: fallbacks, aliases, forced models. */
export function checkNames(names: Names, tree: MapTree, findings: Findings): void {
  const isKnown = (name: string): boolean =>
    name === '*' ||
    names.groups.has(groupName(name)) ||
    names.aliases.has(name) ||
    names.deployments.has(deploymentId(name)) ||
    names.wildcards.some(({ pattern }) => pattern.test(name));
  const candidates = [...names.groups.keys(), ...names.aliases.keys()];
  const report = (name: string, at: Place, path: Path, role: string): void => {
    if (isKnown(name)) return;
    const [near] = nearest(name, candidates, 1);
    findings.add(
      'warning',
      at,
      path,
      `${role} ${name} is no model_name of this file${near === undefined ? '' : `; did you mean ${near}?`}`,
      {
        found: name,
        ...(candidates.length === 0 ? {} : { expected: `one of ${candidates.slice(0, 10).join(', ')}` }),
        hint: near ?? `model_list:\n  - model_name: ${name}\n    litellm_params:\n      model: …`,
      },
    );
  };
  for (const section of ['router_settings', 'litellm_settings']) {
    for (const key of ['fallbacks', 'context_window_fallbacks', 'content_policy_fallbacks'])
      checkChains(tree, [section, key], report);
    checkList(tree, [section, 'default_fallbacks'], (name, at, path) => report(name, at, path, 'The fallback'));
  }
  checkAliases(tree, report);
  checkIds(names, tree, findings);
  for (const key of ['completion_model', 'embedding_model']) {
    const value = member(tree, 'general_settings', key);
    if (value?.kind === 'scalar' && typeof value.value === 'string')
      report(value.value, value.at, ['general_settings', key], 'The model');
  }
}

/** A request for a deployment's id goes to that deployment alone (litellm.md §2.2), so an id must not hide a group. */
function checkIds(names: Names, tree: MapTree, findings: Findings): void {
  const entries = member(tree, 'model_list');
  for (const [index, entry] of (entries?.kind === 'list' ? entries.items : []).entries()) {
    const id = member(entry, 'model_info', 'id');
    if (id?.kind !== 'scalar' || !names.groups.has(groupName(String(id.value)))) continue;
    const message = `${id.value} is also the name of a group: requests for it go to this deployment only.`;
    findings.add('warning', id.at, ['model_list', index, 'model_info', 'id'], message, { hint: `id: ${id.value}-1` });
  }
}

type Report = (name: string, at: Place, path: Path, role: string) => void;

function checkChains(tree: MapTree, path: Path, report: Report): void {
  const chains = member(tree, ...path);
  if (chains?.kind !== 'list') return;
  for (const [index, item] of chains.items.entries()) {
    if (item.kind !== 'map') continue;
    for (const [group, entry] of item.entries) {
      const groupPath = [...path, index, group];
      report(group, entry.at, groupPath, 'The group');
      checkList(tree, groupPath, (name, at, target) => report(name, at, target, 'The fallback'));
    }
  }
}

function checkList(tree: MapTree, path: Path, report: (name: string, at: Place, path: Path) => void): void {
  const list = member(tree, ...path);
  if (list?.kind !== 'list') return;
  for (const [index, item] of list.items.entries()) {
    if (item.kind === 'scalar' && typeof item.value === 'string') report(item.value, item.at, [...path, index]);
  }
}

function checkAliases(tree: MapTree, report: Report): void {
  for (const path of [
    ['router_settings', 'model_group_alias'],
    ['litellm_settings', 'model_alias_map'],
  ]) {
    const map = member(tree, ...path);
    if (map?.kind !== 'map') continue;
    for (const [alias, entry] of map.entries) {
      const value = entry.value.kind === 'map' ? locate(entry.value, ['model']) : entry.value;
      if (value.kind === 'scalar' && typeof value.value === 'string') {
        report(value.value, keyPlace(tree, [...path, alias]), [...path, alias], 'The target');
      }
    }
  }
}
