import { SQL } from 'bun';
import { encryptAsLitellm } from './salsa.ts';

/*
 * A LiteLLM database as its migrations make it: mixed-case tables, `text[]`, `timestamp(3)` without zone, `double
 * precision` for money (litellm.md §6.1), with rows as LiteLLM writes them.
 */

const LIMITS = `"max_budget" double precision, "tpm_limit" bigint, "rpm_limit" bigint, "max_parallel_requests" integer,
  "budget_duration" text, "budget_reset_at" timestamp(3) without time zone`;
const AUDIT = `"created_at" timestamp(3) without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL, "created_by" text DEFAULT '' NOT NULL,
  "updated_at" timestamp(3) without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL, "updated_by" text DEFAULT '' NOT NULL`;
const SPEND = `"spend" double precision DEFAULT 0.0 NOT NULL`;

/** The tables, in an order in which foreign keys find what they point at. */
export const LITELLM_DDL = [
  `CREATE TABLE "LiteLLM_BudgetTable" ("budget_id" text PRIMARY KEY, "soft_budget" double precision, "model_max_budget" jsonb, ${LIMITS}, ${AUDIT})`,
  `CREATE TABLE "LiteLLM_ObjectPermissionTable" ("object_permission_id" text PRIMARY KEY, "mcp_servers" text[] DEFAULT ARRAY[]::text[], "vector_stores" text[] DEFAULT ARRAY[]::text[])`,
  `CREATE TABLE "LiteLLM_OrganizationTable" ("organization_id" text PRIMARY KEY, "organization_alias" text NOT NULL, "budget_id" text NOT NULL REFERENCES "LiteLLM_BudgetTable", "metadata" jsonb DEFAULT '{}' NOT NULL, "models" text[], ${SPEND}, "model_spend" jsonb DEFAULT '{}' NOT NULL, "object_permission_id" text, ${AUDIT})`,
  `CREATE TABLE "LiteLLM_ModelTable" ("id" serial PRIMARY KEY, "aliases" jsonb, ${AUDIT})`,
  `CREATE TABLE "LiteLLM_TeamTable" ("team_id" text PRIMARY KEY, "team_alias" text, "organization_id" text REFERENCES "LiteLLM_OrganizationTable", "object_permission_id" text, "admins" text[], "members" text[], "members_with_roles" jsonb DEFAULT '{}' NOT NULL, "metadata" jsonb DEFAULT '{}' NOT NULL, "soft_budget" double precision, ${SPEND}, "models" text[], ${LIMITS}, "blocked" boolean DEFAULT false NOT NULL, "model_spend" jsonb DEFAULT '{}' NOT NULL, "model_max_budget" jsonb DEFAULT '{}' NOT NULL, "team_member_permissions" text[] DEFAULT ARRAY[]::text[], "model_id" integer UNIQUE REFERENCES "LiteLLM_ModelTable", ${AUDIT})`,
  `CREATE TABLE "LiteLLM_UserTable" ("user_id" text PRIMARY KEY, "user_alias" text, "team_id" text, "sso_user_id" text UNIQUE, "organization_id" text, "password" text, "teams" text[] DEFAULT ARRAY[]::text[], "user_role" text, ${SPEND}, "user_email" text, "models" text[], "metadata" jsonb DEFAULT '{}' NOT NULL, ${LIMITS}, "allowed_cache_controls" text[] DEFAULT ARRAY[]::text[], "model_spend" jsonb DEFAULT '{}' NOT NULL, "model_max_budget" jsonb DEFAULT '{}' NOT NULL, "created_at" timestamp(3) without time zone DEFAULT CURRENT_TIMESTAMP, "updated_at" timestamp(3) without time zone)`,
  `CREATE TABLE "LiteLLM_VerificationToken" ("token" text PRIMARY KEY, "key_name" text, "key_alias" text, "soft_budget_cooldown" boolean DEFAULT false NOT NULL, ${SPEND}, "expires" timestamp(3) without time zone, "models" text[], "aliases" jsonb DEFAULT '{}' NOT NULL, "config" jsonb DEFAULT '{}' NOT NULL, "user_id" text, "team_id" text, "permissions" jsonb DEFAULT '{}' NOT NULL, "metadata" jsonb DEFAULT '{}' NOT NULL, "blocked" boolean, ${LIMITS}, "allowed_cache_controls" text[] DEFAULT ARRAY[]::text[], "allowed_routes" text[] DEFAULT ARRAY[]::text[], "model_spend" jsonb DEFAULT '{}' NOT NULL, "model_max_budget" jsonb DEFAULT '{}' NOT NULL, "budget_id" text REFERENCES "LiteLLM_BudgetTable", "organization_id" text REFERENCES "LiteLLM_OrganizationTable", "object_permission_id" text, "created_at" timestamp(3) without time zone DEFAULT CURRENT_TIMESTAMP, "created_by" text, "updated_at" timestamp(3) without time zone, "updated_by" text, "rotation_count" integer DEFAULT 0, "auto_rotate" boolean DEFAULT false, "rotation_interval" text, "last_rotation_at" timestamp(3) without time zone, "key_rotation_at" timestamp(3) without time zone, "budget_fallbacks" jsonb)`,
  `CREATE TABLE "LiteLLM_TeamMembership" ("user_id" text NOT NULL, "team_id" text NOT NULL, ${SPEND}, "budget_id" text REFERENCES "LiteLLM_BudgetTable", PRIMARY KEY ("user_id", "team_id"))`,
  `CREATE TABLE "LiteLLM_OrganizationMembership" ("user_id" text NOT NULL, "organization_id" text NOT NULL, "user_role" text, "spend" double precision DEFAULT 0.0, "budget_id" text, "created_at" timestamp(3) without time zone DEFAULT CURRENT_TIMESTAMP, "updated_at" timestamp(3) without time zone, PRIMARY KEY ("user_id", "organization_id"))`,
  `CREATE TABLE "LiteLLM_EndUserTable" ("user_id" text PRIMARY KEY, "alias" text, ${SPEND}, "allowed_model_region" text, "default_model" text, "budget_id" text, "blocked" boolean DEFAULT false NOT NULL)`,
  `CREATE TABLE "LiteLLM_TagTable" ("tag_name" text PRIMARY KEY, "description" text, "models" text[], "model_info" jsonb, ${SPEND}, "budget_id" text, "created_at" timestamp(3) without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL, "created_by" text, "updated_at" timestamp(3) without time zone NOT NULL)`,
  `CREATE TABLE "LiteLLM_ProxyModelTable" ("model_id" text PRIMARY KEY, "model_name" text NOT NULL, "litellm_params" jsonb NOT NULL, "model_info" jsonb, ${AUDIT})`,
  `CREATE TABLE "LiteLLM_CredentialsTable" ("credential_id" text PRIMARY KEY, "credential_name" text NOT NULL UNIQUE, "credential_values" jsonb NOT NULL, "credential_info" jsonb, ${AUDIT})`,
  `CREATE TABLE "LiteLLM_Config" ("param_name" text PRIMARY KEY, "param_value" jsonb)`,
  `CREATE TABLE "LiteLLM_SpendLogs" ("request_id" text PRIMARY KEY, "call_type" text NOT NULL, "api_key" text DEFAULT '' NOT NULL, ${SPEND}, "total_tokens" integer DEFAULT 0 NOT NULL, "prompt_tokens" integer DEFAULT 0 NOT NULL, "completion_tokens" integer DEFAULT 0 NOT NULL, "startTime" timestamp(3) without time zone NOT NULL, "endTime" timestamp(3) without time zone NOT NULL, "completionStartTime" timestamp(3) without time zone, "model" text DEFAULT '' NOT NULL, "model_id" text DEFAULT '', "model_group" text DEFAULT '', "custom_llm_provider" text DEFAULT '', "api_base" text DEFAULT '', "user" text DEFAULT '', "metadata" jsonb DEFAULT '{}', "cache_hit" text DEFAULT '', "request_tags" jsonb DEFAULT '[]', "team_id" text, "organization_id" text, "end_user" text, "messages" jsonb DEFAULT '{}', "response" jsonb DEFAULT '{}', "status" text)`,
] as const;

/** Keys and texts that must never be seen outside of the two databases. */
export const SALT_KEY = 'bGl0ZWxsbS1zYWx0LWtleS1vZi10aGUtdGVzdHMhISE=';
export const MASTER_KEY = 'sk-litellm-master-key-of-the-tests';
export const CANARIES = [
  'sk-canary-provider-7f3a',
  'sk-canary-credential-91bc',
  'canary-password-55',
  SALT_KEY,
  MASTER_KEY,
];
/** A virtual key that LiteLLM issued. */
export const VIRTUAL_KEY = 'sk-AbCdEfGhIjKlMnOpQrStUv';

const hashOf = (key: string): string => new Bun.CryptoHasher('sha256').update(key).digest('hex');
export const KEY_HASH = hashOf(VIRTUAL_KEY);

/** Creates the tables and fills them as a running LiteLLM would have. */
export async function fillLitellm(url: string): Promise<void> {
  const sql = new SQL(url, { max: 1 });
  try {
    for (const statement of LITELLM_DDL) await sql.unsafe(statement);
    for (const statement of rows()) await sql.unsafe(statement);
  } finally {
    await sql.close();
  }
}

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;
const json = (value: unknown): string => `${text(JSON.stringify(value))}::jsonb`;
const secret = (value: string): string => encryptAsLitellm(value, SALT_KEY);

function rows(): readonly string[] {
  return [
    `INSERT INTO "LiteLLM_BudgetTable" ("budget_id", "max_budget", "soft_budget", "budget_duration", "budget_reset_at", "tpm_limit") VALUES
      ('budget-org', 1000, 800.5, '30d', '2100-01-01 00:00:00', 100000), ('budget-customer', 1.5, NULL, NULL, NULL, NULL)`,
    `INSERT INTO "LiteLLM_OrganizationTable" ("organization_id", "organization_alias", "budget_id", "models", "spend") VALUES ('org-1', 'Acme', 'budget-org', '{gpt-4o,"openai/*"}', 17.25)`,
    `INSERT INTO "LiteLLM_ModelTable" ("aliases") VALUES (${json({ fast: 'gpt-4o-mini' })})`,
    `INSERT INTO "LiteLLM_TeamTable" ("team_id", "team_alias", "organization_id", "members_with_roles", "spend", "models", "max_budget", "budget_duration", "budget_reset_at", "model_id", "metadata", "admins", "members") VALUES
      ('team-1', 'Platform "core", Zürich', 'org-1', ${json([{ role: 'admin', user_id: 'user-1', user_email: null }])}, 12.345678901, '{}', 100, '7d', '2100-01-04 00:00:00', 1, ${json({ note: "line one\nline two\t\\ 'quoted'" })}, '{}', '{}')`,
    `INSERT INTO "LiteLLM_UserTable" ("user_id", "user_email", "user_role", "password", "teams", "spend", "models") VALUES
      ('user-1', 'ada@example.com', 'internal_user', 'canary-password-55', '{team-1}', 3.3, '{}'),
      ('user-2', 'ada@example.com', 'proxy_admin', NULL, '{}', 0, '{no-default-models}')`,
    `INSERT INTO "LiteLLM_VerificationToken" ("token", "key_name", "key_alias", "spend", "expires", "models", "aliases", "user_id", "team_id", "metadata", "max_budget", "budget_duration", "budget_reset_at", "rpm_limit", "budget_fallbacks", "blocked") VALUES
      ('${KEY_HASH}', 'sk-...StUv', 'worker', 0.1, '2100-02-03 04:05:06.789', '{gpt-4o}', ${json({ best: 'gpt-4o' })}, 'user-1', 'team-1', ${json({ tags: ['nightly'] })}, 5, '1d', '2100-01-01 00:00:00', 60, NULL, NULL),
      ('${hashOf('sk-second')}', 'sk-...cond', 'worker', 1e-07, NULL, '{}', '{}', NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, true),
      ('${hashOf('sk-overdue')}', 'sk-...rdue', NULL, 4.5, NULL, '{}', '{}', NULL, NULL, '{}', 5, '1d', '2020-01-02 00:00:00', NULL, NULL, false),
      ('sk-kept-in-clear', NULL, NULL, 0, NULL, '{}', '{}', NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL),
      ('${hashOf(MASTER_KEY)}', NULL, NULL, 0, NULL, '{}', '{}', 'default_user_id', NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL),
      ('${hashOf('sk-dashboard')}', 'sk-...oard', NULL, 0, NULL, '{}', '{}', 'user-1', 'litellm-dashboard', '{}', NULL, NULL, NULL, NULL, NULL, NULL)`,
    `INSERT INTO "LiteLLM_TeamMembership" ("user_id", "team_id", "spend", "budget_id") VALUES ('user-1', 'team-1', 2.125, 'budget-org')`,
    `INSERT INTO "LiteLLM_OrganizationMembership" ("user_id", "organization_id", "user_role", "spend") VALUES ('user-1', 'org-1', 'org_admin', NULL)`,
    `INSERT INTO "LiteLLM_EndUserTable" ("user_id", "spend", "allowed_model_region", "budget_id", "blocked") VALUES ('customer-1', 0.75, 'eu', 'budget-customer', true), ('customer-2', 1.5, NULL, 'budget-customer', false)`,
    `INSERT INTO "LiteLLM_TagTable" ("tag_name", "models", "spend", "budget_id", "updated_at") VALUES ('nightly', '{gpt-4o}', 0.5, 'budget-gone', now())`,
    `INSERT INTO "LiteLLM_ProxyModelTable" ("model_id", "model_name", "litellm_params", "model_info") VALUES
      ('model-1', 'gpt-4o', ${json({ model: secret('openai/gpt-4o'), api_key: secret('sk-canary-provider-7f3a'), rpm: 100, use_in_pass_through: false })}, ${json({ id: 'model-1', db_model: true })}),
      ('model-2', 'old', ${json({ model: encryptAsLitellm('openai/gpt-4', MASTER_KEY, 'base64'), api_key: 'os.environ/OPENAI_API_KEY' })}, NULL),
      ('model-3', 'lost', ${json({ model: encryptAsLitellm('openai/gpt-4', 'a salt key that nobody has'), api_key: encryptAsLitellm('x', 'a salt key that nobody has') })}, NULL)`,
    `INSERT INTO "LiteLLM_CredentialsTable" ("credential_id", "credential_name", "credential_values", "credential_info") VALUES ('credential-1', 'openai-prod', ${json({ api_key: secret('sk-canary-credential-91bc'), api_base: secret('https://example.com/v1') })}, ${json({ description: 'of the platform' })})`,
    `INSERT INTO "LiteLLM_Config" VALUES ('router_settings', ${json({ num_retries: 2 })})`,
    ...spendLogs(),
  ];
}

/** Two requests of the key in the present, one long ago, one that failed. */
function spendLogs(): readonly string[] {
  const metadata = json({
    user_api_key_alias: 'worker',
    usage_object: { prompt_tokens_details: { cached_tokens: 40 } },
  });
  const failed = json({ status: 'failure', error_information: { error_code: '429' } });
  const columns = `"request_id", "call_type", "api_key", "spend", "prompt_tokens", "completion_tokens", "startTime", "endTime", "model", "model_group", "custom_llm_provider", "user", "team_id", "end_user", "metadata", "request_tags", "status"`;
  const of = (id: string, spend: string, at: string, more: string) =>
    `INSERT INTO "LiteLLM_SpendLogs" (${columns}) VALUES ('${id}', 'acompletion', '${KEY_HASH}', ${spend}, 100, 20, ${at}, ${at}, 'gpt-4o', 'gpt-4o', 'openai', 'user-1', 'team-1', 'customer-1', ${more})`;
  return [
    of('chatcmpl-1', '0.025', 'now()', `${metadata}, '["nightly"]', 'success'`),
    of('chatcmpl-2', '0.05', 'now()', `${metadata}, '[]', NULL`),
    of('chatcmpl-3', '2', `timestamp '2025-01-05 10:00:00.123'`, `${metadata}, '[]', 'success'`),
    of('chatcmpl-4', '0', 'now()', `${failed}, '[]', 'failure'`),
  ];
}

/** The same database as `pg_dump --format=plain` writes it. */
export async function dumpLitellm(url: string): Promise<string> {
  const sql = new SQL(url, { max: 1 });
  const parts = ['--\n-- PostgreSQL database dump\n--\n\nSET standard_conforming_strings = on;\n'];
  try {
    for (const table of await namesIn(
      sql,
      `select tablename as name from pg_tables where schemaname = 'public' order by 1`,
    ))
      parts.push(await dumpTable(sql, table));
  } finally {
    await sql.close();
  }
  return `${parts.join('\n')}\n\n--\n-- PostgreSQL database dump complete\n--\n`;
}

async function dumpTable(sql: SQL, table: string): Promise<string> {
  const columns = await namesIn(
    sql,
    `select column_name as name from information_schema.columns where table_schema = 'public' and table_name = '${table}' order by ordinal_position`,
  );
  const list = columns.map((column) => (/^[a-z_]+$/.test(column) && column !== 'user' ? column : `"${column}"`));
  const selected = columns.map((column) => `"${column}"::text as "${column}"`).join(', ');
  const rows = (await sql.unsafe(`select ${selected} from "${table}"`)) as Record<string, string | null>[];
  const lines = rows.map((row) => `${columns.map((column) => copied(row[column] ?? null)).join('\t')}\n`);
  return `\nCOPY public."${table}" (${list.join(', ')}) FROM stdin;\n${lines.join('')}\\.\n`;
}

/** A value as `COPY` writes it. */
function copied(value: string | null): string {
  if (value === null) return '\\N';
  return value.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
}

async function namesIn(sql: SQL, query: string): Promise<readonly string[]> {
  return ((await sql.unsafe(query)) as { readonly name: string }[]).map(({ name }) => name);
}
