import type { JsonObject } from '../../core/json.ts';
import {
  boolean,
  counter,
  dollars,
  flag,
  integer,
  json,
  members,
  nano,
  optional,
  stamp,
  sum,
  text,
  time,
  withDefault,
  words,
} from './column.ts';
import { type RowOf, table } from './table.ts';

/** The ledger's tables: one row a request, daily sums under LiteLLM's names, and the sums that budgets are read from. */

/** `unknown`: tokens were used whose price nobody knows. `none`: nothing was used. */
export type CostStatus = 'known' | 'unknown' | 'none';

/**
 * One row a request. `spend` is null while the cost is unknown, never nought.
 *
 * The idempotency key is `request_id`; the start stands beside it in the primary key because PostgreSQL wants the
 * column of partitioning there, and is the same whenever an entry is written again.
 */
export const spendLogTable = table(
  'litellm_spendlogs',
  {
    request_id: text(),
    call_id: text(),
    call_type: text(),
    api_key: withDefault(text(), `''`),
    key_id: optional(text()),
    key_alias: optional(text()),
    spend_nano: optional(nano()),
    spend: dollars('spend_nano'),
    assumed_nano: sum(),
    cost_status: text<CostStatus>(),
    total_tokens: counter(),
    prompt_tokens: counter(),
    completion_tokens: counter(),
    cache_read_input_tokens: counter(),
    cache_creation_input_tokens: counter(),
    cache_creation_hour_tokens: counter(),
    reasoning_tokens: counter(),
    audio_input_tokens: counter(),
    audio_output_tokens: counter(),
    startTime: time(),
    endTime: time(),
    completionStartTime: optional(time()),
    model: withDefault(text(), `''`),
    requested_model: withDefault(text(), `''`),
    model_id: optional(text()),
    model_group: optional(text()),
    custom_llm_provider: optional(text()),
    api_base: optional(text()),
    user: optional(text()),
    team_id: optional(text()),
    organization_id: optional(text()),
    end_user: optional(text()),
    requester_ip_address: optional(text()),
    session_id: optional(text()),
    cache_hit: withDefault(text(), `'False'`),
    cache_key: optional(text()),
    metadata: members(),
    request_tags: words(),
    status: text<'success' | 'failure'>(),
    request_end: text(),
    http_status: integer(),
    error_code: optional(text()),
    error_class: optional(text()),
    error_message: optional(text()),
    is_streaming: boolean(),
    duration_ms: integer(),
    overhead_us: integer(),
    attempts: withDefault(json<readonly JsonObject[]>(), `'[]'`),
  },
  {
    primaryKey: ['request_id', 'startTime'],
    partitionedBy: 'startTime',
    indexes: [
      ['startTime', 'request_id'],
      ['api_key', 'startTime'],
      ['user', 'startTime'],
      ['team_id', 'startTime'],
      ['end_user', 'startTime'],
      ['model', 'startTime'],
      ['model_id', 'startTime'],
      ['spend_nano', 'startTime'],
      ['call_id'],
    ],
    specialIndexes: [
      // Failures are few, and what they say is searched: in the index, so that no row is read that does not fit.
      { name: 'failures', on: '"startTime", request_id, error_code, error_message', where: `status = 'failure'` },
      // What providers limited, counted by day and place without reading a row.
      {
        name: 'limited',
        on: 'requested_model, "startTime", api_base',
        where: `status = 'failure' AND error_code = '429'`,
      },
      { name: 'sessions', on: 'session_id, "startTime"', where: 'session_id IS NOT NULL' },
      // As lists sort by it (`repository.ts`).
      { name: 'dearest', on: 'coalesce(spend_nano, -1), request_id, "startTime"', where: null },
    ],
  },
);

const dailySums = {
  prompt_tokens: counter(),
  completion_tokens: counter(),
  cache_read_input_tokens: counter(),
  cache_creation_input_tokens: counter(),
  spend_nano: sum(),
  spend: dollars('spend_nano'),
  api_requests: counter(),
  successful_requests: counter(),
  failed_requests: counter(),
  unpriced_requests: counter(),
};
const { spend: _, ...rolledUpSums } = dailySums;
const dailyParts = { model: text(), model_group: text(), custom_llm_provider: text(), endpoint: text() };
const PARTS = ['model', 'model_group', 'custom_llm_provider', 'endpoint'] as const;

/** Sums of one entity for a day (UTC), a key, a model, a provider and an endpoint; absent parts are `''`. */
function dailyTable<const Name extends string, const Entity extends string>(name: Name, entity: Entity) {
  const columns = { date: text(), api_key: text(), ...dailyParts, ...dailySums };
  type Columns = typeof columns & { [K in Entity]: ReturnType<typeof text> };
  // A computed name widens to string; the type says which one it is.
  const all = { [entity]: text(), ...columns } as unknown as Columns;
  const primaryKey = [entity, 'date', 'api_key', ...PARTS] as const;
  return table(name, all, { primaryKey, indexes: [['date'], ['api_key', 'date']] });
}

/**
 * Everything of a day, whoever paid: as many rows a day as there are models, so that what is asked about all requests
 * costs the same with a thousand keys as with one.
 */
const dailyTotals = table(
  'litellm_dailyglobalspend',
  { date: text(), ...dailyParts, ...dailySums },
  { primaryKey: ['date', ...PARTS] },
);

export const dailyTables = {
  everything: dailyTotals,
  user: dailyTable('litellm_dailyuserspend', 'user_id'),
  team: dailyTable('litellm_dailyteamspend', 'team_id'),
  organization: dailyTable('litellm_dailyorganizationspend', 'organization_id'),
  customer: dailyTable('litellm_dailyenduserspend', 'end_user_id'),
  tag: dailyTable('litellm_dailytagspend', 'tag'),
};

/** What the rows of a day are told apart by in a roll-up. `name`: its entity, or the hash of its key; else `''`. */
export type RolledUpPart = 'entity' | 'api_key' | 'parts';

/** Days that are over, added up from the daily tables with all but one way of telling their rows apart left out. */
export const rollUpTable = table(
  'litellm_dailyrollups',
  {
    subject: text(),
    part: text<RolledUpPart>(),
    date: text(),
    name: text(),
    ...dailyParts,
    ...rolledUpSums,
    /** Rows of the daily table that were added up. */
    row_count: counter(),
  },
  // The index beside the key is a tenth of it, and reports read whole days.
  { primaryKey: ['subject', 'part', 'date', 'name', ...PARTS], indexes: [['subject', 'part', 'date']] },
);

/** Days that have roll-ups, and those that are about to; `ledger/roll-up.ts` says how they come and go. */
export const rolledUpDayTable = table(
  'litellm_rolledupdays',
  { date: text(), is_complete: flag() },
  { primaryKey: ['date'] },
);

/**
 * What one account spent in one quarter of an hour: the sums that budgets of any period and time zone are read from.
 *
 * Never reset. An account's sum over all rows, plus the offset in the entity's own row, is the entity's `spend`.
 */
export const spendBucketTable = table(
  'litellm_spendbuckets',
  { account_type: text(), account_id: text(), bucket_start: time(), spend_nano: sum(), assumed_nano: sum() },
  { primaryKey: ['account_type', 'account_id', 'bucket_start'] },
);

/** Ledger entries that the database refused, kept whole for a person to look at. */
export const deadLetterTable = table(
  'litellm_deadletters',
  { request_id: text(), entry: text(), reason: text(), created_at: stamp() },
  { primaryKey: ['request_id'] },
);

export type SpendLogRow = RowOf<typeof spendLogTable>;
