import type { Deployment } from '../../core/snapshot.ts';
import { atRandom } from './choose.ts';
import type { Strategy } from './strategy.ts';

type WeightKey = 'weight' | 'rpm' | 'tpm';
const KEYS: readonly WeightKey[] = ['weight', 'rpm', 'tpm'];

/**
 * Weighted random by the first of weight, rpm and tpm that the first candidate has; else uniform.
 *
 * Candidates without that value count zero. LiteLLM fails when they add up to zero; here the pick is uniform then.
 * It does not enforce rpm or tpm.
 */
export const simpleShuffle: Strategy = {
  isOverLimit: () => false,
  pick(candidates, { random }) {
    const first = candidates[0];
    const key = KEYS.find((name) => first !== undefined && first[name] !== null);
    return key === undefined ? atRandom(candidates, random) : weighted(candidates, key, random);
  },
};

function weighted(candidates: readonly Deployment[], key: WeightKey, random: () => number): Deployment {
  let total = 0;
  for (const candidate of candidates) total += share(candidate, key);
  if (!(total > 0)) return atRandom(candidates, random);
  let left = random() * total;
  for (const candidate of candidates) {
    left -= share(candidate, key);
    if (left < 0) return candidate;
  }
  return atRandom(candidates, random);
}

function share(candidate: Deployment, key: WeightKey): number {
  return Math.max(0, candidate[key] ?? 0);
}
