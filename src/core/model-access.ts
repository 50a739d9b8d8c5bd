/** Which models a key, team, user or organization may use. */
export type ModelAccess =
  | { readonly kind: 'all' }
  /** `no-default-models`: none of its own. */
  | { readonly kind: 'none' }
  /** `all-team-models`: whatever the team may. */
  | { readonly kind: 'as-team' }
  | {
      readonly kind: 'some';
      /** As written, for messages. */
      readonly listed: readonly string[];
      /** Names and access groups without stars. */
      readonly names: ReadonlySet<string>;
      /** Anchored. */
      readonly patterns: readonly RegExp[];
    };

/**
 * Reads a list of models as LiteLLM stores it.
 *
 * An empty list allows everything. A special word decides for the whole list, as in LiteLLM.
 *
 * @see litellm.md §5.5
 */
export function modelAccess(listed: readonly string[]): ModelAccess {
  if (listed.includes('no-default-models')) return { kind: 'none' };
  if (listed.includes('all-team-models')) return { kind: 'as-team' };
  if (listed.length === 0 || listed.includes('*') || listed.includes('all-proxy-models')) return { kind: 'all' };
  const names = new Set(listed.filter((name) => !name.includes('*')));
  return { kind: 'some', listed, names, patterns: listed.filter((name) => name.includes('*')).map(patternOf) };
}

function patternOf(name: string): RegExp {
  const parts = name.split(/\*+/).map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}

/** What a caller sees of the models, for lists of them. */
export interface ModelSight {
  /** Whether he may ask for this name: of a model, a pattern of a wildcard group, or an access group. */
  may(model: string): boolean;
  /** What the lists say that hold for him, as written: names behind a wildcard group are nowhere else. */
  readonly listed: readonly string[];
}

/** The operator's. */
export const SEES_ALL: ModelSight = { may: () => true, listed: [] };
