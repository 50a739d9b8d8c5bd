import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { hash } from 'node:crypto';
import { deploymentId, groupName, providerId, requestId } from '../../src/core/ids.ts';
import type { LedgerEntry } from '../../src/core/ledger-entry.ts';
import { epochMillis, millis } from '../../src/core/units.ts';
import { NO_USAGE } from '../../src/core/usage.ts';
import { type Asking, type ControlBench, startControl } from '../support/control.ts';
import { costs, DATABASES, ledgerEntry, nanoUsd, OPERATOR, payer } from '../support/store.ts';

/*
 * Every report against sums that are made here, from the entries themselves, one by one.
 */

const DAY = 86_400_000;
const ENTRIES = 500;

const hashed = (key: string): string => hash('sha256', key);

/** The same numbers in every run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Entries of the last month, and some that are older; none within hours of the edge between the two. */
function randomEntries(count: number, seed: number, now: number): LedgerEntry[] {
  const random = randomFrom(seed);
  const oneOf = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T; // never empty
  return Array.from({ length: count }, (_, index) => {
    const age = random() < 0.15 ? 33 + random() * 20 : random() * 28;
    const model = oneOf(['gpt-a', 'gpt-b', 'claude-c']);
    const end = oneOf(['success', 'success', 'success', 'failure', 'client-gone'] as const);
    const who = oneOf([
      payer({ keyHash: hashed('sk-ann-1'), keyId: 'ann-1', keyAlias: 'ann one', userId: 'ann' }),
      payer({ keyHash: hashed('sk-ann-2'), keyId: 'ann-2', keyAlias: 'ann two', userId: 'ann', teamId: 'blue' }),
      payer({ keyHash: hashed('sk-bob'), keyId: 'bob', userId: 'bob', teamId: 'blue', organizationId: 'org' }),
      payer({ keyHash: hashed('sk-lost'), keyId: 'lost', teamId: 'red' }),
      payer({ keyHash: 'master' }),
    ]);
    const cost = oneOf(['known', 'known', 'known', 'unknown', 'none'] as const);
    return ledgerEntry({
      requestId: requestId(`r-${seed}-${index}`),
      payer: { ...who, customerId: oneOf([null, 'customer-1', 'customer-2']) },
      startedAt: epochMillis(Math.floor(now - age * DAY)),
      duration: millis(Math.floor(random() * 5000)),
      model: end === 'failure' ? null : model,
      requestedModel: model,
      group: end === 'failure' ? null : groupName(oneOf(['fast', 'good'])),
      deployment: end === 'failure' ? null : deploymentId(oneOf(['d1', 'd2'])),
      provider: end === 'failure' ? null : providerId(oneOf(['openai', 'anthropic'])),
      end,
      status: end === 'failure' ? oneOf([429, 500]) : 200,
      failure:
        end === 'failure'
          ? { kind: 'upstream-rate-limited', status: oneOf([429, 500]), message: oneOf(['Too many', 'It broke']) }
          : null,
      session: oneOf([null, null, 'session-1']),
      usage: { ...NO_USAGE, input: Math.floor(random() * 1000), output: Math.floor(random() * 200), cacheRead: 7 },
      cost:
        cost === 'none'
          ? null
          : cost === 'known'
            ? costs(BigInt(Math.floor(random() * 1e9)) + 1n)
            : { kind: 'unknown', assumed: nanoUsd(5n) },
      tags: oneOf([[], ['prod'], ['prod', 'batch'], ['batch', 'batch']]),
      apiBase: oneOf(['https://one.example/v1', 'https://two.example/v1', null]),
    });
  });
}

const nanoOf = ({ cost }: LedgerEntry): bigint => (cost?.kind === 'known' ? cost.total : 0n);
/** Below 2⁵³ nano-dollars the division gives the nearest double. */
const spendOf = (entries: readonly LedgerEntry[]): number =>
  Number(entries.reduce((sum, entry) => sum + nanoOf(entry), 0n)) / 1e9;
const unpricedIn = (entries: readonly LedgerEntry[]): number =>
  entries.filter(({ cost }) => cost?.kind === 'unknown').length;
const tokensIn = (entries: readonly LedgerEntry[]): number =>
  entries.reduce((sum, { usage }) => sum + (usage?.input ?? 0) + (usage?.output ?? 0), 0);
const dayOf = ({ startedAt }: LedgerEntry): string => new Date(startedAt).toISOString().slice(0, 10);
const modelOf = ({ model, requestedModel }: LedgerEntry): string => model ?? requestedModel;
const byNewest = (a: LedgerEntry, b: LedgerEntry): number =>
  b.startedAt - a.startedAt || (a.requestId < b.requestId ? 1 : -1);
const idsOf = (entries: readonly LedgerEntry[]): string[] => entries.map((entry) => entry.requestId);

/** Sums of entries by some name; entries with none are left out. */
function grouped(entries: readonly LedgerEntry[], nameOf: (entry: LedgerEntry) => string | null) {
  const groups = Map.groupBy(entries, nameOf);
  groups.delete(null);
  return Object.fromEntries([...groups].map(([name, some]) => [String(name), spendOf(some)]));
}

/** What LiteLLM calls metrics, summed here. */
const metricsOf = (entries: readonly LedgerEntry[]) => ({
  spend: spendOf(entries),
  prompt_tokens: entries.reduce((sum, { usage }) => sum + (usage?.input ?? 0), 0),
  completion_tokens: entries.reduce((sum, { usage }) => sum + (usage?.output ?? 0), 0),
  cache_read_input_tokens: entries.length * 7,
  cache_creation_input_tokens: 0,
  total_tokens: tokensIn(entries),
  successful_requests: entries.filter(({ end }) => end === 'success').length,
  failed_requests: entries.filter(({ end }) => end !== 'success').length,
  api_requests: entries.length,
  unpriced_requests: unpricedIn(entries),
});

// biome-ignore lint/suspicious/noExplicitAny: rows of answers of every shape
type Row = any;

/** Whether days were added up when the reports are read: none, all, or only those without entries that came later. */
const ROLL_UPS = ['no day rolled up', 'all days rolled up', 'some days rolled up'] as const;
const WORLDS = DATABASES.flatMap((kind) => ROLL_UPS.map((rollUps) => [kind, rollUps] as const));

describe.each(WORLDS)('spend reports on %s with %s', (kind, rollUps) => {
  let bench: ControlBench;
  const now = Date.now();
  const entries = randomEntries(ENTRIES, 1, now);
  const recent = entries.filter(({ startedAt }) => startedAt > now - 31 * DAY);
  const stamp = (moment: number) => new Date(moment).toISOString().slice(0, 19).replace('T', ' ');
  const ever = { start_date: stamp(now - 60 * DAY), end_date: stamp(now + DAY) };
  const days = { start_date: ever.start_date.slice(0, 10), end_date: stamp(now).slice(0, 10) };

  beforeAll(async () => {
    bench = await startControl(kind);
    await bench.store.change(OPERATOR, async (writers) => {
      await writers.organizations.create({ organization_id: 'org', organization_alias: 'Org' });
      for (const [user_id, user_role] of [
        ['ann', 'internal_user'],
        ['bob', 'internal_user_viewer'],
        ['chief', 'internal_user'],
        ['auditor', 'proxy_admin_viewer'],
      ] as const)
        await writers.users.create({ user_id, user_role });
      await writers.teams.create({
        team_id: 'blue',
        team_alias: 'Blue',
        members_with_roles: [
          { user_id: 'chief', role: 'admin' },
          { user_id: 'ann', role: 'user' },
        ],
      });
      await writers.teams.create({ team_id: 'red' });
      for (const user_id of ['ann', 'bob', 'chief']) await writers.teamMemberships.create({ user_id, team_id: 'blue' });
      for (const [key, key_id, key_alias, user_id, team_id] of [
        ['sk-ann-1', 'ann-1', 'ann one', 'ann', null],
        ['sk-ann-2', 'ann-2', 'ann two', 'ann', 'blue'],
        ['sk-bob', 'bob', null, 'bob', 'blue'],
        ['sk-chief', 'chief', null, 'chief', null],
        ['sk-auditor', 'auditor', null, 'auditor', null],
        ['sk-nobody', 'nobody', null, null, null],
        ['sk-lost', 'lost', null, null, null],
      ] as const)
        await writers.keys.create({ token: hashed(key), key_id, key_alias, user_id, team_id });
    });
    const { ledger } = bench.store;
    for (let at = 0; at < ENTRIES; at += 100) {
      await ledger.write(entries.slice(at, at + 100));
      if (rollUps !== ROLL_UPS[0] && at < ENTRIES - 100) expect(await bench.store.rollUp()).not.toEqual([]);
    }
    if (rollUps === ROLL_UPS[1]) expect(await bench.store.rollUp()).not.toEqual([]);
  });

  afterAll(() => bench.stop());

  const get = async (path: string, query: Record<string, string | number> = {}, more: Asking = {}): Promise<Row> => {
    const words = Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]));
    const answer = await bench.get(path, words, more);
    if (answer.status !== 200) throw new Error(`${path} gave ${answer.status}: ${answer.text}`);
    return answer.body;
  };
  const as = (key: string): Asking => ({ key });

  describe('the log', () => {
    const FILTERS: readonly (readonly [Record<string, string | number>, (entry: LedgerEntry) => boolean])[] = [
      [{}, () => true],
      [{ api_key: 'sk-bob' }, ({ payer }) => payer.keyHash === hashed('sk-bob')],
      [
        { api_key: hashed('sk-bob'), model: 'gpt-a' },
        (entry) => entry.payer.keyId === 'bob' && modelOf(entry) === 'gpt-a',
      ],
      [{ api_key: 'bob' }, ({ payer }) => payer.keyId === 'bob'],
      [{ user_id: 'ann' }, ({ payer }) => payer.userId === 'ann'],
      [{ team_id: 'blue', status_filter: 'failure' }, ({ payer, end }) => payer.teamId === 'blue' && end !== 'success'],
      [
        { status_filter: 'success', model: 'claude-c' },
        (entry) => entry.end === 'success' && modelOf(entry) === 'claude-c',
      ],
      [{ end_user: 'customer-1' }, ({ payer }) => payer.customerId === 'customer-1'],
      [
        { end_user: 'customer-1', team_id: 'blue' },
        ({ payer }) => payer.customerId === 'customer-1' && payer.teamId === 'blue',
      ],
      [{ model_id: 'd1' }, ({ deployment }) => deployment === 'd1'],
      [
        { min_spend: 0.3, max_spend: 0.6 },
        (entry) => entry.cost?.kind === 'known' && nanoOf(entry) >= 300_000_000n && nanoOf(entry) <= 600_000_000n,
      ],
      [{ error_code: 429 }, ({ failure }) => failure?.status === 429],
      [{ error_message: 'too MANY' }, ({ failure }) => failure?.message === 'Too many'],
      [{ key_alias: 'ann' }, ({ payer }) => payer.userId === 'ann'],
      [
        { start_date: stamp(now - 9.3 * DAY), end_date: stamp(now - 2.7 * DAY) },
        ({ startedAt }) => inside(startedAt, 9.3, 2.7),
      ],
      [
        { start_date: days.start_date, end_date: stamp(now - 5 * DAY).slice(0, 10), user_id: 'bob' },
        (entry) => entry.payer.userId === 'bob' && dayOf(entry) <= stamp(now - 5 * DAY).slice(0, 10),
      ],
    ];
    const inside = (moment: number, from: number, until: number): boolean =>
      stamp(moment) >= stamp(now - from * DAY) && stamp(moment) <= stamp(now - until * DAY);

    test.each(FILTERS)('pages by number show each row once, newest first, and count them: %j', async (filter, fits) => {
      const expected = idsOf(entries.filter(fits).toSorted(byNewest));
      const listed: string[] = [];
      for (let page = 1; ; page += 1) {
        const body = await get('/spend/logs/v2', { ...ever, page_size: 37, ...filter, page });
        expect(body).toMatchObject({ total: expected.length, page, page_size: 37, total_is_exact: true });
        expect(body.total_pages).toBe(Math.ceil(expected.length / 37));
        listed.push(...body.data.map((row: Row) => row.request_id));
        if (page >= body.total_pages) break;
      }
      expect(listed).toEqual(expected);
    });

    test.each(FILTERS)('pages by cursor show the same, oldest first too: %j', async (filter, fits) => {
      const expected = idsOf(entries.filter(fits).toSorted(byNewest)).reverse();
      const listed: string[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const more: Record<string, string> = cursor === '' ? {} : { cursor };
        const body = await get('/spend/logs/ui', { ...ever, page_size: 41, sort_order: 'asc', ...filter, ...more });
        listed.push(...body.data.map((row: Row) => row.request_id));
        cursor = body.next_cursor;
      }
      expect(listed).toEqual(expected);
    });

    test('sorted by spend, the dearest come first and those of unknown cost last', async () => {
      const amounts: (number | null)[] = [];
      for (let page = 1; page <= 5; page += 1) {
        const body = await get('/spend/logs/v2', { ...ever, sort_by: 'spend', page, page_size: 100 });
        amounts.push(...body.data.map((row: Row) => row.spend));
      }
      const expected = entries.map((entry) => (entry.cost?.kind === 'unknown' ? null : Number(nanoOf(entry)) / 1e9));
      expect(amounts).toEqual(expected.toSorted((a, b) => (b ?? -1) - (a ?? -1)));
    });

    test('who follows the cursor sees each row once while others arrive', async () => {
      const marked = randomEntries(60, 77, now).map((entry) => ({
        ...entry,
        tags: [],
        payer: payer({ keyHash: 'arriving' }),
      }));
      await bench.store.ledger.write(marked.slice(0, 30));
      const listed: string[] = [];
      let late = 30;
      for (let cursor: string | null = ''; cursor !== null; ) {
        const more: Record<string, string> = cursor === '' ? {} : { cursor };
        const body = await get('/spend/logs/v2', { ...ever, api_key: 'arriving', page_size: 4, ...more });
        listed.push(...body.data.map((row: Row) => row.request_id));
        cursor = body.next_cursor;
        // Newer than all, so none of them may push a row onto the next page.
        const arrives = marked.slice(late, late + 3).map((entry) => ({ ...entry, startedAt: epochMillis(now + late) }));
        await bench.store.ledger.write(arrives);
        late += 3;
      }
      expect(listed).toEqual(idsOf(marked.slice(0, 30).toSorted(byNewest)));
      entries.push(...(await written('arriving')));
    });

    /** Entries of a test of its own stay in the sums of all. */
    async function written(key: string): Promise<LedgerEntry[]> {
      const { rows } = await bench.store.read.spendLogs.list({ where: { api_key: key }, limit: 1000 });
      const made = randomEntries(60, 77, now);
      return rows.map((row) => {
        const entry = made.find((each) => each.requestId === row.request_id) as LedgerEntry; // just written
        return { ...entry, tags: [], payer: payer({ keyHash: key }), startedAt: epochMillis(row.startTime.getTime()) };
      });
    }

    test('a row holds what people ask for, money to the nano, and no body', async () => {
      const entry = entries.find(({ failure, session }) => failure !== null && session !== null) as LedgerEntry; // one in nine
      const [row] = await get('/spend/logs', { request_id: entry.requestId });
      expect(row).toMatchObject({
        request_id: entry.requestId,
        requester_ip_address: '192.0.2.17',
        session_id: 'session-1',
        api_base: entry.apiBase,
        cache_hit: 'False',
        error_code: String(entry.failure?.status),
        error_class: 'RateLimitError',
        status: 'failure',
        model: entry.requestedModel,
        metadata: {
          error_information: { error_code: String(entry.failure?.status), error_message: entry.failure?.message },
        },
      });
      expect(Object.keys(row).filter((name) => name.endsWith('_nano'))).toEqual([]);
    });

    test('an unknown cost is null in a row, and counted beside every sum', async () => {
      const entry = entries.find(({ cost }) => cost?.kind === 'unknown') as LedgerEntry; // one in five
      const [row] = await get('/spend/logs', { request_id: entry.requestId });
      expect([row.spend, row.cost_status]).toEqual([null, 'unknown']);
    });

    test('one request is found by its own id and by the label that its client gave it', async () => {
      const [entry] = entries as [LedgerEntry];
      expect(await get(`/spend/logs/ui/${entry.requestId}`)).toMatchObject({ request_id: entry.requestId });
      expect(await get('/spend/logs', { request_id: entry.callId })).toMatchObject([{ request_id: entry.requestId }]);
      expect(await get('/spend/logs', { request_id: 'none' })).toEqual([]);
      expect((await bench.get('/spend/logs/ui/none')).status).toBe(404);
    });

    test('the requests of a session come oldest first', async () => {
      const rows = await get('/spend/logs/session/ui', { session_id: 'session-1' });
      const expected = entries
        .filter(({ session }) => session === 'session-1')
        .toSorted(byNewest)
        .reverse();
      expect(rows.map((row: Row) => row.request_id)).toEqual(idsOf(expected));
    });

    test('without pages it gives the newest rows of a key or a user', async () => {
      const ofUser = await get('/spend/logs', { user_id: 'ann' });
      const expected = idsOf(entries.filter(({ payer }) => payer.userId === 'ann').toSorted(byNewest));
      expect(ofUser.map((row: Row) => row.request_id)).toEqual(expected);
      const ofKey = await get('/spend/logs', { api_key: 'sk-bob', ...days, summarize: 'false' });
      expect(ofKey).toHaveLength(entries.filter(({ payer }) => payer.keyId === 'bob').length);
    });

    test.each([{}, { user_id: 'ann' }, { api_key: 'sk-bob' }] as const)(
      'summed up by day for %j it is what the rows add up to',
      async (filter) => {
        const body = await get('/spend/logs', { ...days, ...filter });
        const meant = entries.filter(
          ({ payer }) =>
            (!('user_id' in filter) || payer.userId === filter.user_id) &&
            (!('api_key' in filter) || payer.keyHash === hashed('sk-bob')),
        );
        const expected = [...Map.groupBy(meant, dayOf)]
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([startTime, some]) => ({
            ...grouped(some, ({ payer }) => payer.keyHash),
            startTime,
            spend: spendOf(some),
            users: grouped(some, ({ payer }) => payer.userId ?? ''),
            models: grouped(some, modelOf),
            unpriced_requests: unpricedIn(some),
          }));
        expect(body.slice(0, expected.length)).toEqual(expected);
        for (const day of body.slice(expected.length)) expect(day).toMatchObject({ spend: 0, users: {}, models: {} });
        expect(body.at(-1).startTime).toBe(days.end_date);
      },
    );
  });

  describe('sums of everybody', () => {
    const all = () => entries.filter(({ startedAt }) => startedAt > now - 31 * DAY);

    test('the last thirty days cost what their rows cost', async () => {
      expect(await get('/global/spend')).toEqual({
        spend: spendOf(all()),
        max_budget: null,
        unpriced_requests: unpricedIn(all()),
      });
    });

    test('by day, of all and of a key', async () => {
      const spendByDay = (body: Row) => Object.fromEntries(body.map((row: Row) => [row.date, row.spend]));
      expect(spendByDay(await get('/global/spend/logs'))).toEqual(grouped(all(), dayOf));
      const ofBob = all().filter(({ payer }) => payer.keyId === 'bob');
      expect(spendByDay(await get('/global/spend/logs', { api_key: 'sk-bob' }))).toEqual(grouped(ofBob, dayOf));
    });

    test('by key, the dearest first, with its alias', async () => {
      const body = await get('/global/spend/keys');
      const expected = grouped(all(), ({ payer }) => payer.keyHash ?? '');
      expect(Object.fromEntries(body.map((row: Row) => [row.api_key, row.total_spend]))).toEqual(expected);
      expect(body.map((row: Row) => row.total_spend)).toEqual(Object.values(expected).toSorted((a, b) => b - a));
      expect(body.find((row: Row) => row.api_key === hashed('sk-ann-1'))).toMatchObject({ key_alias: 'ann one' });
      expect(await get('/global/spend/keys', { limit: 2 })).toEqual(body.slice(0, 2));
    });

    test('by model', async () => {
      const body = await get('/global/spend/models', { limit: 2 });
      const expected = Object.entries(grouped(all(), modelOf)).toSorted(([, a], [, b]) => b - a);
      expect(body.map((row: Row) => [row.model, row.total_spend])).toEqual(expected.slice(0, 2));
      expect(body[0].total_tokens).toBe(tokensIn(all().filter((entry) => modelOf(entry) === body[0].model)));
    });

    test('by team and day, with what no team paid', async () => {
      const body = await get('/global/spend/teams');
      const nameOf = ({ payer }: LedgerEntry) => ({ blue: 'Blue', red: 'red' })[payer.teamId ?? ''] ?? 'Unassigned';
      const totals = Object.fromEntries(body.total_spend_per_team.map((row: Row) => [row.team_id, row.total_spend]));
      expect(totals).toEqual(grouped(all(), nameOf));
      for (const { date, ...spend } of body.daily_spend) {
        const expected = grouped(
          all().filter((entry) => dayOf(entry) === date),
          nameOf,
        );
        for (const [name, amount] of Object.entries(expected)) expect(spend[name] ?? 0).toBe(amount);
      }
    });

    test('by provider, and by tag', async () => {
      const providers = await get('/global/spend/provider', days);
      const expected = grouped(entries, ({ provider }) => provider);
      expect(Object.fromEntries(providers.map((row: Row) => [row.provider, row.spend]))).toEqual(expected);
      const { spend_per_tag } = await get('/global/spend/tags', { ...days, tags: 'batch' });
      const tagged = entries.filter(({ tags }) => tags.includes('batch'));
      expect(spend_per_tag).toEqual([
        { name: 'batch', spend: spendOf(tagged), log_count: tagged.length, unpriced_requests: unpricedIn(tagged) },
      ]);
      expect(await get('/global/spend/all_tag_names')).toEqual({ tag_names: ['batch', 'prod'] });
      const tags = await get('/spend/tags');
      expect(tags.map((row: Row) => [row.individual_request_tag, row.log_count, row.total_spend])).toEqual(
        ['batch', 'prod'].map((tag) => {
          const some = entries.filter((entry) => entry.tags.includes(tag));
          return [tag, some.length, spendOf(some)];
        }),
      );
    });

    test('by end customer, of all and of a key', async () => {
      const { body } = await bench.post('/global/spend/end_users', {
        startTime: days.start_date,
        endTime: days.end_date,
      });
      expect(Object.fromEntries(body.map((row: Row) => [row.end_user, row.total_spend]))).toEqual(
        grouped(entries, ({ payer }) => payer.customerId),
      );
      const ofBob = (await bench.post('/global/spend/end_users', { api_key: 'sk-bob' })).body;
      const expected = grouped(
        all().filter(({ payer }) => payer.keyId === 'bob'),
        ({ payer }) => payer.customerId,
      );
      expect(Object.fromEntries(ofBob.map((row: Row) => [row.end_user, row.total_spend]))).toEqual(expected);
      expect(await get('/global/all_end_users')).toEqual({ end_users: ['customer-1', 'customer-2'] });
    });

    test('requests and tokens by day, and by model', async () => {
      const body = await get('/global/activity', days);
      expect(body).toMatchObject({ sum_api_requests: entries.length, sum_total_tokens: tokensIn(entries) });
      for (const { day, date, api_requests, total_tokens } of body.daily_data) {
        const some = entries.filter((entry) => dayOf(entry) === day);
        expect([api_requests, total_tokens]).toEqual([some.length, tokensIn(some)]);
        expect(date).toBe(
          new Date(day).toLocaleDateString('en-US', { month: 'short', day: '2-digit', timeZone: 'UTC' }),
        );
      }
      const models = await get('/global/activity/model', days);
      const counts = Object.fromEntries(models.map((row: Row) => [row.model, row.sum_api_requests]));
      const groups = Map.groupBy(entries, ({ group }) => group ?? '');
      expect(counts).toEqual(Object.fromEntries([...groups].map(([name, some]) => [name, some.length])));
    });

    /** Entries for a model that a provider refused because of its rate. */
    const limited = (model: string) =>
      entries.filter(
        ({ failure, requestedModel, apiBase }) =>
          failure?.status === 429 && requestedModel === model && apiBase !== null,
      );
    const countsByDay = (some: readonly LedgerEntry[]) =>
      [...Map.groupBy(some, dayOf)].map(([day, of]) => [day, of.length]).toSorted();
    const shownByDay = (daily: Row) => daily.map((row: Row) => [row.day, row.num_rate_limit_exceptions]).toSorted();

    test('requests that a rate limit ended, by day and by where the provider was called', async () => {
      const some = limited('gpt-b');
      expect(some.length).toBeGreaterThan(5);
      const body = await get('/global/activity/exceptions', { ...days, model_group: 'gpt-b' });
      expect(Object.keys(body)).toEqual(['daily_data', 'sum_num_rate_limit_exceptions']);
      expect(body.sum_num_rate_limit_exceptions).toBe(some.length);
      expect(shownByDay(body.daily_data)).toEqual(countsByDay(some));
      const places = await get('/global/activity/exceptions/deployment', { ...days, model_group: 'gpt-b' });
      expect(places).toHaveLength(2);
      for (const { api_base, daily_data, sum_num_rate_limit_exceptions } of places) {
        const there = some.filter(({ apiBase }) => apiBase === api_base);
        expect(sum_num_rate_limit_exceptions).toBe(there.length);
        expect(shownByDay(daily_data)).toEqual(countsByDay(there));
        for (const row of daily_data) expect(row.api_base).toBe(api_base);
      }
      expect(await get('/global/activity/exceptions', { ...days, model_group: 'none' })).toEqual({
        daily_data: [],
        sum_num_rate_limit_exceptions: 0,
      });
    });

    test('requests by alias of the key, endpoint and model, none of them answered by a cache', async () => {
      const shown = (rows: Row) => rows.map((row: Row) => JSON.stringify(row)).toSorted();
      const aliasOf = ({ payer }: LedgerEntry) => (payer.userId === 'ann' ? payer.keyAlias : 'Unnamed Key');
      const expected = (some: readonly LedgerEntry[]) =>
        [...Map.groupBy(some, (entry) => JSON.stringify([aliasOf(entry), modelOf(entry)])).values()].map((of) => {
          const [first] = of as [LedgerEntry]; // a group has a member
          return {
            ...{ api_key: aliasOf(first), call_type: first.endpoint, model: modelOf(first) },
            ...{ total_rows: of.length, cache_hit_true_rows: 0, cached_completion_tokens: 0 },
            generated_completion_tokens: of.reduce((sum, { usage }) => sum + (usage?.output ?? 0), 0),
          };
        });
      expect(shown(await get('/global/activity/cache_hits', days))).toEqual(shown(expected(entries)));
      const own = entries.filter(({ payer }) => payer.userId === 'ann');
      expect(shown(await get('/global/activity/cache_hits', days, as('sk-ann-1')))).toEqual(shown(expected(own)));
    });

    test('no provider has a budget', async () => {
      expect(await get('/provider/budgets')).toEqual({ providers: {} });
    });

    test('the report by team, customer and key has the sums and what they are made of', async () => {
      const teams = await get('/global/spend/report', days);
      const blue = teams.flatMap((day: Row) =>
        day.teams
          .filter((team: Row) => team.team_name === 'Blue')
          .map((team: Row) => ({ ...team, day: day.group_by_day })),
      );
      for (const team of blue) {
        const some = entries.filter((entry) => entry.payer.teamId === 'blue' && dayOf(entry) === team.day);
        expect([team.total_spend, team.unpriced_requests]).toEqual([spendOf(some), unpricedIn(some)]);
        expect(team.metadata.reduce((sum: number, part: Row) => sum + part.total_tokens, 0)).toBe(tokensIn(some));
      }
      const customers = await get('/global/spend/report', { ...days, group_by: 'customer' });
      expect(customers.flatMap((day: Row) => day.customers.map((each: Row) => each.customer))).toContain('customer-1');
      const keys = await get('/global/spend/report', { ...days, group_by: 'api_key' });
      expect(Object.fromEntries(keys.map((row: Row) => [row.api_key, row.total_cost]))).toEqual(
        grouped(entries, ({ payer }) => payer.keyHash ?? ''),
      );
      const [bob] = await get('/global/spend/report', { ...days, api_key: 'sk-bob' });
      expect(Object.fromEntries(bob.model_details.map((row: Row) => [row.model, row.total_cost]))).toEqual(
        grouped(
          entries.filter(({ payer }) => payer.keyId === 'bob'),
          modelOf,
        ),
      );
      const ann = await get('/global/spend/report', { ...days, internal_user_id: 'ann' });
      expect(ann).toHaveLength(2);
    });
  });

  describe('daily activity', () => {
    const SUBJECTS: readonly (readonly [string, Record<string, string>, (entry: LedgerEntry) => boolean])[] = [
      ['/user/daily/activity', {}, () => true],
      [
        '/user/daily/activity',
        { user_id: 'ann', model: 'gpt-a' },
        (entry) => entry.payer.userId === 'ann' && modelOf(entry) === 'gpt-a',
      ],
      ['/user/daily/activity', { api_key: 'sk-bob' }, ({ payer }) => payer.keyId === 'bob'],
      ['/user/daily/activity', { api_key: 'bob' }, ({ payer }) => payer.keyId === 'bob'],
      ['/team/daily/activity', {}, ({ payer }) => payer.teamId !== null],
      ['/team/daily/activity', { team_ids: 'red,blue' }, ({ payer }) => payer.teamId !== null],
      ['/tag/daily/activity', { tags: 'prod' }, ({ tags }) => tags.includes('prod')],
      ['/organization/daily/activity', { organization_ids: 'org' }, ({ payer }) => payer.organizationId === 'org'],
      ['/customer/daily/activity', { end_user_ids: 'customer-2' }, ({ payer }) => payer.customerId === 'customer-2'],
    ];

    test.each(SUBJECTS)(
      '%s %j: all pages together, and all days at once, are what the rows add up to',
      async (path, query, fits) => {
        const meant = entries.filter(fits);
        const total: Record<string, number> = Object.fromEntries(
          Object.entries(metricsOf(meant)).map(([name, value]) => [name.replace(/^(?!total_)/, 'total_'), value]),
        );
        const paged = await allPages(path, query);
        expect<Record<string, number>>({ ...paged.total, total_spend: paged.nano / 1e9 }).toEqual(total);
        const whole = await get(`${path}/aggregated`, { ...days, ...query });
        expect(whole.metadata).toMatchObject(total);
        for (const { date, metrics, breakdown } of whole.results) {
          const some = meant.filter((entry) => dayOf(entry) === date);
          expect(metrics).toEqual(metricsOf(some));
          const parts: readonly (readonly [string, (entry: LedgerEntry) => string | null])[] = [
            ['models', modelOf],
            ['model_groups', ({ group }) => group],
            ['providers', ({ provider }) => provider ?? 'unknown'],
            ['endpoints', ({ endpoint }) => endpoint],
          ];
          for (const [word, nameOf] of parts) {
            const groups = Map.groupBy(some, nameOf);
            groups.delete(null);
            for (const [name, of] of groups) {
              const part = breakdown[word][String(name)];
              expect(part.metrics).toEqual(metricsOf(of));
              for (const [key, ofKey] of Map.groupBy(of, ({ payer }) => payer.keyHash ?? ''))
                expect(part.api_key_breakdown[key].metrics).toEqual(metricsOf(ofKey));
            }
          }
          for (const [key, of] of Map.groupBy(some, ({ payer }) => payer.keyHash ?? ''))
            expect(breakdown.api_keys[key].metrics).toEqual(metricsOf(of));
        }
        expect(whole.results.map((day: Row) => day.date)).toEqual([...new Set(meant.map(dayOf))].toSorted().reverse());
      },
    );

    /** Money is added in nano-dollars: doubles of single pages need not add up to the double of the sum. */
    async function allPages(path: string, query: Record<string, string>) {
      const total: Record<string, number> = {};
      let nano = 0;
      for (let page = 1; ; page += 1) {
        const { metadata, results } = await get(path, { ...days, ...query, page, page_size: 13 });
        for (const [name, value] of Object.entries<number>(metadata))
          if (name.startsWith('total_') && name !== 'total_pages') total[name] = (total[name] ?? 0) + value;
        nano += Math.round(metadata.total_spend * 1e9);
        const counted = results.reduce((sum: number, day: Row) => sum + day.metrics.api_requests, 0);
        expect(counted).toBe(metadata.total_api_requests);
        expect(metadata.has_more).toBe(page < metadata.total_pages);
        if (!metadata.has_more) return { total, nano };
      }
    }

    test('a team is shown with its alias, a key with its alias and team', async () => {
      const { results } = await get('/team/daily/activity/aggregated', {
        ...days,
        team_ids: 'blue',
        api_key: 'sk-ann-2',
      });
      const { breakdown } = results[0];
      expect(breakdown.entities.blue.metadata).toEqual({ team_alias: 'Blue' });
      expect(breakdown.api_keys[hashed('sk-ann-2')].metadata).toEqual({ key_alias: 'ann two', team_id: 'blue' });
    });
  });

  describe('who sees what', () => {
    const ofAnn = ({ payer }: LedgerEntry) => payer.userId === 'ann';

    test('a user sees his own rows, whoever he asks for', async () => {
      for (const query of [{}, { user_id: 'bob' }, { team_id: 'red', user_id: 'bob' }]) {
        const { data } = await get('/spend/logs/v2', { ...ever, page_size: 100, ...query }, as('sk-ann-1'));
        for (const row of data) expect(row.user).toBe('ann');
      }
      const { total } = await get('/spend/logs/v2', ever, as('sk-ann-1'));
      expect(total).toBe(entries.filter(ofAnn).length);
      const rows = await get('/spend/logs', { api_key: 'sk-bob' }, as('sk-ann-1'));
      expect(rows).toEqual([]);
      const ofBob = entries.find(({ payer }) => payer.keyId === 'bob') as LedgerEntry; // one in five
      expect(await get('/spend/logs', { request_id: ofBob.requestId }, as('sk-ann-1'))).toEqual([]);
      expect((await bench.get(`/spend/logs/ui/${ofBob.requestId}`, {}, as('sk-ann-1'))).status).toBe(404);
    });

    test('a viewer sees his own sums', async () => {
      const ofBob = recent.filter(({ payer }) => payer.userId === 'bob');
      const keys = await get('/global/spend/keys', {}, as('sk-bob'));
      expect(keys.map((row: Row) => [row.api_key, row.total_spend])).toEqual([[hashed('sk-bob'), spendOf(ofBob)]]);
      const tags = await get('/spend/tags', {}, as('sk-bob'));
      const tagged = entries.filter(({ payer, tags: named }) => payer.userId === 'bob' && named.includes('prod'));
      expect(tags.find((row: Row) => row.individual_request_tag === 'prod').total_spend).toBe(spendOf(tagged));
      expect((await get('/spend/keys', {}, as('sk-bob'))).map((row: Row) => row.key_id)).toEqual(['bob']);
      expect((await get('/spend/users', { user_id: 'ann' }, as('sk-bob'))).map((row: Row) => row.user_id)).toEqual([
        'bob',
      ]);
      const summary = await get('/spend/logs', { ...days, user_id: 'ann' }, as('sk-bob'));
      expect(new Set(summary.flatMap((day: Row) => Object.keys(day.users)))).toEqual(new Set(['bob']));
      const activity = await get('/global/activity', days, as('sk-bob'));
      expect(activity.sum_api_requests).toBe(entries.filter(({ payer }) => payer.userId === 'bob').length);
      const ends = (await bench.post('/global/spend/end_users', { api_key: 'sk-ann-1' }, as('sk-bob'))).body;
      expect(ends).toEqual([]);
    });

    test("a team's admin sees the team, a member his own part of it", async () => {
      const ofBlue = entries.filter(({ payer }) => payer.teamId === 'blue');
      const { total } = await get('/spend/logs/v2', { ...ever, team_id: 'blue' }, as('sk-chief'));
      expect(total).toBe(ofBlue.length);
      const team = await get('/team/daily/activity/aggregated', { ...days, team_ids: 'blue' }, as('sk-chief'));
      expect(team.metadata.total_api_requests).toBe(ofBlue.length);
      const part = await get('/team/daily/activity/aggregated', { ...days, team_ids: 'blue' }, as('sk-ann-1'));
      expect(part.metadata.total_api_requests).toBe(ofBlue.filter(ofAnn).length);
      expect((await get('/spend/logs/v2', { ...ever, team_id: 'red' }, as('sk-chief'))).total).toBe(0);
      const foreign = await bench.get('/team/daily/activity', { ...days, team_ids: 'red' }, as('sk-chief'));
      expect([foreign.status, foreign.body.error.message]).toEqual([404, expect.stringContaining('red')]);
    });

    test("a user's days are his own, and another's are refused", async () => {
      const own = await get('/user/daily/activity/aggregated', days, as('sk-ann-1'));
      expect(own.metadata.total_api_requests).toBe(entries.filter(ofAnn).length);
      expect((await bench.get('/user/daily/activity', { ...days, user_id: 'bob' }, as('sk-ann-1'))).status).toBe(403);
      const foreignKey = await get('/user/daily/activity/aggregated', { ...days, api_key: 'sk-bob' }, as('sk-ann-1'));
      expect(foreignKey.results).toEqual([]);
    });

    test('an auditor reads everything and resets nothing', async () => {
      expect((await get('/spend/logs/v2', ever, as('sk-auditor'))).total).toBe(entries.length);
      expect((await get('/global/spend', {}, as('sk-auditor'))).spend).toBeGreaterThan(0);
      expect((await bench.post('/global/spend/reset', {}, as('sk-auditor'))).status).toBe(403);
    });

    test.each([
      ['/global/spend', 'sk-ann-1'],
      ['/global/spend/teams', 'sk-ann-1'],
      ['/global/spend/report', 'sk-ann-1'],
      ['/tag/daily/activity', 'sk-ann-1'],
      ['/customer/daily/activity', 'sk-bob'],
      ['/global/activity/exceptions', 'sk-ann-1'],
      ['/global/activity/exceptions/deployment', 'sk-ann-1'],
      ['/provider/budgets', 'sk-ann-1'],
      ['/global/activity/cache_hits', 'sk-nobody'],
      ['/spend/logs', 'sk-nobody'],
      ['/spend/logs/v2', 'sk-nobody'],
      ['/user/daily/activity', 'sk-nobody'],
    ])('%s is closed to %s', async (path, key) => {
      expect((await bench.get(path, days, as(key))).status).toBe(403);
    });
  });

  describe('what is wrong in a request is said', () => {
    test.each([
      ['/spend/logs/v2', {}, 400, 'start_date'],
      ['/spend/logs/v2', { start_date: '2026-01-01' }, 400, 'end_date'],
      ['/spend/logs/v2', { start_date: 'yesterday', end_date: '2026-01-01' }, 400, 'start_date'],
      ['/spend/logs/v2', { start_date: '2026-02-31', end_date: '2026-03-01' }, 400, 'start_date'],
      ['/spend/logs/v2', { start_date: '2026-03-01', end_date: '2026-02-01' }, 400, 'start_date'],
      ['/spend/logs/v2', { start_date: '2026-01-01', end_date: '2026-02-01', page: '0' }, 422, 'page'],
      ['/spend/logs/v2', { start_date: '2026-01-01', end_date: '2026-02-01', page_size: '101' }, 422, 'page_size'],
      ['/spend/logs/v2', { start_date: '2026-01-01', end_date: '2026-02-01', sort_by: 'colour' }, 422, 'sort_by'],
      [
        '/spend/logs/v2',
        { start_date: '2026-01-01', end_date: '2026-02-01', min_spend: '2', max_spend: '1' },
        400,
        'min_spend',
      ],
      ['/spend/logs/v2', { start_date: '2026-01-01', end_date: '2026-02-01', cursor: 'x' }, 400, null],
      ['/spend/logs', { start_date: '2026-01-32', end_date: '2026-02-01' }, 400, 'start_date'],
      ['/global/activity', {}, 400, 'start_date'],
      ['/global/activity/exceptions', { model_group: 'gpt-a' }, 400, 'start_date'],
      ['/global/activity/exceptions', { start_date: '2026-01-01', end_date: '2026-01-02' }, 422, 'model_group'],
      ['/global/activity/cache_hits', { start_date: '2026-01-01' }, 400, 'end_date'],
      ['/global/spend/keys', { limit: '0' }, 422, 'limit'],
      ['/global/spend/tags', {}, 400, 'start_date'],
      ['/global/spend/report', { start_date: '2026-01-01', end_date: '2026-01-02', group_by: 'moon' }, 422, 'group_by'],
      ['/user/daily/activity', {}, 400, 'start_date'],
      [
        '/team/daily/activity',
        { start_date: '2026-01-01', end_date: '2026-01-02', page_size: '5000' },
        422,
        'page_size',
      ],
      ['/spend/logs/session/ui', {}, 422, 'session_id'],
    ] as const)('%s %j is %p for %p', async (path, query, status, param) => {
      const answer = await bench.get(path, { ...query });
      expect([answer.status, answer.body.error.param]).toEqual([status, param]);
      expect(answer.body.error.message.length).toBeGreaterThan(20);
    });
  });

  describe('a key that was rotated, and then deleted', () => {
    const made = 'sk-rotated-0';
    let keyId = '';

    const entryUnder = (key: string) => {
      const who = payer({ keyHash: hashed(key), keyId, userId: 'eve', customerId: 'customer-of-eve' });
      return ledgerEntry({ payer: who, startedAt: epochMillis(now - 1000), cost: costs(1_000_000_000) });
    };

    beforeAll(async () => {
      keyId = (await bench.post('/key/generate', { key: made })).body.key_id;
      const texts = [made, 'sk-rotated-1', 'sk-rotated-2', 'sk-rotated-3'];
      const graces = [undefined, '1h', undefined];
      for (const [index, key] of texts.entries()) {
        await bench.store.ledger.write([entryUnder(key)]);
        const next = texts[index + 1];
        const body = { new_key: next, ...(graces[index] !== undefined && { grace_period: graces[index] }) };
        if (next !== undefined) expect((await bench.post(`/key/${keyId}/regenerate`, body)).status).toBe(200);
      }
    });

    test.each(['present', 'deleted'])('is found by its key_id under every text that it had: %s', async (state) => {
      if (state === 'deleted') expect((await bench.post('/key/delete', { keys: [keyId] })).status).toBe(200);
      expect((await get('/spend/logs/v2', { ...ever, api_key: keyId })).total).toBe(4);
      expect(await get('/spend/logs', { api_key: keyId })).toHaveLength(4);
      expect((await get('/spend/logs', { ...days, api_key: keyId })).at(-1).spend).toBe(4);
      expect((await get('/global/spend/logs', { api_key: keyId })).at(-1)).toMatchObject({ spend: 4, api_key: keyId });
      expect(await get('/global/spend/report', { ...days, api_key: keyId })).toHaveLength(4);
      const { metadata } = await get('/user/daily/activity', { ...days, api_key: keyId });
      expect(metadata.total_spend).toBe(4);
      const customers = (await bench.post('/global/spend/end_users', { api_key: keyId })).body;
      expect(customers).toMatchObject([{ end_user: 'customer-of-eve', total_spend: 4 }]);
      expect((await get('/spend/logs/v2', { ...ever, api_key: made })).total).toBe(1);
    });

    test('no text of it works any more', async () => {
      for (const key of [made, 'sk-rotated-1', 'sk-rotated-2', 'sk-rotated-3'])
        expect((await bench.get('/key/info', {}, as(key))).status).toBe(401);
    });

    afterAll(async () => {
      const { rows } = await bench.store.read.spendLogs.list({ where: { key_id: keyId }, limit: 10 });
      for (const row of rows) {
        const entry = entryUnder(made);
        entries.push({
          ...entry,
          requestId: requestId(row.request_id),
          payer: payer({ ...entry.payer, keyHash: row.api_key }),
        });
      }
    });
  });

  test('the days, the log and the totals agree', async () => {
    expect(await bench.store.verify()).toEqual([]);
  });

  test('the operator sets the spend of keys and teams to nought; the log stays, and the sums still agree', async () => {
    expect((await get('/spend/keys'))[0].spend).toBeGreaterThan(0);
    const answer = await bench.post('/global/spend/reset');
    expect(answer.body).toEqual({ message: 'Spend for all API Keys and Teams reset successfully', status: 'success' });
    for (const row of await get('/spend/keys')) expect(row.spend).toBe(0);
    expect((await get('/spend/logs/v2', ever)).total).toBe(entries.length);
    expect(await bench.store.verify()).toEqual([]);
  });

  test('rows that were removed by age are in no page and no count, though their days stay', async () => {
    const before = epochMillis(now - 10.4 * DAY);
    await bench.store.prune({ spendLogsBefore: before, auditBefore: null });
    const left = idsOf(entries.filter(({ startedAt }) => startedAt >= before).toSorted(byNewest));
    const oldest = await get('/spend/logs/v2', { ...ever, page: Math.ceil(left.length / 20), page_size: 20 });
    expect(oldest.total).toBe(left.length);
    const first = Math.floor((left.length - 1) / 20) * 20;
    expect(oldest.data.map((row: Row) => row.request_id)).toEqual(left.slice(first));
    expect((await get('/global/activity', days)).sum_api_requests).toBe(entries.length);
  });

  test('nothing of all this was a fault of ours', () => {
    expect(bench.faults).toEqual([]);
  });
});
