import type { Deployment } from '../../core/snapshot.ts';

/** One of the candidates, each as likely as the others. */
export function atRandom(candidates: readonly Deployment[], random: () => number): Deployment {
  // Strategies are called with candidates only, and random() < 1.
  return candidates[Math.floor(random() * candidates.length)]!;
}

/** One of those with the lowest score; ties are broken at random. */
export function lowest(
  candidates: readonly Deployment[],
  score: (candidate: Deployment) => number,
  random: () => number,
): Deployment {
  const scores = candidates.map(score);
  const least = Math.min(...scores);
  const best = candidates.filter((_, index) => scores[index] === least);
  return best.length === 1 ? best[0]! : atRandom(best, random);
}
