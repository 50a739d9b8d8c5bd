/**
 * How long does a page of the spend reports take with a million requests in the log? See bench/README.md.
 *
 * Exits 1 when an answer is no 200 or a page takes longer than it may at the median.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SQL } from 'bun';
import { openStore } from '../../src/store/store.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import { benchOf, type ControlBench, MASTER } from '../../test/support/control.ts';
import { testDatabase } from '../../test/support/postgres/database.ts';
import { startPostgres } from '../../test/support/postgres/server.ts';
import { generateRows, WORLD } from './spend-rows.ts';

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    /** How often each set of parameters is asked for. */
    rounds: { type: 'string', default: '5' },
    /** Measures a database that an earlier run has filled, as it is. */
    database: { type: 'string' },
    /** Only pages whose name holds this text. */
    pages: { type: 'string', default: '' },
    results: { type: 'string', default: join(import.meta.dir, '../results') },
  },
});

const rows = Number(flags.rows);
const rounds = Number(flags.rounds);
const GOAL_MS = 300;
const LONGEST_RUN_MS = rows > 2_000_000 ? 60 * 60_000 : 15 * 60_000;
/** What PostgreSQL is given when nobody sets it. */
const SETTINGS = ['shared_buffers=128MB', 'max_wal_size=4GB', 'autovacuum=off'];

const folder = mkdtempSync(join(tmpdir(), 'tollgate-spend-'));
const started = performance.now();
const say = (words: string) =>
  process.stderr.write(`${((performance.now() - started) / 1000).toFixed(0)} s  ${words}\n`);
const ends: (() => Promise<unknown>)[] = [];
setTimeout(() => void finish('the run took too long'), LONGEST_RUN_MS).unref();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void finish(signal));

interface Measured {
  readonly page: string;
  readonly sets: number;
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
  readonly worstSet: string;
  readonly bytes: number;
}

/** An empty database: on the server of `TEST_DATABASE_URL`, else on one of its own in a temporary folder. */
async function database(): Promise<{ readonly url: string; readonly version: string }> {
  if (flags.database !== undefined) return { url: flags.database, version: await versionOf(flags.database) };
  if (process.env.TEST_DATABASE_URL !== undefined) {
    const { url, drop } = await testDatabase();
    ends.unshift(drop);
    return { url, version: await versionOf(url) };
  }
  const server = await startPostgres(folder, 'fast', SETTINGS);
  ends.unshift(() => server.stop());
  return { url: server.url, version: await versionOf(server.url) };
}

async function ask(url: string, statement: string): Promise<Record<string, unknown>> {
  const sql = new SQL(url, { max: 1 });
  try {
    const [row] = await sql.unsafe(statement);
    return row;
  } finally {
    await sql.close();
  }
}

const versionOf = async (url: string): Promise<string> =>
  String((await ask(url, `SELECT current_setting('server_version') AS version`)).version);

async function sizesOf(url: string): Promise<Record<string, unknown>> {
  return ask(
    url,
    `SELECT pg_size_pretty(pg_database_size(current_database())) AS database,
      (SELECT count(*)::int FROM litellm_dailyuserspend) AS user_days,
      (SELECT count(*)::int FROM litellm_dailyenduserspend) AS customer_days,
      (SELECT count(*)::int FROM litellm_dailyglobalspend) AS global_days`,
  );
}

type Query = Readonly<Record<string, string | number>>;

/** A page and the sets of parameters with which it is asked for. */
interface Page {
  readonly name: string;
  readonly path: string;
  readonly method?: 'GET' | 'POST';
  readonly sets: readonly Query[];
}

function pages(): readonly Page[] {
  const at = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 19).replace('T', ' ');
  const dayAt = (days: number) => at(days).slice(0, 10);
  const ever = { start_date: at(WORLD.days + 1), end_date: at(0) };
  const month = { start_date: dayAt(30), end_date: dayAt(0) };
  const ranges = [{ start_date: dayAt(1), end_date: dayAt(0) }, { start_date: dayAt(7), end_date: dayAt(0) }, month];
  const key = (n: number) => new Bun.CryptoHasher('sha256').update(`key-${n}`).digest('hex');
  const deepest = Math.floor(rows / 100);
  const logs = (name: string, ...sets: Query[]): Page => ({
    name: `/spend/logs/v2 ${name}`,
    path: '/spend/logs/v2',
    sets: sets.map((set) => ({ ...ever, page_size: 100, ...set })),
  });
  return [
    logs('newest', {}, { start_date: at(1) }, { start_date: at(7) }, { start_date: at(30) }),
    logs('far in', { page: Math.floor(deepest / 2) }, { page: deepest }, { page: Math.floor(deepest / 10) }),
    logs(
      'a key',
      ...[0, 1, 50, 700, 1999].map((n) => ({ api_key: key(n) })),
      { api_key: key(0), page: 20 },
      { api_key: 'key-9' },
    ),
    logs('a user', { user_id: 'user-0' }, { user_id: 'user-499' }, { user_id: 'user-0', page: 30 }),
    logs('a team', { team_id: 'team-0' }, { team_id: 'team-49' }, { team_id: 'team-0', page: 100 }),
    logs('a customer', { end_user: 'customer-0' }, { end_user: 'customer-4999' }),
    logs('a model', { model: 'model-0' }, { model: 'model-11', page: 200 }, { model: 'none' }),
    logs('a deployment', { model_id: 'deployment-3' }, { model_id: 'none' }),
    logs(
      'failures',
      { status_filter: 'failure' },
      { status_filter: 'failure', page: 300 },
      { status_filter: 'success', page: 99 },
    ),
    logs('an error', { error_code: 429 }, { error_message: 'organization 77' }, { error_code: 500 }),
    logs('spend range', { min_spend: 0.05 }, { min_spend: 0.0899999 }, { max_spend: 0.0000001 }, { min_spend: 5 }),
    logs('an alias', { key_alias: 'alias-7' }, { key_alias: 'alias-1999' }, { key_alias: 'none' }),
    logs(
      'key and customer',
      { api_key: key(3), end_user: 'customer-1' },
      { team_id: 'team-1', end_user: 'customer-2' },
    ),
    logs(
      'by spend',
      { sort_by: 'spend' },
      { sort_by: 'spend', start_date: at(7) },
      { sort_by: 'spend', user_id: 'user-3' },
    ),
    logs('by tokens', { sort_by: 'total_tokens', start_date: at(1) }, { sort_by: 'total_tokens', start_date: at(7) }),
    {
      name: '/spend/logs one request',
      path: '/spend/logs',
      sets: [1, 2, 3].map((n) => ({ request_id: md5(`r${n}`) })),
    },
    {
      name: '/spend/logs newest thousand',
      path: '/spend/logs',
      sets: [{}, { user_id: 'user-9' }, { api_key: key(4) }],
    },
    {
      name: '/spend/logs by day',
      path: '/spend/logs',
      sets: [...ranges, { ...month, user_id: 'user-1' }, { ...month, api_key: key(2) }],
    },
    {
      name: '/spend/logs/session/ui',
      path: '/spend/logs/session/ui',
      sets: [{ session_id: 'session-77' }, { session_id: 'x' }],
    },
    { name: '/spend/keys', path: '/spend/keys', sets: [{}, { limit: 100 }] },
    { name: '/spend/users', path: '/spend/users', sets: [{}, { user_id: 'user-7' }] },
    { name: '/spend/tags', path: '/spend/tags', sets: [{}, month] },
    ...['/global/spend', '/global/spend/teams', '/global/spend/all_tag_names', '/global/all_end_users'].map((path) => ({
      name: path,
      path,
      sets: [{}],
    })),
    { name: '/global/spend/logs', path: '/global/spend/logs', sets: [{}, { api_key: key(1) }] },
    { name: '/global/spend/keys', path: '/global/spend/keys', sets: [{}, { limit: 1000 }] },
    { name: '/global/spend/models', path: '/global/spend/models', sets: [{}] },
    { name: '/global/spend/tags', path: '/global/spend/tags', sets: [month, { ...month, tags: 'tag-1,tag-2' }] },
    { name: '/global/spend/provider', path: '/global/spend/provider', sets: ranges },
    {
      name: '/global/spend/end_users',
      path: '/global/spend/end_users',
      method: 'POST',
      sets: [{}, { api_key: key(5) }],
    },
    { name: '/global/spend/report team', path: '/global/spend/report', sets: ranges },
    {
      name: '/global/spend/report customer',
      path: '/global/spend/report',
      sets: ranges.map((set) => ({ ...set, group_by: 'customer' })),
    },
    {
      name: '/global/spend/report api_key',
      path: '/global/spend/report',
      sets: ranges.map((set) => ({ ...set, group_by: 'api_key' })),
    },
    {
      name: '/global/activity',
      path: '/global/activity',
      sets: [...ranges, { start_date: dayAt(90), end_date: dayAt(0) }],
    },
    { name: '/global/activity/model', path: '/global/activity/model', sets: ranges },
    ...['/global/activity/exceptions', '/global/activity/exceptions/deployment'].map((path) => ({
      name: path,
      path,
      sets: ranges.map((set) => ({ ...set, model_group: 'group-2' })),
    })),
    { name: '/global/activity/cache_hits', path: '/global/activity/cache_hits', sets: ranges },
    ...['user', 'team', 'tag', 'customer'].map((subject) => ({
      name: `/${subject}/daily/activity`,
      path: `/${subject}/daily/activity`,
      sets: [
        ...ranges,
        { ...month, page_size: 1000 },
        { ...month, page: 1000 },
        { ...month, page_size: 1000, page: 20 },
      ],
    })),
    ...['user', 'team', 'tag', 'customer'].map((subject) => ({
      name: `/${subject}/daily/activity/aggregated`,
      path: `/${subject}/daily/activity/aggregated`,
      sets: [...ranges, { ...month, api_key: key(0) }],
    })),
    {
      name: '/user/daily/activity/aggregated of one',
      path: '/user/daily/activity/aggregated',
      sets: [{ ...month, user_id: 'user-0' }],
    },
  ];
}

const md5 = (text: string): string => new Bun.CryptoHasher('md5').update(text).digest('hex');

async function measure(bench: ControlBench): Promise<readonly Measured[]> {
  const measured: Measured[] = [];
  for (const page of pages().filter(({ name }) => name.includes(flags.pages))) {
    const taken: { readonly took: number; readonly set: Query; readonly bytes: number }[] = [];
    // The first round finds nothing in memory; it counts like the others.
    for (let round = 0; round < rounds; round += 1)
      for (const set of page.sets) taken.push(await askOnce(bench, page, set));
    const sorted = taken.toSorted((a, b) => a.took - b.took);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
    measured.push({
      page: page.name,
      sets: page.sets.length,
      p50: at(0.5)?.took ?? 0,
      p99: at(0.99)?.took ?? 0,
      worst: sorted.at(-1)?.took ?? 0,
      worstSet: JSON.stringify(sorted.at(-1)?.set),
      bytes: Math.max(...taken.map(({ bytes }) => bytes)),
    });
    say(line(measured.at(-1) as Measured)); // just pushed
  }
  return measured;
}

async function askOnce({ url }: ControlBench, { path, method = 'GET' }: Page, set: Query) {
  const isGet = method === 'GET';
  const query = new URLSearchParams(
    Object.fromEntries(Object.entries(set).map(([name, value]) => [name, String(value)])),
  );
  const begun = performance.now();
  const response = await fetch(`${url}${path}${isGet ? `?${query}` : ''}`, {
    method,
    headers: { authorization: `Bearer ${MASTER}`, 'content-type': 'application/json' },
    ...(!isGet && { body: JSON.stringify(set) }),
  });
  const text = await response.text();
  if (response.status !== 200)
    throw new Error(`${path} ${JSON.stringify(set)} gave ${response.status}: ${text.slice(0, 300)}`);
  return { took: performance.now() - begun, set, bytes: text.length };
}

const milliseconds = (value: number): string => value.toFixed(1);
const line = ({ page, sets, p50, p99, worst, bytes, worstSet }: Measured): string =>
  `| ${page} | ${sets} | ${milliseconds(p50)} | ${milliseconds(p99)} | ${milliseconds(worst)} | ${(bytes / 1000).toFixed(0)} | ${p99 > GOAL_MS ? worstSet : ''} |`;

function write({
  measured,
  sizes,
  version,
}: {
  readonly measured: readonly Measured[];
  readonly sizes: object;
  readonly version: string;
}): void {
  const machine = `${cpus().length} × ${cpus()[0]?.model}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${release()}`;
  const commit = Bun.spawnSync(['git', 'rev-parse', '--short', 'HEAD'], { cwd: import.meta.dir })
    .stdout.toString()
    .trim();
  const command = `bun bench/e2e/spend-pages.ts ${process.argv.slice(2).join(' ')}`.trim();
  const facts = {
    rows,
    rounds,
    command,
    commit,
    machine,
    load: loadavg(),
    bun: Bun.version,
    postgres: version,
    settings: SETTINGS,
    sizes,
  };
  const name = join(flags.results, `${new Date().toISOString().slice(0, 10)}-spend-pages-${rows}`);
  mkdirSync(flags.results, { recursive: true });
  writeFileSync(`${name}.json`, `${JSON.stringify({ ...facts, measured }, null, 2)}\n`);
  writeFileSync(`${name}.md`, `${markdown(facts, measured)}\n`);
}

function markdown(facts: Readonly<Record<string, unknown>>, measured: readonly Measured[]): string {
  const about = Object.entries(facts).map(
    ([name, value]) => `- ${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return [
    `# Pages of spend with ${rows.toLocaleString('en')} requests in the log`,
    '',
    ...about,
    '',
    'Milliseconds from the request to the last byte, through the HTTP endpoint; client and gateway share the two cores with the database.',
    'kB is the largest answer. The last column names the parameters of the slowest request where p99 is over the goal of 300 ms.',
    '',
    '| page | sets | p50 | p99 | worst | kB | slowest |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...measured.map(line),
  ].join('\n');
}

async function finish(fault: string | null): Promise<never> {
  for (const end of ends.toReversed()) await end().catch((error) => say(String(error)));
  rmSync(folder, { recursive: true, force: true });
  if (fault !== null) say(fault);
  process.exit(fault === null ? 0 : 1);
}

try {
  const { url, version } = await database();
  const store = await openStore({ clock: systemClock, postgres: { url }, dataDir: '' });
  if (flags.database === undefined) await generateRows(store, url, rows, say);
  const bench = benchOf({ store, another: () => Promise.resolve(store), remove: () => store.close() });
  ends.push(() => bench.stop());
  const measured = await measure(bench);
  const sizes = await sizesOf(url);
  write({ measured, sizes, version });
  await finish(measured.some(({ p50 }) => p50 > GOAL_MS) ? 'some page is slower than it may be' : null);
} catch (error) {
  await finish(String(error instanceof Error ? error.stack : error));
}
