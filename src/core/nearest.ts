/**
 * Damerau-Levenshtein distance (adjacent swaps count once), or `limit + 1` as soon as it is known to exceed `limit`.
 *
 * @param limit largest distance of interest, ≥ 0
 * @see https://en.wikipedia.org/wiki/Damerau–Levenshtein_distance, "optimal string alignment"
 */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    let best = row;
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (isSwap) cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      current.push(cost);
      best = Math.min(best, cost);
    }
    if (best > limit) return limit + 1;
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}

/** Names longer than this are not compared: nobody mistypes them, and the cost is their product. */
const MAX_LENGTH = 200;

/**
 * The candidates that a mistyped word most likely meant, nearest first, at most `max` of them.
 *
 * Case and the characters `-_. /` do not count as differences; beyond that a third of the word may differ, at least one
 * character and at most four.
 */
export function nearest(word: string, candidates: Iterable<string>, max: number): readonly string[] {
  const folded = fold(word);
  if (folded === '' || word.length > MAX_LENGTH) return [];
  const limit = Math.min(4, Math.max(1, Math.floor(folded.length / 3)));
  const found: { readonly name: string; readonly distance: number }[] = [];
  for (const name of new Set(candidates)) {
    if (name.length > MAX_LENGTH) continue;
    const distance = editDistance(folded, fold(name), limit);
    if (distance <= limit) found.push({ name, distance });
  }
  found.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return found.slice(0, max).map((entry) => entry.name);
}

const fold = (word: string): string => word.toLowerCase().replace(/[-_. /]/g, '');
