import { atRandom } from './at-random.ts';
import { isOverMinuteLimit } from './minute-limit.ts';
import type { Strategy } from './strategy.ts';

/**
 * At random among those whose average latency is at most the lowest × (1 + `lowest_latency_buffer`).
 *
 * A deployment without samples counts as 0 s and is therefore tried first.
 */
export const latencyBased: Strategy = {
  isOverLimit: isOverMinuteLimit,
  pick(candidates, { load, settings, isStreaming, now, random }) {
    const mode = isStreaming ? 'stream' : 'reply';
    const latencies = candidates.map(({ id }) => load.latency(id, mode, settings, now));
    const bound = Math.min(...latencies) * (1 + settings.latencyBuffer);
    return atRandom(
      candidates.filter((_, index) => latencies[index]! <= bound),
      random,
    );
  },
};
