import { expect, test } from 'bun:test';
import { deploymentId, groupName, providerId, requestId } from '../core/ids.ts';
import type { LedgerEntry } from '../core/ledger-entry.ts';
import { NO_PAYER } from '../core/payer.ts';
import { continueTrace } from '../core/trace-context.ts';
import { epochMillis, millis, nanoUsd } from '../core/units.ts';
import { NO_USAGE } from '../core/usage.ts';
import { createLogger, type LogLevel } from './log.ts';
import { logRequest } from './request-log.ts';

const ID = '019ab0c1d2e3f4a5b6c7d8e9f0a1b2c3';
const ENTRY: LedgerEntry = {
  requestId: requestId(ID),
  callId: 'mine',
  responseId: null,
  principal: 'virtual-key',
  endpoint: 'chat-completions',
  requestedModel: 'gpt-4',
  group: groupName('gpt-4'),
  deployment: deploymentId('d2'),
  provider: providerId('azure'),
  model: 'gpt-4-0613',
  isStreaming: true,
  end: 'success',
  status: 200,
  usage: { ...NO_USAGE, input: 20, output: 7, cacheRead: 5 },
  payer: { ...NO_PAYER, keyAlias: 'worker "1"', keyId: 'k1', userId: 'ada', teamId: 'search', organizationId: 'acme' },
  cost: { kind: 'known', total: nanoUsd(1_500_000n) },
  startedAt: epochMillis(0),
  duration: millis(90),
  overhead: millis(1),
  firstByte: millis(50),
  attempts: [
    {
      deployment: deploymentId('d1'),
      group: groupName('gpt-4'),
      outcome: '429 rate limited: of sk-canary-in-words',
      delay: millis(0),
      duration: millis(10),
    },
    {
      deployment: deploymentId('d2'),
      group: groupName('gpt-4'),
      outcome: 'success',
      delay: millis(30),
      duration: millis(49),
    },
  ],
  user: 'sk-canary-as-user',
  tags: [],
  requesterAddress: null,
  session: null,
  apiBase: null,
  failure: null,
};

function lines(entry: LedgerEntry, isTraced = false, level: LogLevel = 'info'): Record<string, unknown>[] {
  let text = '';
  const log = createLogger(
    level,
    (bytes) => {
      text += bytes;
    },
    () => 0,
  );
  const sampling = { ratio: 1, isParentBased: true };
  logRequest(log, entry, isTraced ? { context: continueTrace(ID, null, null, sampling), attempts: [] } : null);
  log.flush();
  return text === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('one line tells whose request it was, what was tried and why, what it used and cost', () => {
  expect(lines(ENTRY, true)).toEqual([
    {
      ...{ time: '1970-01-01T00:00:00.000Z', level: 'info', message: 'request', request_id: ID, call_id: 'mine' },
      ...{
        trace_id: ID,
        endpoint: 'chat-completions',
        principal: 'virtual-key',
        key_alias: 'worker "1"',
        key_id: 'k1',
      },
      ...{ user_id: 'ada', team_id: 'search', organization_id: 'acme', end_user: '[redacted]' },
      ...{ requested_model: 'gpt-4', group: 'gpt-4', deployment: 'd2', provider: 'azure', model: 'gpt-4-0613' },
      ...{ stream: true, end: 'success', status: 200, duration_ms: 90, overhead_ms: 1, first_byte_ms: 50 },
      ...{ input_tokens: 20, output_tokens: 7, cache_read_tokens: 5, cost: 'known', cost_usd: 0.0015 },
      attempts: [
        { deployment: 'd1', group: 'gpt-4', outcome: '429 rate limited: of [redacted]', delay_ms: 0, duration_ms: 10 },
        { deployment: 'd2', group: 'gpt-4', outcome: 'success', delay_ms: 30, duration_ms: 49 },
      ],
    },
  ]);
});

test('a failure is a warning that names its kind; nothing is said of a trace that nobody keeps', () => {
  const failure = { kind: 'unknown-model', status: 400, message: 'x' } as const;
  const [line] = lines({ ...ENTRY, end: 'failure', status: 400, failure, attempts: [] });
  expect(line).toMatchObject({ level: 'warn', error: 'unknown-model', status: 400 });
  expect(line).not.toHaveProperty('trace_id');
});

test('a level above it leaves the line of a success out', () => {
  expect(lines(ENTRY, false, 'warn')).toEqual([]);
});
