import { sql } from 'kysely';
import type { PostgresAddress } from './address.ts';
import type { Queries } from './engine.ts';
import { StoreRefused } from './errors.ts';
import { createTable, type Ddl, postgresDdl, SQLITE_DDL } from './schema/ddl.ts';
import { rollUpTable } from './schema/spend.ts';
import { TABLES, versionTable } from './schema/tables.ts';

/** The oldest PostgreSQL that has what we use and is still maintained in 2026. */
const OLDEST_POSTGRES = 140_000;

/**
 * What leads from one version of the schema to the next, both dialects alike: `STEPS[0]` makes version 2 of version 1.
 *
 * A new database is created from the definitions, which are the latest version; an older one takes the steps. Steps are
 * only ever appended. Version 1 is the first release with a database.
 */
const STEPS: readonly ((ddl: Ddl) => readonly string[])[] = [version2];

/** The version that this program knows. */
export const SCHEMA_VERSION = STEPS.length + 1;

/**
 * Creates or updates the tables on PostgreSQL: one transaction, behind a lock, so that of several instances that start
 * at once one does it and the others find it done.
 *
 * @throws StoreRefused when the tables are newer than this program, or when something foreign has one of their names
 */
export async function migratePostgres(queries: Queries, { schema, place }: PostgresAddress): Promise<void> {
  const ddl = postgresDdl(schema);
  await queries.transaction().execute(async (transaction) => {
    await checkServer(transaction, place);
    await sql`select pg_advisory_xact_lock(hashtextextended(${`tollgate ${schema}`}, 0))`.execute(transaction);
    const found = await sql`select 1 from pg_namespace where nspname = ${schema}`.execute(transaction);
    if (found.rows.length === 0) await run(transaction, [`CREATE SCHEMA ${ddl.quote(schema)}`]);
    const tables = await sql<{ name: string }>`
      select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = ${schema}`.execute(
      transaction,
    );
    await migrate(transaction, ddl, new Set(tables.rows.map(({ name }) => name)), `${place}, schema ${schema}`);
  });
}

async function checkServer(queries: Queries, place: string): Promise<void> {
  const { rows } = await sql<{ version: string }>`select current_setting('server_version_num') as version`.execute(
    queries,
  );
  if (Number(rows[0]?.version) < OLDEST_POSTGRES)
    throw new StoreRefused(`PostgreSQL at ${place} is older than version 14: use 14 or newer.`);
}

/** The same on the embedded database, which one process has to itself. */
export async function migrateSqlite(queries: Queries, folder: string): Promise<void> {
  await queries.transaction().execute(async (transaction) => {
    const tables = await sql<{ name: string }>`select name from sqlite_master`.execute(transaction);
    await migrate(transaction, SQLITE_DDL, new Set(tables.rows.map(({ name }) => name)), folder);
  });
}

/**
 * Sums of days that are over, which start empty: days are read as before until somebody adds them up. What instances hold
 * of budgets and have counted under limits. The earlier hashes of keys whose rotation left no grace, as far as the audit
 * log goes back. And an index of what providers limited.
 */
function version2({ typeNames, qualify, tableOptions }: Ddl): readonly string[] {
  const options = tableOptions(rollUpTable);
  const key = ['subject', 'part', 'date', 'name', 'model', 'model_group', 'custom_llm_provider', 'endpoint'];
  const counters = [
    ...['prompt_tokens', 'completion_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens'],
    ...['api_requests', 'successful_requests', 'failed_requests', 'unpriced_requests', 'row_count'],
  ];
  const columns = [
    ...key.map((name) => `"${name}" ${typeNames.text} NOT NULL`),
    ...counters.map((name) => `"${name}" ${typeNames.integer} NOT NULL DEFAULT 0`),
    `"spend_nano" ${typeNames.nano} NOT NULL DEFAULT 0`,
  ];
  return [
    `CREATE TABLE ${qualify('litellm_dailyrollups')} (${columns.join(', ')}, PRIMARY KEY (${key.join(', ')}))${options}`,
    `CREATE INDEX "litellm_dailyrollups_subject_part_date_idx" ON ${qualify('litellm_dailyrollups')} (subject, part, date)`,
    `CREATE TABLE ${qualify('litellm_rolledupdays')} (date ${typeNames.text} NOT NULL,
      is_complete ${typeNames.boolean} NOT NULL DEFAULT false, PRIMARY KEY (date))${options}`,
    `CREATE TABLE ${qualify('litellm_budgetholds')} (account_type ${typeNames.text} NOT NULL,
      account_id ${typeNames.text} NOT NULL, instance ${typeNames.text} NOT NULL, held_nano ${typeNames.nano} NOT NULL,
      is_wanting ${typeNames.boolean} NOT NULL, is_short ${typeNames.boolean} NOT NULL,
      expires_at ${typeNames.time} NOT NULL, PRIMARY KEY (account_type, account_id, instance))${options}`,
    `CREATE INDEX "litellm_budgetholds_instance_idx" ON ${qualify('litellm_budgetholds')} ("instance")`,
    `CREATE TABLE ${qualify('litellm_limitcounts')} (scope ${typeNames.text} NOT NULL, id ${typeNames.text} NOT NULL,
      instance ${typeNames.text} NOT NULL, requests ${typeNames.integer} NOT NULL DEFAULT 0,
      tokens ${typeNames.integer} NOT NULL DEFAULT 0, window_ends_at ${typeNames.time} NOT NULL,
      PRIMARY KEY (scope, id, instance))${options}`,
    `CREATE INDEX "litellm_limitcounts_window_ends_at_idx" ON ${qualify('litellm_limitcounts')} ("window_ends_at")`,
    `CREATE INDEX "litellm_spendlogs_limited_idx" ON ${qualify('litellm_spendlogs')}
      (requested_model, "startTime", api_base) WHERE status = 'failure' AND error_code = '429'`,
    `INSERT INTO ${qualify('litellm_deprecatedverificationtoken')} (token, key_id, revoke_at, created_at)
      SELECT object_id, min(before_value ->> 'key_id'), min(updated_at), min(updated_at)
      FROM ${qualify('litellm_auditlog')}
      WHERE table_name = 'litellm_verificationtoken' AND action = 'rotated' AND before_value ->> 'key_id' IS NOT NULL
      GROUP BY object_id ON CONFLICT DO NOTHING`,
  ];
}

async function migrate(queries: Queries, ddl: Ddl, existing: ReadonlySet<string>, place: string): Promise<void> {
  if (!existing.has(versionTable.name)) await createAll(queries, ddl, existing, place);
  else await stepUp(queries, ddl, place);
}

async function createAll(queries: Queries, ddl: Ddl, existing: ReadonlySet<string>, place: string): Promise<void> {
  const foreign = TABLES.filter(({ name }) => existing.has(name)).map(({ name }) => name);
  if (foreign.length > 0)
    throw new StoreRefused(
      `${place} has tables with our names that Tollgate did not make: ${foreign.join(', ')}. Nothing was changed. Add ?schema=tollgate to DATABASE_URL, or use another database.`,
    );
  for (const table of TABLES) await run(queries, createTable(ddl, table));
  await run(queries, [`INSERT INTO ${ddl.qualify(versionTable.name)} (version) VALUES (${SCHEMA_VERSION})`]);
}

async function stepUp(queries: Queries, ddl: Ddl, place: string): Promise<void> {
  const table = ddl.qualify(versionTable.name);
  const { rows } = await sql<{ version: number }>`select version from ${sql.raw(table)}`.execute(queries);
  const version = rows[0]?.version ?? 0;
  if (version > SCHEMA_VERSION)
    throw new StoreRefused(
      `the tables at ${place} have schema version ${version}, this Tollgate knows ${SCHEMA_VERSION}: a newer one has used them. Start that version, or restore a backup from before the upgrade.`,
    );
  for (const step of STEPS.slice(version - 1)) await run(queries, step(ddl));
  if (version < SCHEMA_VERSION) await run(queries, [`UPDATE ${table} SET version = ${SCHEMA_VERSION}`]);
}

async function run(queries: Queries, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(queries);
}
