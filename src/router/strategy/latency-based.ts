import type { DeploymentId } from '../../core/ids.ts';
import { lowest } from './choose.ts';
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
    const latency = ({ id }: { readonly id: DeploymentId }): number => load.latency(id, mode, settings, now);
    return lowest(candidates, latency, random, 1 + settings.latencyBuffer);
  },
};
