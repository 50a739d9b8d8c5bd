import type { Deployment } from '../../core/snapshot.ts';

/** One of the candidates, each as likely as the others. */
export function atRandom(candidates: readonly Deployment[], random: () => number): Deployment {
  // In bounds: strategies are called with candidates only, and random() < 1.
  return candidates[Math.floor(random() * candidates.length)]!;
}

/** One of those whose score is at most `slack` times the lowest, each as likely as the others. */
export function lowest(
  candidates: readonly Deployment[],
  score: (candidate: Deployment) => number,
  random: () => number,
  slack = 1,
): Deployment {
  const scored = candidates.map((candidate) => ({ candidate, score: score(candidate) }));
  const bound = Math.min(...scored.map((each) => each.score)) * slack;
  const best = scored.filter((each) => each.score <= bound).map((each) => each.candidate);
  return atRandom(best, random);
}
