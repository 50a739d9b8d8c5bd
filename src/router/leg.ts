import type { GroupName } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { Deployment } from '../core/snapshot.ts';
import type { Target } from './targets.ts';

/** The deployments of one group that this request may use, by order level. */
export interface Leg {
  readonly group: GroupName;
  readonly role: 'primary' | 'fallback';
  /** Which chain it stands in: those for context and content errors are entered once and not left for another. */
  readonly chain: ChainKind;
  /** Lowest order first; no level is empty. */
  readonly levels: readonly Level[];
  /** All of them in plan order. */
  readonly deployments: readonly Deployment[];
  /** Usable deployments of the group, those that this request may not use included. */
  readonly groupSize: number;
  /** Body members to replace, from a client's fallback list. */
  readonly overrides: JsonObject | null;
  /** Where context-window errors of this leg go, or null when no such chain is set for it. */
  readonly contextChain: readonly Leg[] | null;
  /** Where content-policy errors of this leg go, or null. */
  readonly contentChain: readonly Leg[] | null;
}

export type ChainKind = 'ordinary' | 'context' | 'content';

/** Deployments of equal order: the strategy chooses among them. */
export interface Level {
  readonly order: number | null;
  readonly deployments: readonly Deployment[];
}

/** What a request demands of deployments; null switches a check off. */
export interface Demands {
  readonly tags: readonly string[] | null;
  readonly tagMatch: 'any' | 'all';
  readonly promptTokens: number | null;
}

/** Why a target has no deployment for this request. */
export type Refusal = 'disabled' | 'tags' | 'context';

/** The target's deployments that meet the demands, or why there are none. */
export function eligible(target: Target, demands: Demands): readonly Deployment[] | Refusal {
  if (target.enabled.length === 0) return 'disabled';
  const tagged = demands.tags === null ? target.enabled : withTags(target.enabled, demands.tags, demands.tagMatch);
  if (tagged.length === 0) return 'tags';
  const roomy = withRoom(tagged, demands.promptTokens);
  return roomy.length === 0 ? 'context' : roomy;
}

/** Splits deployments sorted by order into levels. */
export function levelsOf(deployments: readonly Deployment[]): readonly Level[] {
  const levels: { order: number | null; deployments: Deployment[] }[] = [];
  for (const deployment of deployments) {
    const last = levels.at(-1);
    if (last !== undefined && last.order === deployment.order) last.deployments.push(deployment);
    else levels.push({ order: deployment.order, deployments: [deployment] });
  }
  return levels;
}

/** Tag routing (litellm.md §2.3.8): those that match, else those tagged `default`; untagged requests likewise. */
function withTags(
  deployments: readonly Deployment[],
  tags: readonly string[],
  match: 'any' | 'all',
): readonly Deployment[] {
  const defaults = deployments.filter((each) => each.tags.includes('default'));
  if (tags.length === 0) return defaults.length > 0 ? defaults : deployments;
  const matching = deployments.filter((each) =>
    match === 'any' ? tags.some((tag) => each.tags.includes(tag)) : tags.every((tag) => each.tags.includes(tag)),
  );
  return matching.length > 0 ? matching : defaults;
}

/** Those whose window holds the prompt; an unknown window stays in. */
function withRoom(deployments: readonly Deployment[], promptTokens: number | null): readonly Deployment[] {
  if (promptTokens === null) return deployments;
  return deployments.filter(({ maxInputTokens }) => maxInputTokens === null || promptTokens <= maxInputTokens);
}
