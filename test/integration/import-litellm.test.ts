import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SQL } from 'bun';
import { importDatabase } from '../../src/cli/import.ts';
import { epochMillis } from '../../src/core/units.ts';
import { openJson } from '../../src/secrets/sealed-json.ts';
import { SecretBox } from '../../src/secrets/secret-box.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import { MASTER_KEY as GATEWAY_KEY, startGateway, type TestGateway } from '../support/gateway.ts';
import {
  CANARIES,
  dumpLitellm,
  fillLitellm,
  KEY_HASH,
  MASTER_KEY,
  SALT_KEY,
  VIRTUAL_KEY,
} from '../support/litellm-database.ts';
import { type TestDatabase, testDatabase } from '../support/postgres/database.ts';
import { costs, DATABASES, ledgerEntry, nanoUsd, payer } from '../support/store.ts';

interface Report {
  readonly tables: readonly {
    readonly table: string;
    readonly read: number;
    readonly created: number;
    readonly present: number;
    readonly spend: string | null;
    readonly skipped: readonly { readonly row: string; readonly text: string }[];
    readonly notes: readonly { readonly row: string; readonly text: string }[];
  }[];
  readonly spend_logs: { readonly read: number; readonly written: number; readonly present: number } | null;
  readonly without_home: Readonly<Record<string, number>>;
}

let litellm: TestDatabase;
let folder: string;
let dump: string;

beforeAll(async () => {
  litellm = await testDatabase();
  await fillLitellm(litellm.url);
  folder = mkdtempSync(join(tmpdir(), 'tollgate-test-'));
  dump = join(folder, 'litellm.sql');
  writeFileSync(dump, await dumpLitellm(litellm.url));
});

afterAll(async () => {
  await litellm.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** Everything that a run of the command wrote. */
interface Run {
  readonly code: number;
  readonly out: string;
  readonly report: Report;
}

/** A target of its own, and `tollgate import` into it. */
class Target {
  readonly #database: TestDatabase | null;
  readonly #dataDir: string;

  private constructor(database: TestDatabase | null, dataDir: string) {
    this.#database = database;
    this.#dataDir = dataDir;
  }

  static async make(kind: (typeof DATABASES)[number]): Promise<Target> {
    const database = kind === 'postgres' ? await testDatabase() : null;
    return new Target(database, mkdtempSync(join(tmpdir(), 'tollgate-test-')));
  }

  async run(...flags: readonly string[]): Promise<Run> {
    let out = '';
    const io = {
      env: { LITELLM_SALT_KEY: SALT_KEY, LITELLM_MASTER_KEY: MASTER_KEY, DATABASE_URL: this.#database?.url ?? '' },
      readFile: (path: string) => readFileSync(path, 'utf8'),
      write: (text: string) => {
        out += text;
      },
      writeError: (text: string) => {
        out += text;
      },
    };
    const code = await importDatabase(['--data-dir', this.#dataDir, ...flags], io);
    return { code, out, report: flags.includes('--json') ? (JSON.parse(out) as Report) : NO_REPORT };
  }

  async with<T>(work: (store: Store) => Promise<T>): Promise<T> {
    const url = this.#database?.url;
    const store = await openStore({
      clock: systemClock,
      postgres: url === undefined ? null : { url },
      dataDir: this.#dataDir,
    });
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  }

  /** A gateway on this target, with the models of the database. */
  gateway(config: string): Promise<TestGateway> {
    const env = { DATABASE_URL: this.#database?.url ?? '', LITELLM_SALT_KEY: SALT_KEY, STORE_MODEL_IN_DB: 'True' };
    return startGateway(config, env, ['--data-dir', this.#dataDir]);
  }

  async remove(): Promise<void> {
    await this.#database?.drop();
    rmSync(this.#dataDir, { recursive: true, force: true });
  }
}

const NO_REPORT: Report = { tables: [], spend_logs: null, without_home: {} };
const box = new SecretBox(SALT_KEY);
const table = (report: Report, name: string) => report.tables.find((each) => each.table === `LiteLLM_${name}`);

/** Every row of every table as text, to compare runs and to search for secrets. */
const everything = (store: Store): Promise<string> =>
  Promise.all(
    Object.entries(store.read).map(async ([name, reader]) => {
      const { rows } = await (reader as Store['read']['users']).list({ limit: 1_000 });
      return JSON.stringify([name, rows], (_, value) => (typeof value === 'bigint' ? `${value}` : value));
    }),
  ).then((parts) => parts.join('\n'));

describe.each(DATABASES)('an import into %s', (kind) => {
  let target: Target;

  beforeAll(async () => {
    target = await Target.make(kind);
  });

  afterAll(() => target.remove());

  test('from the live database brings keys, tenants, budgets and spend over, to the nano-dollar', async () => {
    const { code, report } = await target.run('--from', litellm.url, '--json');
    expect(code).toBe(1); // rows were skipped, each with its reason
    expect(
      report.tables.map(({ table: name, read, created, skipped }) => [name, read, created, skipped.length]),
    ).toEqual([
      ['LiteLLM_BudgetTable', 2, 2, 0],
      ['LiteLLM_ObjectPermissionTable', 0, 0, 0],
      ['LiteLLM_OrganizationTable', 1, 1, 0],
      ['LiteLLM_TeamTable', 1, 1, 0],
      ['LiteLLM_UserTable', 2, 2, 0],
      ['LiteLLM_VerificationToken', 6, 3, 3],
      ['LiteLLM_TeamMembership', 1, 1, 0],
      ['LiteLLM_OrganizationMembership', 1, 1, 0],
      ['LiteLLM_EndUserTable', 2, 2, 0],
      ['LiteLLM_TagTable', 1, 1, 0],
      ['LiteLLM_CredentialsTable', 1, 1, 0],
      ['LiteLLM_ProxyModelTable', 3, 2, 1],
    ]);
    expect(report.without_home).toEqual({ LiteLLM_Config: 1 });
    await target.with(async ({ read, balance, verify }) => {
      expect(await read.keys.get(KEY_HASH)).toMatchObject({
        key_alias: 'worker',
        spend_nano: 100_000_000n,
        expires: new Date('2100-02-03T04:05:06.789Z'),
        models: ['gpt-4o'],
        aliases: { best: 'gpt-4o' },
        user_id: 'user-1',
        team_id: 'team-1',
        max_budget_nano: 5_000_000_000n,
        budget_duration: '1d',
        rpm_limit: 60,
        blocked: false,
        metadata: { tags: ['nightly'] },
      });
      expect(await read.teams.get('team-1')).toMatchObject({
        team_alias: 'Platform "core", Zürich',
        organization_id: 'org-1',
        spend_nano: 12_345_678_901n,
        model_aliases: { fast: 'gpt-4o-mini' },
        members_with_roles: [{ role: 'admin', user_id: 'user-1', user_email: null }],
        metadata: { note: "line one\nline two\t\\ 'quoted'" },
      });
      expect(await read.organizations.get('org-1')).toMatchObject({
        models: ['gpt-4o', 'openai/*'],
        budget_id: 'budget-org',
        spend_nano: 17_250_000_000n,
      });
      expect(await read.budgets.get('budget-org')).toMatchObject({
        soft_budget_nano: 800_500_000_000n,
        tpm_limit: 100_000,
      });
      expect(await read.customers.get('customer-1')).toMatchObject({ blocked: true, spend_nano: 750_000_000n });
      expect(await read.users.get('user-1')).toMatchObject({ user_email: 'ada@example.com', password: null });
      expect(await verify()).toEqual([]);
      expect(await balance({ type: 'team', id: ['team-1'] }, null)).toMatchObject({ spend: 12_345_678_901n });
      // What budgets of users are held against.
      expect(await balance({ type: 'user-alone', id: ['user-1'] }, null)).toMatchObject({ spend: 3_300_000_000n });
    });
  });

  test('counts spend in the running period, and not where LiteLLM’s reset was due', async () => {
    await target.with(async ({ read, balance }) => {
      const today = epochMillis(Math.floor(systemClock.wall() / 86_400_000) * 86_400_000);
      const key = await read.keys.get(KEY_HASH);
      expect(await balance({ type: 'key', id: [key?.key_id ?? ''] }, today)).toMatchObject({ spend: 100_000_000n });
      const overdue = (await read.keys.list({ limit: 10 })).rows.find(({ key_name }) => key_name === 'sk-...rdue');
      expect(overdue?.spend_nano).toBe(nanoUsd(4_500_000_000n));
      expect(await balance({ type: 'key', id: [overdue?.key_id ?? ''] }, today)).toMatchObject({ spend: 0n });
    });
  });

  test('says of every row that did not come, or not whole, why', async () => {
    const other = await Target.make(kind);
    const { report } = await other.run('--from', litellm.url, '--json');
    await other.remove();
    expect(table(report, 'VerificationToken')?.skipped).toEqual([
      { row: '(no name)', text: expect.stringContaining('not kept as a hash') },
      { row: expect.stringMatching(/^[0-9a-f]{8}…$/), text: expect.stringContaining("master key's own row") },
      { row: 'sk-...oard', text: expect.stringContaining('dashboard') },
    ]);
    expect(table(report, 'VerificationToken')?.notes).toEqual([
      { row: 'worker', text: "key_alias 'worker' belongs to another row as well and was left out here" },
    ]);
    expect(table(report, 'TagTable')?.notes[0]?.text).toContain('budget-gone');
    expect(table(report, 'UserTable')?.notes[0]?.text).toContain('ada@example.com');
    expect(table(report, 'ProxyModelTable')?.skipped).toEqual([
      { row: 'lost (model-3)', text: expect.stringContaining('LITELLM_SALT_KEY') },
    ]);
  });

  test('decrypts models and credentials with LiteLLM’s salt key or master key, and seals them with ours', async () => {
    await target.with(async ({ read }) => {
      const open = (row: { litellm_params: object } | null, id: string) =>
        openJson(box, (row?.litellm_params ?? {}) as never, `litellm_modeltable/${id}`); // an object, as it was sealed
      expect(open(await read.models.get('model-1'), 'model-1')).toEqual({
        kind: 'opened',
        value: { model: 'openai/gpt-4o', api_key: 'sk-canary-provider-7f3a', rpm: 100, use_in_pass_through: false },
      });
      expect(open(await read.models.get('model-2'), 'model-2')).toMatchObject({
        value: { model: 'openai/gpt-4', api_key: 'os.environ/OPENAI_API_KEY' },
      });
      const credential = await read.credentials.get('credential-1');
      expect(
        openJson(box, (credential?.credential_values ?? {}) as never, 'litellm_credentialstable/credential-1'),
      ).toMatchObject({
        value: { api_key: 'sk-canary-credential-91bc', api_base: 'https://example.com/v1' },
      });
    });
  });

  test('run again, from the dump, changes nothing', async () => {
    const before = await target.with(everything);
    const { report } = await target.run('--from', dump, '--json');
    expect(report.tables.every(({ created }) => created === 0)).toBe(true);
    expect(table(report, 'VerificationToken')?.present).toBe(3);
    expect(await target.with(everything)).toBe(before);
  });

  test('brings the spend logs too, without changing what anybody has spent', async () => {
    const first = await target.run('--from', litellm.url, '--spend-logs', '--json');
    expect(first.report.spend_logs).toMatchObject({ read: 4, written: 4, present: 0 });
    const second = await target.run('--from', dump, '--spend-logs', '--json');
    expect(second.report.spend_logs).toMatchObject({ read: 4, written: 0, present: 4 });
    await target.with(async ({ read, verify, balance }) => {
      const today = epochMillis(Math.floor(systemClock.wall() / 86_400_000) * 86_400_000);
      const key = await read.keys.get(KEY_HASH);
      expect(key?.spend_nano).toBe(nanoUsd(100_000_000n));
      expect(await balance({ type: 'key', id: [key?.key_id ?? ''] }, today)).toMatchObject({ spend: 100_000_000n });
      expect((await read.teams.get('team-1'))?.spend_nano).toBe(nanoUsd(12_345_678_901n));
      expect(await read.spendLogs.find({ request_id: 'chatcmpl-1' })).toMatchObject({
        spend_nano: 25_000_000n,
        prompt_tokens: 100,
        cache_read_input_tokens: 40,
        key_id: key?.key_id ?? '',
        request_tags: ['nightly'],
        status: 'success',
        call_type: 'chat-completions',
      });
      expect(await read.spendLogs.find({ request_id: 'chatcmpl-4' })).toMatchObject({
        status: 'failure',
        http_status: 429,
      });
      expect(await verify()).toEqual([]);
    });
  });

  test('after it a gateway takes LiteLLM’s keys, and knows its models', async () => {
    const gateway = await target.gateway(
      'model_list:\n  - model_name: gpt-4o\n    litellm_params: {model: openai/gpt-4o, mock_response: hello}\n',
    );
    const answer = await gateway.chat({ model: 'gpt-4o' }, { authorization: `Bearer ${VIRTUAL_KEY}` });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-litellm-key-spend')).toMatch(/^0\.1/);
    const spent = await gateway.chat(
      { model: 'gpt-4o', user: 'customer-2' },
      { authorization: `Bearer ${VIRTUAL_KEY}` },
    );
    // What LiteLLM counted is held against the budget: this customer has spent all of his.
    expect([spent.status, await spent.text()]).toEqual([429, expect.stringContaining('customer-2')]);
    const other = await gateway.chat({ model: 'gpt-4o' }, { authorization: 'Bearer sk-second' });
    expect(other.status).toBe(401); // blocked in LiteLLM
    const info = await fetch(`${gateway.url}/model/info?litellm_model_id=model-1`, {
      headers: { authorization: `Bearer ${GATEWAY_KEY}` },
    });
    const text = await info.text();
    expect(JSON.parse(text).data[0].model_info).toMatchObject({ db_model: true });
    expect(JSON.parse(text).data[0].model_info.disabled).toBeUndefined();
    await gateway.stop();
    for (const canary of CANARIES) expect(text + gateway.output()).not.toContain(canary);
  });

  test('into an empty target with the spend logs gives the same spend', async () => {
    const other = await Target.make(kind);
    await other.run('--from', dump, '--spend-logs', '--json');
    await other.with(async ({ read, verify, balance, ledger }) => {
      const key = await read.keys.get(KEY_HASH);
      expect(key?.spend_nano).toBe(nanoUsd(100_000_000n));
      const today = epochMillis(Math.floor(systemClock.wall() / 86_400_000) * 86_400_000);
      expect(await balance({ type: 'key', id: [key?.key_id ?? ''] }, today)).toMatchObject({ spend: 100_000_000n });
      // A request after the switch is added to it.
      const by = payer({ keyHash: KEY_HASH, keyId: key?.key_id ?? null });
      await ledger.write([ledgerEntry({ payer: by, cost: costs(7), startedAt: epochMillis(systemClock.wall()) })]);
      expect((await read.keys.get(KEY_HASH))?.spend_nano).toBe(nanoUsd(100_000_007));
      expect(await verify()).toEqual([]);
    });
    await other.remove();
  });

  test('shows no secret, in its report or in any table', async () => {
    const { out } = await target.run('--from', litellm.url, '--spend-logs');
    const all = out + (await target.with(everything));
    for (const canary of [...CANARIES, 'sk-kept-in-clear']) expect(all).not.toContain(canary);
    expect(out).toContain('LiteLLM_VerificationToken');
  });
});

describe('an import', () => {
  test('as a dry run says the same and opens no target', async () => {
    const target = await Target.make('sqlite');
    const { out, code } = await target.run('--from', dump, '--dry-run');
    expect(code).toBe(1);
    expect(out).toStartWith('Dry run: what would come over from');
    expect(out).toContain('belongs to another row as well');
    expect(out).not.toContain('created');
    expect(await target.with(({ read }) => read.keys.count())).toBe(0);
    await target.remove();
  });

  test('only reads the source: its transaction may not write', async () => {
    const before = await dumpLitellm(litellm.url);
    const target = await Target.make('sqlite');
    await target.run('--from', litellm.url, '--spend-logs');
    await target.remove();
    expect(await dumpLitellm(litellm.url)).toBe(before);
  });

  test('from what is no LiteLLM database, no dump, or nowhere says what to do and never a password', async () => {
    const target = await Target.make('sqlite');
    const empty = await testDatabase();
    writeFileSync(join(folder, 'other.sql'), 'CREATE TABLE x ();\n');
    const nowhere = 'postgresql://litellm:canary-password-55@127.0.0.1:1/litellm';
    for (const [from, words] of [
      [empty.url, '"LiteLLM_VerificationToken"'],
      [join(folder, 'other.sql'), 'pg_dump --format=plain'],
      [join(folder, 'missing.sql'), 'neither a file'],
      [nowhere, '127.0.0.1:1/litellm cannot be read'],
    ] as const) {
      const { code, out } = await target.run('--from', from);
      expect(code).toBe(1);
      expect(out).toContain(words);
      expect(out).not.toContain('canary-password-55');
    }
    expect((await target.run()).code).toBe(2);
    expect((await target.run('--form', 'x')).code).toBe(2);
    await empty.drop();
    await target.remove();
  });

  test('from a database with its tables in another schema finds them by ?schema=', async () => {
    const other = await testDatabase();
    await fillLitellm(other.url);
    const sql = new SQL(other.url, { max: 1 });
    await sql.unsafe('ALTER SCHEMA public RENAME TO litellm');
    await sql.close();
    const target = await Target.make('sqlite');
    const { report } = await target.run('--from', `${other.url}?schema=litellm`, '--json');
    expect(table(report, 'VerificationToken')?.created).toBe(3);
    await target.remove();
    await other.drop();
  });
});
