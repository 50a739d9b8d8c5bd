import { expect, test } from 'bun:test';
import { deploymentId, groupName, providerId, requestId } from '../core/ids.ts';
import type { LedgerEntry } from '../core/ledger-entry.ts';
import { NO_PAYER } from '../core/payer.ts';
import { epochMillis, millis, nanoUsd } from '../core/units.ts';
import { MetricsRegistry } from './metrics.ts';
import { RequestMetrics } from './request-metrics.ts';

function entry(requestedModel: string, model: string): LedgerEntry {
  return {
    requestId: requestId('r'),
    callId: 'c',
    principal: 'master',
    endpoint: 'chat-completions',
    requestedModel,
    group: groupName('openai/*'),
    deployment: deploymentId('d'),
    provider: providerId('openai'),
    model,
    isStreaming: true,
    end: 'success',
    status: 200,
    usage: null,
    payer: NO_PAYER,
    cost: null,
    startedAt: epochMillis(0),
    duration: millis(1),
    overhead: millis(1),
    firstByte: millis(1),
    attempts: [],
    user: null,
    tags: [],
    requesterAddress: null,
    session: null,
    apiBase: null,
    responseId: null,
    failure: null,
  };
}

test('a name that a client made up becomes no label, neither as asked for nor as sent on by a pattern', () => {
  const registry = new MetricsRegistry();
  const metrics = new RequestMetrics(registry, (name) => name === 'gpt-4o');
  metrics.request(entry('gpt-4o', 'gpt-4o'));
  for (let count = 0; count < 10; count += 1) metrics.request(entry(`openai/made-up-${count}`, `made-up-${count}`));
  metrics.fallback({ from: 'made-up', to: 'gpt-4o', worked: true });
  const text = registry.render();
  expect(text).not.toContain('made-up');
  expect(text).toContain('requested_model="other",model="other"');
  expect(text).toContain('requested_model="gpt-4o",model="gpt-4o"');
});

test('spend is exact, however many small sums follow a large one', () => {
  const registry = new MetricsRegistry();
  const metrics = new RequestMetrics(registry, () => true);
  const spent = (nano: bigint) =>
    metrics.request({ ...entry('gpt-4o', 'gpt-4o'), cost: { kind: 'known', total: nanoUsd(nano) } });
  // 2⁵³ nano-USD: a double would lose every one of those that follow.
  spent(9_007_199_254_740_992n);
  for (let count = 0; count < 3; count += 1) spent(1n);
  expect(registry.render()).toContain('litellm_spend_metric_total{model="gpt-4o",model_id="d"} 9007199.254740995\n');
});

test('an unknown cost is counted and adds nothing to the spend', () => {
  const registry = new MetricsRegistry();
  const metrics = new RequestMetrics(registry, () => true);
  metrics.request({ ...entry('gpt-4o', 'x'), cost: { kind: 'unknown', assumed: nanoUsd(7n) } });
  metrics.request(entry('gpt-4o', 'x'));
  const labels = '{requested_model="gpt-4o",model="x",model_id="d"}';
  expect(registry.render()).toContain(`tollgate_unpriced_requests_total${labels} 1\n`);
  expect(registry.render()).toContain('litellm_spend_metric_total{model="x",model_id="d"} 0\n');
});
