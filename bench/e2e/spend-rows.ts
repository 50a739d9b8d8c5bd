import { SQL } from 'bun';
import { epochMillis } from '../../src/core/units.ts';
import { dailyTables, rolledUpDayTable, rollUpTable, spendLogTable } from '../../src/store/schema/spend.ts';
import type { Store } from '../../src/store/store.ts';
import { ledgerEntry } from '../../test/support/store.ts';

/** Who and what the rows are about: a platform with two thousand keys, ninety days. */
export const WORLD = { days: 90, keys: 2000, users: 500, teams: 50, customers: 5000, models: 12, tags: 40 };

const DAY = 86_400_000;
const BATCH = 250_000;
const SCHEMA = 'public';

/**
 * Fills the log with rows, spread evenly over ninety days up to now, and the daily tables with their sums.
 *
 * Rows and days lie on the disk in the order of time, as the ledger writes them. Few keys make most requests, few models answer most. The database writes the rows itself; that the daily tables then
 * hold what the ledger would have written is compared at the end.
 *
 * @throws Error when a daily table does not add up to the rows
 */
export async function generateRows(
  store: Store,
  url: string,
  rows: number,
  say: (words: string) => void,
): Promise<void> {
  const database = new SQL(url, { max: 1 });
  try {
    await makeMonths(store);
    await people(database);
    const indexes = await dropIndexes(database);
    await database.unsafe(
      `TRUNCATE ${[spendLogTable, ...Object.values(dailyTables), rollUpTable, rolledUpDayTable].map(({ name }) => name).join(', ')}`,
    );
    for (let from = 0; from < rows; from += BATCH) {
      await database.unsafe(insertRows(from, Math.min(rows, from + BATCH), rows));
      say(`${Math.min(rows, from + BATCH)} rows`);
    }
    for (const statement of indexes) await database.unsafe(statement);
    say('indexes');
    await database.unsafe(`SET work_mem = '512MB'`);
    await fillDays(database);
    say('daily tables');
    await compare(database);
    say('compared');
    const days = await store.rollUp();
    say(`${days.length} days rolled up`);
    for (const { name } of [spendLogTable, ...Object.values(dailyTables), rollUpTable])
      await database.unsafe(`VACUUM ANALYZE ${name}`);
    await database.unsafe('ANALYZE');
    say('vacuum');
  } finally {
    await database.close();
  }
}

/** The partitions of the months, which the ledger makes when it writes. */
async function makeMonths(store: Store): Promise<void> {
  const now = Date.now();
  const moments = Array.from({ length: WORLD.days + 1 }, (_, day) => epochMillis(now - day * DAY));
  await store.ledger.write(moments.map((startedAt) => ledgerEntry({ startedAt })));
}

async function people(database: SQL): Promise<void> {
  const { keys, users, teams } = WORLD;
  await database.unsafe(`INSERT INTO litellm_usertable (user_id, user_role)
    SELECT 'user-' || n, 'internal_user' FROM generate_series(0, ${users - 1}) n`);
  await database.unsafe(`INSERT INTO litellm_teamtable (team_id, team_alias)
    SELECT 'team-' || n, 'Team ' || n FROM generate_series(0, ${teams - 1}) n`);
  await database.unsafe(`INSERT INTO litellm_verificationtoken (token, key_id, key_alias, user_id, team_id, spend_nano)
    SELECT encode(sha256(('key-' || n)::bytea), 'hex'), 'key-' || n, 'alias-' || n, 'user-' || n % ${users},
      'team-' || n % ${teams}, 1000000::bigint * (n * 7919::bigint % 100003) FROM generate_series(0, ${keys - 1}) n`);
}

/** Building an index once is faster than keeping it up to date row by row. */
async function dropIndexes(database: SQL): Promise<readonly string[]> {
  const found = await database.unsafe(`SELECT indexname, indexdef FROM pg_indexes
    WHERE schemaname = '${SCHEMA}' AND tablename = '${spendLogTable.name}' AND indexname NOT LIKE '%pkey'`);
  const statements: string[] = [];
  for (const { indexname, indexdef } of found as readonly { indexname: string; indexdef: string }[]) {
    await database.unsafe(`DROP INDEX "${SCHEMA}"."${indexname}"`);
    statements.push(indexdef.replace(' ON ONLY ', ' ON '));
  }
  return statements;
}

/** One in twelve fails, one in fifty has no known price, one in five has tags, one in ten a session. */
function insertRows(from: number, before: number, rows: number): string {
  const { days, keys, users, teams, customers, models, tags } = WORLD;
  const columns = `request_id, call_id, call_type, api_key, key_id, key_alias, spend_nano, assumed_nano, cost_status,
    total_tokens, prompt_tokens, completion_tokens, cache_read_input_tokens, "startTime", "endTime", "completionStartTime",
    model, requested_model, model_id, model_group, custom_llm_provider, api_base, "user", team_id, end_user,
    requester_ip_address, session_id, metadata, request_tags, status, request_end, http_status, error_code, error_class,
    error_message, is_streaming, duration_ms, overhead_us, attempts`;
  return `INSERT INTO litellm_spendlogs (${columns})
    SELECT md5('r' || n), md5('c' || n), 'chat-completions', hash, 'key-' || key, 'alias-' || key,
      CASE WHEN price < 0.02 THEN NULL ELSE (cost * 90000000)::bigint END, 0,
      CASE WHEN price < 0.02 THEN 'unknown' ELSE 'known' END,
      input + output, input, output, input / 3, at, at + length * interval '1 ms', at + interval '300 ms',
      'model-' || model, 'group-' || model % 6, CASE WHEN NOT failed THEN 'deployment-' || model END,
      CASE WHEN NOT failed THEN 'group-' || model % 6 END, CASE WHEN NOT failed THEN 'provider-' || model % 4 END,
      'https://provider.example/v1', 'user-' || key % ${users}, 'team-' || key % ${teams},
      CASE WHEN who < 0.7 THEN 'customer-' || floor(${customers} * power(who / 0.7, 2)) END,
      '192.0.2.' || key % 250, CASE WHEN who > 0.9 THEN 'session-' || n / 20 END,
      jsonb_build_object('user_api_key', hash, 'user_api_key_alias', 'alias-' || key, 'user_api_key_user_id',
        'user-' || key % ${users}, 'user_api_key_team_id', 'team-' || key % ${teams}, 'status', 'success', 'attempted_retries', 0),
      CASE WHEN label < 0.2 THEN jsonb_build_array('tag-' || floor(${tags} * label / 0.2)) ELSE '[]' END,
      CASE WHEN failed THEN 'failure' ELSE 'success' END, CASE WHEN failed THEN 'failure' ELSE 'success' END,
      CASE WHEN failed THEN 429 ELSE 200 END, CASE WHEN failed THEN '429' END, CASE WHEN failed THEN 'RateLimitError' END,
      CASE WHEN failed THEN 'Rate limit reached for requests of organization ' || n END, n % 2 = 0, length, 700,
      jsonb_build_array(jsonb_build_object('deployment', 'deployment-' || model, 'group', 'group-' || model % 6,
        'outcome', 'success', 'delay', 0, 'duration', length))
    FROM (SELECT n, key, encode(sha256(('key-' || key)::bytea), 'hex') AS hash,
        (key + floor(power(random(), 2) * 3)::int * 5) % ${models} AS model,
        date_trunc('milliseconds', now() - (1 - (n + random()) / ${rows}) * interval '${days} days') AS at, (random() * 1500)::int + 20 AS input,
        (random() * 400)::int AS output, (random() * 4000)::int + 200 AS length, random() AS price, random() AS who,
        power(random(), 4) AS cost, random() AS label, random() < 0.083 AS failed
      FROM (SELECT n, floor(${keys} * power(random(), 2))::int AS key FROM generate_series(${from}, ${before - 1}) n) AS keyed
    ) AS drawn`;
}

const SUMS = `sum(prompt_tokens), sum(completion_tokens), sum(cache_read_input_tokens), 0, coalesce(sum(spend_nano), 0), count(*),
  count(*) FILTER (WHERE status = 'success'), count(*) FILTER (WHERE status <> 'success'), count(*) FILTER (WHERE cost_status = 'unknown')`;
const SUM_COLUMNS = `prompt_tokens, completion_tokens, cache_read_input_tokens, cache_creation_input_tokens, spend_nano,
  api_requests, successful_requests, failed_requests, unpriced_requests`;

/** The entity of a row in each daily table, and the rows that have one. */
const ENTITIES = {
  user: { value: `coalesce("user", '')`, from: 'litellm_spendlogs' },
  team: { value: 'team_id', from: 'litellm_spendlogs WHERE team_id IS NOT NULL' },
  organization: { value: 'organization_id', from: 'litellm_spendlogs WHERE organization_id IS NOT NULL' },
  customer: { value: 'end_user', from: 'litellm_spendlogs WHERE end_user IS NOT NULL' },
  tag: { value: 'named', from: 'litellm_spendlogs, jsonb_array_elements_text(request_tags) AS named' },
  everything: { value: null, from: 'litellm_spendlogs' },
} as const satisfies Record<keyof typeof dailyTables, { readonly value: string | null; readonly from: string }>;

async function fillDays(database: SQL): Promise<void> {
  const day = `to_char("startTime" at time zone 'UTC', 'YYYY-MM-DD')`;
  const parts = [`model`, `coalesce(model_group, '')`, `coalesce(custom_llm_provider, '')`, 'call_type'];
  for (const [subject, { value, from }] of Object.entries(ENTITIES)) {
    const { name, primaryKey } = dailyTables[subject as keyof typeof dailyTables]; // a key of it
    const key = value === null ? [day, ...parts] : [value, day, 'api_key', ...parts];
    await database.unsafe(`INSERT INTO ${name} (${primaryKey.join(', ')}, ${SUM_COLUMNS})
      SELECT ${key.join(', ')}, ${SUMS} FROM ${from} GROUP BY ${key.map((_, index) => index + 1).join(', ')} ORDER BY ${key.indexOf(day) + 1}`);
  }
}

async function compare(database: SQL): Promise<void> {
  const [log] = await database.unsafe('SELECT count(*) AS rows, sum(spend_nano) AS spend FROM litellm_spendlogs');
  for (const { name } of [dailyTables.user, dailyTables.everything]) {
    const [days] = await database.unsafe(`SELECT sum(api_requests) AS rows, sum(spend_nano) AS spend FROM ${name}`);
    if (String(days.rows) !== String(log.rows) || String(days.spend) !== String(log.spend))
      throw new Error(
        `${name} has ${days.rows} requests and ${days.spend} nano-dollars, the log ${log.rows} and ${log.spend}`,
      );
  }
}
