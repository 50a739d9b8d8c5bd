import { heapStats } from 'bun:jsc';
import { describe, expect, test } from 'bun:test';
import { parseExposition } from '../../test/support/exposition.ts';
import { keyOf } from '../../test/support/identity.ts';
import { deploymentOf } from '../../test/support/routing.ts';
import type { Principal } from '../core/identity.ts';
import { deploymentId, groupName, keyHash, providerId, requestId, teamId } from '../core/ids.ts';
import type { LedgerEntry } from '../core/ledger-entry.ts';
import { NO_PAYER } from '../core/payer.ts';
import { type MetricSettings, USUAL_METRICS } from '../core/snapshot.ts';
import { epochMillis, millis, nanoUsd } from '../core/units.ts';
import { NO_USAGE } from '../core/usage.ts';
import { AttemptMetrics } from './attempt-metrics.ts';
import { MetricsRegistry } from './metrics.ts';
import { RequestMetrics } from './request-metrics.ts';

function entry(requestedModel: string, model: string | null, words: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    requestId: requestId('r'),
    callId: 'c',
    principal: 'master',
    endpoint: 'chat-completions',
    requestedModel,
    group: groupName('openai/*'),
    deployment: model === null ? null : deploymentId('d'),
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
    ...words,
  };
}

/** Metrics of requests and attempts, whose text is read by a parser that is not ours. */
function meters(words: { known?: readonly string[]; settings?: Partial<MetricSettings>; metadata?: object } = {}) {
  const settings = { ...USUAL_METRICS, ...words.settings };
  const registry = new MetricsRegistry(settings.choices);
  const teams = new Map([['t', 'the team']]);
  const names = {
    isKnown: (model: string) => words.known?.includes(model) ?? true,
    teamAlias: (id: string) => teams.get(id) ?? null,
    keyMetadata: () => (words.metadata ?? null) as null,
    apiBase: () => 'https://user:p@ss-word@host/v1?key=query-secret',
  };
  return {
    teams,
    requests: new RequestMetrics(registry, settings, names),
    attempts: new AttemptMetrics(registry, settings, names),
    text: () => registry.render(),
    /** Labels and values of a metric. */
    series: (name: string) =>
      (parseExposition(registry.render()).get(name)?.metrics ?? []).map(
        ({ labels, value }): Record<string, unknown> & { is: number } => ({ ...labels, is: Number(value) }),
      ),
  };
}

const ofKey = (number: number, words: Partial<typeof NO_PAYER> = {}) => ({
  payer: { ...NO_PAYER, keyHash: `hash-${number}`, keyAlias: `alias-${number}`, userId: 'u', teamId: 't', ...words },
});

const TEAM_OWNER = { kind: 'team', teamId: teamId('t'), userId: null } as const;

describe('names', () => {
  test('that a client made up become no label, neither as asked for nor as sent on by a pattern', () => {
    const { requests, attempts, text } = meters({ known: ['gpt-4o'] });
    requests.request(entry('gpt-4o', 'gpt-4o'));
    for (let count = 0; count < 10; count += 1) requests.request(entry(`openai/made-up-${count}`, `made-up-${count}`));
    attempts.fallback({
      ...{ from: 'made-up', to: 'gpt-4o', worked: true, deployment: deploymentOf('d'), principal: null },
      ...{ cause: null, status: null },
    });
    expect(text()).not.toContain('made-up');
    expect(text()).toContain('requested_model="other",model="other"');
    expect(text()).toContain('requested_model="gpt-4o",model="gpt-4o"');
  });

  test('of the caller are labels: key, alias, team, its alias, and user', () => {
    const { requests, series } = meters();
    requests.request(entry('gpt-4o', 'gpt-4o', ofKey(1)));
    const who = {
      ...{ hashed_api_key: 'hash-1', api_key_alias: 'alias-1', team: 't', team_alias: 'the team', user: 'u' },
    };
    expect(series('litellm_proxy_total_requests_metric_total')).toEqual([
      {
        ...who,
        ...{ requested_model: 'gpt-4o', route: 'chat-completions', model_id: 'd', status_code: '200', is: 1 },
      },
    ]);
    expect(series('litellm_spend_metric_total')).toEqual([{ ...who, model: 'gpt-4o', model_id: 'd', is: 0 }]);
  });

  test('of the caller that changed are new labels from then on', () => {
    const { requests, teams, series } = meters();
    requests.request(entry('m', 'm', ofKey(1)));
    requests.request(entry('m', 'm', ofKey(1, { keyAlias: 'renamed' })));
    teams.set('t', 'another name');
    requests.request(entry('m', 'm', ofKey(1, { keyAlias: 'renamed' })));
    const found = series('litellm_requests_metric_total');
    expect(found.map(({ api_key_alias, team_alias, is }) => [api_key_alias, team_alias, is] as unknown[])).toEqual([
      ['alias-1', 'the team', 1],
      ['renamed', 'the team', 1],
      ['renamed', 'another name', 1],
    ]);
  });
});

describe('100,000 keys', () => {
  const { requests, attempts, text, series } = meters();
  const deployment = deploymentOf('d');
  const before = heap();
  for (let number = 0; number < 100_000; number += 1) {
    const words = ofKey(number, { teamId: number % 2 === 0 ? 't' : null });
    requests.request(entry('m', 'm', { ...words, usage: { ...NO_USAGE, input: 1 } }));
    const owner = words.payer.teamId === null ? ({ kind: 'nobody' } as const) : TEAM_OWNER;
    const key = keyOf(`k${number}`, { hash: keyHash(`hash-${number}`), alias: `alias-${number}`, owner });
    const principal: Principal = { kind: 'virtual-key', key };
    attempts.attempt({
      ...{ deployment, group: 'm', principal, outcome: 'success', status: 200, duration: millis(1), outputTokens: 1 },
    });
  }
  const grown = heap() - before;

  test('are all counted, the first by name and the others by team', () => {
    const found = series('litellm_input_tokens_metric_total');
    const sum = (rows: typeof found) => rows.reduce((total, { is }) => total + Number(is), 0);
    expect(sum(found)).toBe(100_000);
    expect(sum(found.filter(({ hashed_api_key }) => hashed_api_key !== 'other'))).toBe(1_000);
    const others = found.filter(({ hashed_api_key }) => hashed_api_key === 'other');
    expect(others.map(({ team }) => team).toSorted()).toEqual(['None', 't']);
    expect(series('litellm_deployment_total_requests_total').reduce((total, { is }) => total + is, 0)).toBe(100_000);
  });

  test('leave memory and text bounded', () => {
    // Held until here: what nobody will use again is no longer in the heap that was measured.
    requests.request(entry('m', 'm'));
    attempts.benched({ deployment, status: null });
    expect(grown).toBeLessThan(32 * 1024 * 1024);
    expect(text().length).toBeLessThan(16 * 1024 * 1024);
    expect(series('litellm_request_total_latency_metric_count').length).toBeLessThanOrEqual(151);
  });
});

/** Bytes in use, after everything that nobody holds was freed. */
function heap(): number {
  Bun.gc(true);
  return heapStats().heapSize;
}

test('of the keys that are not named 200 teams are, also when one of them is renamed', () => {
  const { requests, teams, series } = meters();
  for (let number = 0; number < 1_000; number += 1) requests.request(entry('m', 'm', ofKey(number)));
  const late = (team: number) => requests.request(entry('m', 'm', ofKey(5_000 + team, { teamId: `team-${team}` })));
  for (let team = 0; team < 300; team += 1) late(team);
  teams.set('team-7', 'renamed');
  late(7);
  const others = series('litellm_requests_metric_total').filter(({ hashed_api_key }) => hashed_api_key === 'other');
  expect(others.length).toBe(202);
  expect(others.find(({ team }) => team === 'other')?.is).toBe(100);
  expect(others.filter(({ team }) => team === 'team-7').map(({ team_alias, is }) => [team_alias, is])).toEqual([
    ['None', 1],
    ['renamed', 1],
  ]);
});

describe('labels on demand', () => {
  test('end customers are one, and only so many of them', () => {
    const { requests, series } = meters({ settings: { hasCustomers: true } });
    for (let number = 0; number < 1_000; number += 1)
      requests.request(entry('m', 'm', ofKey(1, { customerId: `customer-${number}` })));
    const found = series('litellm_requests_metric_total');
    expect(found.length).toBe(201);
    expect(found.find(({ end_user }) => end_user === 'other')).toMatchObject({ is: 800 });
    expect(found.find(({ end_user }) => end_user === 'customer-7')).toMatchObject({ is: 1, hashed_api_key: 'hash-1' });
  });

  test('without the setting they are none', () => {
    const { requests, text } = meters();
    requests.request(entry('m', 'm', ofKey(1, { customerId: 'customer' })));
    expect(text()).not.toMatch(/end_user|customer/);
  });

  test('metadata of keys and tags of requests are, where the configuration names them', () => {
    const settings = { metadataLabels: ['metadata.cost.center', 'metadata.none'], tagLabels: ['a-tag', 'b'] };
    const { requests, series } = meters({ settings, metadata: { cost: { center: 42 }, secret: 'x' } });
    requests.request(entry('m', 'm', { ...ofKey(1), tags: ['b', 'c'] }));
    requests.request(entry('m', 'm', ofKey(1)));
    const own = { metadata_cost_center: '42', metadata_none: 'None' };
    expect(series('litellm_requests_metric_total')).toMatchObject([
      { ...own, tag_a_tag: 'false', tag_b: 'true', is: 1 },
      { ...own, tag_a_tag: 'false', tag_b: 'false', is: 1 },
    ]);
  });

  test('the address of the client is, where a group of prometheus_metrics_config includes it', () => {
    const labels = new Set(['client_ip', 'status_code']);
    const choices = new Map([['litellm_proxy_total_requests_metric', labels]]);
    const { requests, series } = meters({ settings: { choices } });
    for (const requesterAddress of ['10.0.0.1', '10.0.0.2', '10.0.0.1'])
      requests.request(entry('m', 'm', { requesterAddress }));
    expect(series('litellm_proxy_total_requests_metric_total')).toEqual([
      { client_ip: '10.0.0.1', status_code: '200', is: 2 },
      { client_ip: '10.0.0.2', status_code: '200', is: 1 },
    ]);
    expect(series('litellm_spend_metric_total')).toEqual([]);
  });
});

test('spend is exact, however many small sums follow a large one', () => {
  const { requests, text } = meters();
  const spent = (nano: bigint) =>
    requests.request(entry('gpt-4o', 'gpt-4o', { cost: { kind: 'known', total: nanoUsd(nano) } }));
  // 2⁵³ nano-USD: a double would lose every one of those that follow.
  spent(9_007_199_254_740_992n);
  for (let count = 0; count < 3; count += 1) spent(1n);
  expect(text()).toMatch(/^litellm_spend_metric_total\{.*model="gpt-4o",model_id="d"\} 9007199\.254740995$/m);
});

test('an unknown cost is counted and adds nothing to the spend', () => {
  const { requests, series } = meters();
  requests.request(entry('gpt-4o', 'x', { cost: { kind: 'unknown', assumed: nanoUsd(7n) } }));
  requests.request(entry('gpt-4o', 'x'));
  expect(series('tollgate_unpriced_requests_total')).toMatchObject([{ requested_model: 'gpt-4o', model: 'x', is: 1 }]);
  expect(series('litellm_spend_metric_total')).toMatchObject([{ model: 'x', is: 0 }]);
});

test('a request that nobody answered has an end and a class, and no latency or tokens', () => {
  const { requests, series } = meters();
  const failure = { kind: 'upstream-rate-limited', status: 429, message: '' } as const;
  const attempt = { deployment: deploymentId('d'), group: 'm', outcome: '429', delay: millis(0), duration: millis(1) };
  requests.request(entry('m', null, { end: 'failure', status: 429, failure, attempts: [attempt] }));
  requests.request(entry('m', null, { end: 'failure', status: 401, failure: { ...failure, kind: 'no-key' } }));
  expect(series('tollgate_requests_total')).toEqual([
    { route: 'chat-completions', end: 'failure', error: 'upstream-rate-limited', is: 1 },
    { route: 'chat-completions', end: 'failure', error: 'no-key', is: 1 },
  ]);
  expect(series('litellm_proxy_failed_requests_metric_total')).toMatchObject([
    { exception_status: '429', exception_class: 'upstream-rate-limited', is: 1 },
    { exception_status: '401', exception_class: 'no-key', is: 1 },
  ]);
  expect(series('litellm_llm_api_failed_requests_metric_total')).toMatchObject([{ is: 1 }]);
  expect(series('litellm_request_total_latency_metric_count')).toEqual([]);
  expect(series('tollgate_request_attempts_count')).toMatchObject([{ is: 2 }]);
});

test('an address tells no credential', () => {
  const { attempts, requests, text, series } = meters();
  const deployment = deploymentOf('d');
  attempts.benched({ deployment, status: 500 });
  requests.request(entry('m', 'm', { apiBase: 'http://user:p@ss-word@host:8080/v1?key=query-secret' }));
  expect(text()).not.toMatch(/ss-word|query-secret|user:/);
  expect(series('litellm_deployment_cooled_down_total')).toMatchObject([{ api_base: 'https://host/v1' }]);
  expect(series('litellm_overhead_latency_metric_count')).toMatchObject([{ api_base: 'http://host:8080/v1' }]);
});

test('a client that left before its answer began says nothing about latency', () => {
  const { requests, series } = meters();
  requests.request(entry('m', 'm', { end: 'client-gone', status: 499, firstByte: null }));
  expect(series('litellm_request_total_latency_metric_count')).toMatchObject([{ is: 0 }]);
  expect(series('litellm_requests_metric_total')).toMatchObject([{ is: 0 }]);
  expect(series('tollgate_requests_total')).toMatchObject([{ end: 'client-gone', is: 1 }]);
});

test('only streams have a time to their first output', () => {
  const { requests, text } = meters();
  requests.request(entry('m', 'm', { isStreaming: true, firstByte: millis(300) }));
  requests.request(entry('m', 'm', { isStreaming: false, firstByte: millis(900) }));
  expect(text()).toMatch(/^litellm_llm_api_time_to_first_token_metric_sum\{.*\} 0\.3$/m);
});

test('a provider’s time is apart from the gateway’s, and failed attempts are not in it', () => {
  const { attempts, requests, text, series } = meters();
  const deployment = deploymentOf('d', { group: 'm' });
  const facts = { deployment, group: 'm', principal: null, duration: millis(2_000) };
  attempts.attempt({ ...facts, outcome: 'success', status: 200, outputTokens: 100 });
  attempts.attempt({ ...facts, outcome: 'timeout', status: null, outputTokens: null });
  requests.request(entry('m', 'm', { overhead: millis(0.5), duration: millis(2_000.5) }));
  expect(text()).toMatch(/^litellm_llm_api_latency_metric_sum\{.*\} 2$/m);
  expect(text()).toMatch(/^litellm_deployment_latency_per_output_token_sum\{.*\} 0\.02$/m);
  expect(text()).toMatch(/^tollgate_added_latency_seconds_sum\{.*\} 0\.0005$/m);
  expect(text()).toMatch(/^litellm_overhead_latency_metric_sum\{.*\} 0\.0005$/m);
  expect(series('litellm_deployment_failure_responses_total')).toMatchObject([
    { exception_class: 'timeout', exception_status: 'None', api_base: 'https://host/v1', is: 1 },
  ]);
  expect(series('tollgate_attempt_duration_seconds_count')).toEqual([
    { api_provider: 'openai', outcome: 'success', is: 1 },
    { api_provider: 'openai', outcome: 'timeout', is: 1 },
  ]);
});

test('a deployment of a new configuration gets its new labels', () => {
  const { attempts, series } = meters();
  const facts = { group: 'm', principal: null, duration: millis(1), outcome: 'success', status: 200 } as const;
  for (const model of ['old', 'new'])
    attempts.attempt({ ...facts, deployment: deploymentOf('d', { model }), outputTokens: null });
  expect(series('litellm_deployment_total_requests_total')).toMatchObject([
    { litellm_model_name: 'old', is: 1 },
    { litellm_model_name: 'new', is: 1 },
  ]);
});
