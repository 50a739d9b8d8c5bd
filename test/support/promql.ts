/** What a PromQL expression of ours names. Enough for queries in which every metric has its braces. */
export interface Named {
  readonly metrics: readonly string[];
  /** Labels of the selectors, by metric. */
  readonly matched: readonly (readonly [metric: string, label: string])[];
  /** Labels that results are grouped by. */
  readonly grouped: readonly string[];
}

/** Finds metrics and labels; functions and numbers are no names with braces. */
export function namedIn(expression: string): Named {
  const selectors = [...expression.matchAll(/([a-z_:][a-z0-9_:]*)\{([^}]*)\}/g)];
  return {
    metrics: selectors.map(([, metric = '']) => metric),
    matched: selectors.flatMap(([, metric = '', matchers = '']) =>
      [...matchers.matchAll(/([a-z_][a-z0-9_]*)\s*(?:=~|!~|!=|=)\s*"/g)].map(
        ([, label = '']) => [metric, label] as const,
      ),
    ),
    grouped: [...expression.matchAll(/\b(?:by|on|group_left)\s*\(([^)]*)\)/g)].flatMap(([, list = '']) =>
      list.split(',').map((label) => label.trim()),
    ),
  };
}
