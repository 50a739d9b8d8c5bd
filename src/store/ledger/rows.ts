import { ERRORS } from '../../core/errors.ts';
import type { FailureRecord, LedgerEntry } from '../../core/ledger-entry.ts';
import { NO_USAGE, type Usage } from '../../core/usage.ts';
import { dailyTables } from '../schema/spend.ts';
import type { Table } from '../schema/table.ts';
import { type Account, type AccountType, accountId, accountsOf } from './accounts.ts';
import { bucketStart } from './balance.ts';

/** A row of any of the ledger's tables. */
type Row = Record<string, unknown>;

/** An amount beyond this is a mistake of somebody's: a billion dollars for one request. */
const LARGEST_COST = 10n ** 18n;
const EARLIEST = Date.UTC(2000, 0);
const LATEST = Date.UTC(2200, 0);

/** Why an entry cannot be a row of any database; null when it can. */
export function unfit(entry: LedgerEntry): string | null {
  const { requestId, startedAt, duration, overhead, firstByte, usage, status } = entry;
  if (requestId === '') return 'it has no request id';
  if (!(startedAt >= EARLIEST && startedAt < LATEST)) return `it starts at ${startedAt}, which no clock shows`;
  if (!(Number.isInteger(status) && status >= 0 && status < 1000)) return `its status is ${status}`;
  for (const length of [duration, overhead, firstByte ?? 0])
    if (!(length >= 0 && length < LATEST)) return `it lasts ${length} ms`;
  for (const kind in usage) {
    const count: unknown = usage[kind as keyof Usage]; // its own members, and no others
    if (typeof count === 'number' && !(Number.isSafeInteger(count) && count >= 0)) return `it used ${count} of ${kind}`;
  }
  const { spend, assumed } = costOf(entry);
  for (const amount of [spend ?? 0n, assumed])
    if (amount < 0n || amount > LARGEST_COST) return `it cost ${amount} nano-dollars`;
  return null;
}

/** What the client knows the request by: its own label, else the id in its answer. Our own id is found by itself. */
function labelOf({ requestId, callId, responseId }: LedgerEntry): string {
  // Entries of journals from before have no response id.
  return callId === requestId ? (responseId ?? callId) : callId;
}

function costOf({ cost }: LedgerEntry) {
  if (cost === null) return { status: 'none', spend: 0n, assumed: 0n } as const;
  if (cost.kind === 'known') return { status: 'known', spend: cost.total, assumed: 0n } as const;
  return { status: 'unknown', spend: null, assumed: cost.assumed } as const;
}

/** The row of `litellm_spendlogs`. */
export function logRow(entry: LedgerEntry): Row {
  const { payer, usage } = entry;
  const { status, spend, assumed } = costOf(entry);
  const tokens = usage ?? NO_USAGE;
  return {
    request_id: entry.requestId,
    call_id: labelOf(entry),
    call_type: entry.endpoint,
    api_key: payer.keyHash ?? '',
    key_id: payer.keyId,
    key_alias: payer.keyAlias,
    spend_nano: spend,
    assumed_nano: assumed,
    cost_status: status,
    total_tokens: tokens.input + tokens.output,
    prompt_tokens: tokens.input,
    completion_tokens: tokens.output,
    cache_read_input_tokens: tokens.cacheRead,
    cache_creation_input_tokens: tokens.cacheWrite,
    cache_creation_hour_tokens: tokens.cacheWriteHour,
    reasoning_tokens: tokens.reasoning,
    audio_input_tokens: tokens.audioInput,
    audio_output_tokens: tokens.audioOutput,
    startTime: new Date(entry.startedAt),
    endTime: new Date(entry.startedAt + entry.duration),
    completionStartTime: entry.firstByte === null ? null : new Date(entry.startedAt + entry.firstByte),
    model: modelOf(entry),
    requested_model: entry.requestedModel,
    model_id: entry.deployment,
    model_group: entry.group,
    custom_llm_provider: entry.provider,
    api_base: entry.apiBase,
    user: payer.userId,
    team_id: payer.teamId,
    organization_id: payer.organizationId,
    end_user: payer.customerId,
    requester_ip_address: entry.requesterAddress,
    session_id: entry.session,
    metadata: metadataOf(entry),
    request_tags: entry.tags,
    status: isSuccess(entry) ? 'success' : 'failure',
    request_end: entry.end,
    http_status: entry.status,
    error_code: entry.failure === null ? null : String(entry.failure.status),
    error_class: entry.failure === null ? null : className(entry.failure),
    error_message: entry.failure?.message ?? null,
    is_streaming: entry.isStreaming,
    duration_ms: Math.round(entry.duration),
    overhead_us: Math.round(entry.overhead * 1000),
    attempts: entry.attempts,
  };
}

/** The names under which people's SQL looks in LiteLLM's `metadata`. */
function metadataOf({ payer, principal, end, attempts, failure, provider }: LedgerEntry): Row {
  return {
    user_api_key: payer.keyHash,
    user_api_key_alias: payer.keyAlias,
    user_api_key_user_id: payer.userId,
    user_api_key_team_id: payer.teamId,
    user_api_key_org_id: payer.organizationId,
    user_api_key_end_user_id: payer.customerId,
    principal,
    status: end,
    attempted_retries: Math.max(0, attempts.length - 1),
    ...(failure !== null && {
      error_information: {
        error_code: String(failure.status),
        error_class: className(failure),
        error_message: failure.message,
        llm_provider: provider,
      },
    }),
  };
}

/** LiteLLM's name of a failure; ours where it has none. */
const className = ({ kind }: FailureRecord): string => ERRORS[kind].className ?? kind;

/** What answered; where nothing did, what was asked for. The days have the same, so that both can be counted alike. */
const modelOf = ({ model, requestedModel }: LedgerEntry): string => model ?? requestedModel;

const isSuccess = ({ end }: LedgerEntry): boolean => end === 'success';

/** What is added up in the daily tables. */
export const DAILY_SUMS = [
  'prompt_tokens',
  'completion_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'spend_nano',
  'api_requests',
  'successful_requests',
  'failed_requests',
  'unpriced_requests',
] as const;

type DailySums = Record<(typeof DAILY_SUMS)[number], number | bigint>;

function dailySums(entry: LedgerEntry): DailySums {
  const tokens = entry.usage ?? NO_USAGE;
  return {
    prompt_tokens: tokens.input,
    completion_tokens: tokens.output,
    cache_read_input_tokens: tokens.cacheRead,
    cache_creation_input_tokens: tokens.cacheWrite,
    spend_nano: costOf(entry).spend ?? 0n,
    api_requests: 1,
    successful_requests: isSuccess(entry) ? 1 : 0,
    failed_requests: isSuccess(entry) ? 0 : 1,
    unpriced_requests: entry.cost?.kind === 'unknown' ? 1 : 0,
  };
}

/** For each daily table, the entities whose row an entry belongs to. */
const DAILY: readonly {
  readonly table: Table;
  readonly entities: (entry: LedgerEntry) => readonly (string | null)[];
}[] = [
  // Requests of nobody have a row too, so that this table sums up to everything.
  { table: dailyTables.user, entities: ({ payer }) => [payer.userId ?? ''] },
  { table: dailyTables.team, entities: ({ payer }) => [payer.teamId] },
  { table: dailyTables.organization, entities: ({ payer }) => [payer.organizationId] },
  { table: dailyTables.customer, entities: ({ payer }) => [payer.customerId] },
  { table: dailyTables.tag, entities: ({ tags }) => [...new Set(tags)] },
  { table: dailyTables.everything, entities: () => [''] },
];

/** The rows of the daily tables that a batch adds to: one for each day, entity, key, model and so on. */
export function dailyRows(
  entries: readonly LedgerEntry[],
): readonly { readonly table: Table; readonly rows: readonly Row[] }[] {
  const days = entries.map((entry) => ({ entry, parts: dailyParts(entry), sums: dailySums(entry) }));
  return DAILY.map(({ table, entities }) => {
    const totals = new Map<string, Row>();
    for (const { entry, parts, sums } of days)
      for (const entity of entities(entry)) if (entity !== null) addTo(totals, table, entity, parts, sums);
    return { table, rows: [...totals.values()] };
  });
}

interface DailyParts {
  readonly columns: Readonly<Record<string, string>>;
  /** All of them but the key, as one text. */
  readonly text: string;
}

function dailyParts(entry: LedgerEntry): DailyParts {
  const columns = {
    date: new Date(entry.startedAt).toISOString().slice(0, 10),
    model: modelOf(entry),
    model_group: entry.group ?? '',
    custom_llm_provider: entry.provider ?? '',
    endpoint: entry.endpoint,
  };
  return { columns: { ...columns, api_key: entry.payer.keyHash ?? '' }, text: JSON.stringify(columns) };
}

function addTo(totals: Map<string, Row>, table: Table, entity: string, parts: DailyParts, sums: DailySums): void {
  const hasKey = table.columns.api_key !== undefined;
  const key = `${parts.text} ${hasKey ? parts.columns.api_key : ''} ${entity}`;
  const row = totals.get(key);
  if (row === undefined) totals.set(key, { ...keyIn(table, entity, parts), ...sums });
  // Both sides were made by the same function, so they are of the same type.
  else for (const name of DAILY_SUMS) row[name] = (row[name] as number) + (sums[name] as number);
}

/** The columns of a daily table's key. */
function keyIn({ primaryKey }: Table, entity: string, { columns }: DailyParts): Row {
  return Object.fromEntries(primaryKey.map((column) => [column, columns[column] ?? entity]));
}

/** What a batch adds to each account in each quarter of an hour; entries that cost nothing add nothing. */
export function bucketRows(entries: readonly LedgerEntry[]): readonly Row[] {
  const rows = new Map<string, BucketRow>();
  for (const entry of entries) {
    const { spend, assumed } = costOf(entry);
    if ((spend ?? 0n) === 0n && assumed === 0n) continue;
    const bucket = bucketStart(entry.startedAt);
    for (const account of accountsOf(entry)) addToBucket(rows, account, bucket, spend ?? 0n, assumed);
  }
  return [...rows.values()];
}

interface BucketRow extends Row {
  spend_nano: bigint;
  assumed_nano: bigint;
}

/** The hottest place of a batch: ten accounts an entry. A type has no space in its name, nor has a number. */
function addToBucket(
  rows: Map<string, BucketRow>,
  account: Account,
  bucket: Date,
  spend: bigint,
  assumed: bigint,
): void {
  const id = accountId(account);
  const key = `${account.type} ${bucket.getTime()} ${id}`;
  const row = rows.get(key);
  if (row === undefined) {
    const names = { account_type: account.type, account_id: id, bucket_start: bucket };
    rows.set(key, { ...names, spend_nano: spend, assumed_nano: assumed });
    return;
  }
  row.spend_nano += spend;
  row.assumed_nano += assumed;
}

/** What a batch adds to the accounts of one type, each with the words of its id. */
export function spendByAccount(
  entries: readonly LedgerEntry[],
): ReadonlyMap<AccountType, readonly { readonly account: Account; readonly spend: bigint }[]> {
  const byId = new Map<string, { account: Account; spend: bigint }>();
  for (const entry of entries) {
    const spend = costOf(entry).spend ?? 0n;
    if (spend === 0n) continue;
    for (const account of accountsOf(entry)) {
      const key = `${account.type} ${accountId(account)}`;
      byId.set(key, { account, spend: (byId.get(key)?.spend ?? 0n) + spend });
    }
  }
  return Map.groupBy(byId.values(), ({ account }) => account.type);
}
