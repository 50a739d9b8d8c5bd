import { deploymentId, providerId, requestId } from '../core/ids.ts';
import { type JsonObject, numberMember, objectMember, stringMember } from '../core/json.ts';
import type { LedgerEntry } from '../core/ledger-entry.ts';
import { NO_PAYER, type Payer } from '../core/payer.ts';
import { epochMillis, millis } from '../core/units.ts';
import { NO_USAGE, type Usage } from '../core/usage.ts';
import { Columns } from './columns.ts';
import type { SourceRow } from './source.ts';

/** LiteLLM's `call_type` in our words; others are kept. */
const ENDPOINTS: Readonly<Record<string, string>> = {
  completion: 'chat-completions',
  acompletion: 'chat-completions',
  text_completion: 'completions',
  atext_completion: 'completions',
  embedding: 'embeddings',
  aembedding: 'embeddings',
};

/**
 * A row of LiteLLM's spend logs as an entry of the ledger, so that it is summed up by the same code as every request.
 *
 * @param keyIds the id of each key that comes over, by its hash
 * @throws BadValue when it cannot be read
 */
export function ledgerEntry(source: SourceRow, keyIds: ReadonlyMap<string, string>): LedgerEntry {
  const row = new Columns(source);
  const metadata = row.object('metadata');
  const isSuccess = (row.filled('status') ?? stringMember(metadata, 'status')) !== 'failure';
  const started = row.time('startTime')?.getTime() ?? 0;
  const group = row.filled('model_group');
  const provider = row.filled('custom_llm_provider');
  const deployment = row.filled('model_id');
  const spend = row.money('spend');
  return {
    requestId: requestId(row.name('request_id')),
    callId: row.name('request_id'),
    principal: 'imported',
    endpoint: ENDPOINTS[row.text('call_type') ?? ''] ?? row.text('call_type') ?? '',
    requestedModel: group ?? row.text('model') ?? '',
    group,
    deployment: deployment === null ? null : deploymentId(deployment),
    provider: provider === null ? null : providerId(provider),
    model: row.filled('model'),
    isStreaming: false,
    end: isSuccess ? 'success' : 'failure',
    status: isSuccess ? 200 : statusOf(metadata),
    usage: usageOf(row, metadata),
    payer: payerOf(row, metadata, keyIds),
    cost: spend === null ? null : { kind: 'known', total: spend },
    startedAt: epochMillis(started),
    duration: lasted(row, 'endTime', started),
    overhead: millis(0),
    firstByte: row.time('completionStartTime') === null ? null : lasted(row, 'completionStartTime', started),
    attempts: [],
    user: row.filled('end_user'),
    tags: tagsOf(row),
    requesterAddress: row.filled('requester_ip_address'),
    session: row.filled('session_id'),
    apiBase: row.filled('api_base'),
    responseId: null,
    // What LiteLLM kept of a failure's text is not ours to quote.
    failure: null,
  };
}

/** Milliseconds from the start to another moment of the row. */
const lasted = (row: Columns, column: string, started: number) =>
  millis(Math.max(0, (row.time(column)?.getTime() ?? started) - started));

function statusOf(metadata: JsonObject): number {
  const code = Number(objectMember(metadata, 'error_information')?.error_code);
  return Number.isInteger(code) && code >= 400 && code < 600 ? code : 500;
}

function usageOf(row: Columns, metadata: JsonObject): Usage {
  const usage = objectMember(metadata, 'usage_object') ?? {};
  const details = objectMember(usage, 'prompt_tokens_details') ?? {};
  return {
    ...NO_USAGE,
    input: row.integer('prompt_tokens') ?? 0,
    output: row.integer('completion_tokens') ?? 0,
    cacheRead: numberMember(usage, 'cache_read_input_tokens') ?? numberMember(details, 'cached_tokens') ?? 0,
    cacheWrite: numberMember(usage, 'cache_creation_input_tokens') ?? 0,
  };
}

function payerOf(row: Columns, metadata: JsonObject, keyIds: ReadonlyMap<string, string>): Payer {
  const keyHash = row.filled('api_key');
  return {
    ...NO_PAYER,
    keyHash,
    keyId: keyIds.get(keyHash ?? '') ?? null,
    keyAlias: stringMember(metadata, 'user_api_key_alias'),
    userId: row.filled('user'),
    teamId: row.filled('team_id'),
    organizationId: row.filled('organization_id') ?? stringMember(metadata, 'user_api_key_org_id'),
    customerId: row.filled('end_user'),
  };
}

/** `["a"]`, or the same as text inside JSON, as LiteLLM writes it. */
function tagsOf(row: Columns): readonly string[] {
  const value = row.json('request_tags');
  const list = typeof value === 'string' ? parsed(value) : value;
  return Array.isArray(list) ? list.filter((tag) => typeof tag === 'string') : [];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return [];
  }
}
