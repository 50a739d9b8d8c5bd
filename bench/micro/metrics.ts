/** What do the metrics of a request cost, with its attempt: for one key, for many, and for more than are named? */
import { deploymentId, groupName, keyHash, providerId, requestId, teamId, userId } from '../../src/core/ids.ts';
import type { LedgerEntry } from '../../src/core/ledger-entry.ts';
import { NO_PAYER } from '../../src/core/payer.ts';
import { NO_UPSTREAM_SETTINGS, USUAL_METRICS } from '../../src/core/snapshot.ts';
import { epochMillis, millis, nanoUsd } from '../../src/core/units.ts';
import { NO_USAGE } from '../../src/core/usage.ts';
import { AttemptMetrics } from '../../src/telemetry/attempt-metrics.ts';
import { MetricsRegistry } from '../../src/telemetry/metrics.ts';
import { RequestMetrics } from '../../src/telemetry/request-metrics.ts';
import { keyOf } from '../../test/support/identity.ts';
import { deploymentOf } from '../../test/support/routing.ts';
import { compare, printMachine } from './compare.ts';

const NAMES = new Set(['gpt-4o', 'gpt-4o-2024-08-06']);
const deployment = {
  ...deploymentOf('a'.repeat(64), { group: 'gpt-4o' }),
  upstream: { ...NO_UPSTREAM_SETTINGS, baseUrl: 'https://api.openai.com/v1' },
};

compare('The metrics of a request and its one attempt:', [
  { name: 'one key', run: requests(1) },
  { name: '1,000 keys in turn', run: requests(1_000) },
  { name: '100,000 keys in turn, most of them unnamed', run: requests(100_000) },
]);
printMachine();

function requests(keys: number): (times: number) => number {
  const registry = new MetricsRegistry();
  const names = {
    isKnown: (name: string) => NAMES.has(name),
    teamAlias: () => 'a team',
    keyMetadata: () => null,
    apiBase: () => null,
  };
  const requests = new RequestMetrics(registry, USUAL_METRICS, names);
  const attempts = new AttemptMetrics(registry, USUAL_METRICS, names);
  const asked = Array.from({ length: keys }, (_, index) => request(index));
  return (times) => {
    for (let count = 0; count < times; count++) {
      const { entry, principal } = asked[count % keys] as (typeof asked)[number]; // within its length
      attempts.attempt({
        ...{ deployment, group: 'gpt-4o', principal, outcome: 'success', status: 200 },
        ...{ duration: entry.duration, outputTokens: 50 },
      });
      requests.request(entry);
    }
    return times;
  };
}

function request(index: number) {
  const hash = keyHash(String(index).padStart(64, 'f'));
  const alias = `key-${index}`;
  const owner = { kind: 'team', teamId: teamId('t'), userId: userId('u') } as const;
  const principal = { kind: 'virtual-key', key: keyOf(alias, { hash, alias, owner }) } as const;
  const entry: LedgerEntry = {
    requestId: requestId('r'),
    callId: 'c',
    responseId: null,
    principal: 'virtual-key',
    endpoint: 'chat-completions',
    // A text of its own, as each request's body brings one.
    requestedModel: Buffer.from('gpt-4o').toString(),
    group: groupName('gpt-4o'),
    deployment: deploymentId(deployment.id),
    provider: providerId('openai'),
    model: 'gpt-4o-2024-08-06',
    isStreaming: true,
    end: 'success',
    status: 200,
    usage: { ...NO_USAGE, input: 300, output: 50 },
    payer: { ...NO_PAYER, keyHash: hash, keyAlias: alias, teamId: 't', userId: 'u' },
    cost: { kind: 'known', total: nanoUsd(1_234n) },
    startedAt: epochMillis(0),
    duration: millis(1200),
    overhead: millis(0.4),
    firstByte: millis(300),
    attempts: [],
    user: null,
    tags: [],
    requesterAddress: '127.0.0.1',
    session: null,
    apiBase: 'https://api.openai.com/v1',
    failure: null,
  };
  return { entry, principal };
}
