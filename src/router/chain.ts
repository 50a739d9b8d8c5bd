import type { FallbackMap } from '../core/snapshot.ts';
import type { Target, TargetTable } from './targets.ts';

/** How fallbacks are found from one target. */
export interface ChainRules {
  readonly map: FallbackMap;
  /** Used by targets that the map does not speak of. */
  readonly defaults: readonly string[];
  /** No target found at this depth is expanded further (`max_fallbacks`). */
  readonly maxDepth: number;
}

/**
 * The targets after one, depth first, each once: `a: [b, c]`, `b: [d]` gives b, d, c.
 *
 * LiteLLM recurses and counts its depth through siblings as well; the order and the limit are the same, and the
 * visited set takes away its repetitions (#19985). Targets that nothing serves are left out.
 *
 * @param visited names already in the plan; grows
 */
export function fallbackChain(
  table: TargetTable,
  start: Target,
  rules: ChainRules,
  visited: Set<string>,
  startDepth = 0,
): readonly Target[] {
  const chain: Target[] = [];
  visited.add(start.name);
  expand(start, startDepth);
  return chain;

  function expand(from: Target, depth: number): void {
    if (depth >= rules.maxDepth) return;
    let reached = depth;
    for (const name of fallbacksOf(from, rules)) {
      const next = table.resolve(name);
      if (next === null || visited.has(next.name)) continue;
      visited.add(next.name);
      reached += 1;
      chain.push(next);
      expand(next, reached);
    }
  }
}

/** The entry for the target by any of its names, else that of `*`, else the defaults. */
function fallbacksOf(target: Target, { map, defaults }: ChainRules): readonly string[] {
  for (const key of target.keys) {
    const entry = map.get(key);
    if (entry !== undefined) return entry;
  }
  return map.get('*') ?? defaults;
}
