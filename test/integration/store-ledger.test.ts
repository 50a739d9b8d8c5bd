import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { requestId } from '../../src/core/ids.ts';
import type { LedgerEntry } from '../../src/core/ledger-entry.ts';
import { NO_PAYER, type Payer } from '../../src/core/payer.ts';
import { epochMillis, millis } from '../../src/core/units.ts';
import { NO_USAGE } from '../../src/core/usage.ts';
import type { Store } from '../../src/store/store.ts';
import {
  costs,
  DATABASES,
  ledgerEntry,
  nanoUsd,
  OPERATOR,
  payer,
  type TestStore,
  testStore,
} from '../support/store.ts';

const HALF_PAST = epochMillis(Date.UTC(2026, 10, 23, 12, 30));
const MINUTE = 60_000;

describe.each(DATABASES)('the ledger on %s', (kind) => {
  let opened: TestStore;
  let store: Store;

  let everybody: Payer;
  let name: string;

  beforeAll(async () => {
    opened = await testStore(kind);
    store = opened.store;
  });

  afterAll(() => opened.remove());

  // One database for all tests, which is what takes time; every test has payers of its own.
  let tests = 0;
  beforeEach(() => {
    tests += 1;
    name = `n${tests}`;
    everybody = payer({
      keyHash: name,
      keyId: name,
      keyAlias: name,
      userId: name,
      teamId: name,
      organizationId: name,
      customerId: name,
    });
  });

  const createEverybody = () =>
    store.change(OPERATOR, async (writers) => {
      await writers.organizations.create({ organization_id: name, organization_alias: 'o' });
      await writers.users.create({ user_id: name });
      await writers.teams.create({ team_id: name });
      await writers.keys.create({ token: name, key_id: name });
      await writers.teamMemberships.create({ user_id: name, team_id: name });
      await writers.organizationMemberships.create({ user_id: name, organization_id: name });
      await writers.tags.create({ tag_name: name });
    });

  const totals = async () => {
    const { read } = store;
    const rows = [
      await read.keys.get(name),
      await read.users.get(name),
      await read.teams.get(name),
      await read.organizations.get(name),
      await read.customers.get(name),
      await read.teamMemberships.get([name, name]),
      await read.organizationMemberships.get([name, name]),
      await read.tags.get(name),
    ];
    return rows.map((row) => row?.spend_nano ?? null);
  };

  test('an entry is one row with everything in it', async () => {
    const entry = ledgerEntry({
      payer: everybody,
      tags: [name, 'blue'],
      attempts: [{ deployment: 'd' as never, group: 'g', outcome: '429', delay: millis(1), duration: millis(2) }],
    });
    expect(await store.ledger.write([entry])).toEqual({ written: 1, duplicates: 0, rejected: [] });
    expect(await store.read.spendLogs.find({ request_id: entry.requestId })).toMatchObject({
      call_id: entry.callId,
      api_key: name,
      key_id: name,
      spend_nano: 1_000n,
      spend: 0.000001,
      cost_status: 'known',
      prompt_tokens: 100,
      completion_tokens: 20,
      total_tokens: 120,
      cache_read_input_tokens: 40,
      startTime: new Date(entry.startedAt),
      endTime: new Date(entry.startedAt + 812),
      completionStartTime: new Date(entry.startedAt + 200),
      user: name,
      team_id: name,
      end_user: name,
      request_tags: [name, 'blue'],
      status: 'success',
      is_streaming: false,
      duration_ms: 812,
      overhead_us: 600,
      attempts: [{ deployment: 'd', group: 'g', outcome: '429', delay: 1, duration: 2 }],
    });
  });

  test('rows of the log are listed newest first, in pages, whatever month they are in', async () => {
    const days = [20, 3, 31, 17, 17, 40, 5];
    const entries = days.map((day, index) =>
      ledgerEntry({
        payer: everybody,
        requestId: requestId(`${name}-${9 - index}`),
        startedAt: epochMillis(Date.UTC(2026, 4, day)),
      }),
    );
    await store.ledger.write(entries);
    const newestFirst = entries
      .toSorted((a, b) => b.startedAt - a.startedAt || (a.requestId < b.requestId ? 1 : -1))
      .map((entry) => entry.requestId as string);
    const listed: string[] = [];
    for (let after: string | null | undefined; after !== null; ) {
      const query = { where: { key_id: name }, sort: 'startTime', order: 'descending', limit: 3 } as const;
      const page = await store.read.spendLogs.list(after === undefined ? query : { ...query, after });
      listed.push(...page.rows.map((row) => row.request_id));
      after = page.next;
    }
    expect(listed).toEqual(newestFirst);
  });

  test('everybody who pays is charged to the last unit, and a customer is known from the first request', async () => {
    await createEverybody();
    await store.ledger.write([ledgerEntry({ payer: everybody, tags: [name, name], cost: costs(7) })]);
    await store.ledger.write([ledgerEntry({ payer: everybody, tags: [name], cost: costs(10n ** 18n) })]);
    expect(await totals()).toEqual(Array.from({ length: 8 }, () => nanoUsd(10n ** 18n + 7n)));
    expect(await store.verify()).toEqual([]);
  });

  test('an entry that is written again, or twice in a batch, counts once', async () => {
    await createEverybody();
    const [one, two, three] = [1, 2, 3].map(() => ledgerEntry({ payer: everybody, cost: costs(5) })) as [
      LedgerEntry,
      LedgerEntry,
      LedgerEntry,
    ];
    expect(await store.ledger.write([one, two, one])).toMatchObject({ written: 2, duplicates: 1 });
    expect(await store.ledger.write([two, three, one])).toMatchObject({ written: 1, duplicates: 2 });
    expect((await totals())[0]).toBe(nanoUsd(15));
    expect(await store.read.spendLogs.count({ key_id: name })).toBe(3);
    expect(await store.verify()).toEqual([]);
  });

  test('an unknown cost is unknown, not nought, and is held apart; nothing used costs nought', async () => {
    await createEverybody();
    const unknown = ledgerEntry({ payer: everybody, cost: { kind: 'unknown', assumed: nanoUsd(400) } });
    const unused = ledgerEntry({ payer: everybody, cost: null, usage: null, end: 'failure', status: 429 });
    await store.ledger.write([unknown, unused]);
    expect(await store.read.spendLogs.find({ request_id: unknown.requestId })).toMatchObject({
      spend_nano: null,
      spend: null,
      assumed_nano: 400n,
      cost_status: 'unknown',
    });
    expect(await store.read.spendLogs.find({ request_id: unused.requestId })).toMatchObject({
      spend_nano: 0n,
      cost_status: 'none',
      status: 'failure',
      total_tokens: 0,
    });
    expect(await store.balance({ type: 'key', id: [name] }, null)).toEqual({
      spend: nanoUsd(0),
      assumed: nanoUsd(400),
    });
    const days = await store.reports.daily({
      subject: 'user',
      from: '2026-11-23',
      until: '2026-11-23',
      only: { entity: [name] },
      groupBy: [],
    });
    expect(days).toMatchObject([{ requests: 2, successful: 1, failed: 1, unpriced: 1, spendNano: nanoUsd(0) }]);
  });

  test('daily rows tell days, keys, models, providers and endpoints apart, and add up to everything', async () => {
    const midnight = Date.UTC(2026, 0, 24);
    const entry = (amount: number, parts: Partial<LedgerEntry>) =>
      ledgerEntry({ payer: everybody, startedAt: epochMillis(midnight - 1), cost: costs(amount), ...parts });
    await store.ledger.write([
      entry(1, { tags: [name] }),
      entry(2, { tags: [name, 'blue'] }),
      entry(4, { isStreaming: true }),
      entry(8, { startedAt: epochMillis(midnight) }),
      entry(16, { model: 'other' }),
      entry(32, { payer: NO_PAYER }),
    ]);
    const days = { from: '2026-01-23', until: '2026-01-24' };
    const byDay = await store.reports.daily({ subject: 'user', ...days, groupBy: ['date', 'entity'] });
    expect(byDay.map(({ group, spendNano, requests }) => [group.date, group.entity, spendNano, requests])).toEqual([
      ['2026-01-23', '', nanoUsd(32), 1],
      ['2026-01-23', name, nanoUsd(23), 4],
      ['2026-01-24', name, nanoUsd(8), 1],
    ]);
    const byTag = await store.reports.daily({ subject: 'tag', ...days, groupBy: ['entity'], top: 1 });
    expect(byTag).toMatchObject([{ group: { entity: name }, spendNano: nanoUsd(3), requests: 2 }]);
    const one = await store.reports.daily({
      subject: 'team',
      ...days,
      until: '2026-01-23',
      only: { model: ['other'], entity: [name] },
      groupBy: ['model'],
    });
    expect(one).toMatchObject([
      { group: { model: 'other' }, spendNano: nanoUsd(16), promptTokens: 100, cacheReadTokens: 40 },
    ]);
  });

  test('the spend of a period starts with its quarter of an hour', async () => {
    const at = (minutes: number) => epochMillis(HALF_PAST + minutes * MINUTE);
    const spend = (minutes: number, amount: number) =>
      ledgerEntry({ payer: everybody, startedAt: at(minutes), cost: costs(amount) });
    await store.ledger.write([spend(-1, 1), spend(0, 2), spend(14, 4), spend(45, 8)]);
    const account = { type: 'team', id: [name] } as const;
    const since = async (minutes: number) => (await store.balance(account, at(minutes))).spend;
    expect([await since(-15), await since(0), await since(15), await since(60)]).toEqual(
      [15n, 14n, 8n, 0n].map(nanoUsd),
    );
    const model = await store.balance({ type: 'model-of-key', id: [name, 'gpt-4o'] }, null);
    expect(model.spend).toBe(nanoUsd(15));
  });

  test('spend set by hand is shown, and the ledger still adds up', async () => {
    await createEverybody();
    await store.ledger.write([ledgerEntry({ payer: everybody, cost: costs(100) })]);
    await store.change(OPERATOR, ({ keys }) => keys.update(name, { spend_nano: nanoUsd(3) }));
    await store.ledger.write([ledgerEntry({ payer: everybody, cost: costs(10) })]);
    expect((await totals()).slice(0, 2)).toEqual([nanoUsd(13), nanoUsd(110)]);
    await store.change(OPERATOR, ({ customers }) => customers.delete(name));
    await store.change(OPERATOR, ({ customers }) => customers.create({ user_id: name, spend_nano: nanoUsd(1) }));
    await store.ledger.write([ledgerEntry({ payer: everybody, cost: costs(10) })]);
    expect((await totals())[4]).toBe(nanoUsd(11));
    await store.change(OPERATOR, ({ customers }) => customers.delete(name));
    await store.ledger.write([ledgerEntry({ payer: everybody, cost: costs(6) })]);
    expect((await totals())[4]).toBe(nanoUsd(6));
    expect(await store.verify()).toEqual([]);
  });

  test('a key that is rotated is charged under its new hash', async () => {
    await createEverybody();
    await store.change(OPERATOR, ({ keys }) =>
      keys.rotate(name, { token: `${name}-next`, patch: {}, graceUntil: null }),
    );
    await store.ledger.write([ledgerEntry({ payer: everybody, cost: costs(9) })]);
    expect((await store.read.keys.get(`${name}-next`))?.spend_nano).toBe(nanoUsd(9));
  });

  test.each([
    ['a start that no clock shows', { startedAt: epochMillis(Number.NaN) }],
    ['a negative duration', { duration: millis(-1) }],
    ['tokens that are no number', { usage: { ...NO_USAGE, input: 1.5 } }],
    ['a cost beyond 63 bits', { cost: costs(2n ** 63n) }],
    ['a cost below nought', { cost: costs(-1) }],
    ['no request id', { requestId: requestId('') }],
    ['a status beyond 63 bits', { status: 1e300 }],
    ['a status that is no integer', { status: 200.5 }],
  ] as const)('an entry with %s is put aside whole and holds up no other', async (_, wrong) => {
    await createEverybody();
    const bad = ledgerEntry({ payer: everybody, ...wrong });
    const good = Array.from({ length: 20 }, () => ledgerEntry({ payer: everybody, cost: costs(1) }));
    const report = await store.ledger.write([...good.slice(0, 7), bad, ...good.slice(7)]);
    expect(report).toMatchObject({ written: 20, duplicates: 0, rejected: [{ entry: bad }] });
    expect((await totals())[0]).toBe(nanoUsd(20));
    const letter = await store.read.deadLetters.find({ entry: { contains: `"${bad.callId}"` } });
    expect(JSON.parse(letter?.entry ?? '{}')).toMatchObject({ callId: bad.callId, payer: everybody });
    expect(letter?.reason.length).toBeGreaterThan(5);
    expect(await store.verify()).toEqual([]);
  });

  test('text of clients is kept whatever it holds; what no database can hold is replaced, not lost', async () => {
    const text = `'"; \\ \\u0000 %s $1 \u{1F600} \r\n`;
    const more = 'x'.repeat(10_000);
    const entry = ledgerEntry({
      payer: payer({ customerId: `c${text}\0\uD800`, keyHash: text, userId: more }),
      tags: [text, `${text}\0`],
      requestedModel: `${text}\0`,
    });
    expect(await store.ledger.write([entry, entry])).toMatchObject({ written: 1, duplicates: 1, rejected: [] });
    expect(await store.read.spendLogs.find({ request_id: entry.requestId })).toMatchObject({
      end_user: `c${text}\uFFFD\uFFFD`,
      api_key: text,
      user: more,
      request_tags: [text, `${text}\uFFFD`],
      requested_model: `${text}\uFFFD`,
    });
    expect(await store.read.customers.get(`c${text}\uFFFD\uFFFD`)).toMatchObject({ spend_nano: 1_000n });
    expect(await store.verify()).toEqual([]);
  });

  test('a sum that would leave 63 bits is refused, not wrapped', async () => {
    await createEverybody();
    await store.change(OPERATOR, ({ teams }) => teams.update(name, { spend_nano: nanoUsd(2n ** 63n - 10n) }));
    const fits = ledgerEntry({ payer: everybody, cost: costs(9) });
    const report = await store.ledger.write([fits, ledgerEntry({ payer: everybody, cost: costs(9) })]);
    expect(report.written).toBe(1);
    expect(report.rejected.length).toBe(1);
    expect((await totals())[2]).toBe(nanoUsd(2n ** 63n - 1n));
    expect(await store.verify()).toEqual([]);
  });

  test('two instances that write the same accounts, and some of the same entries, count each once', async () => {
    await createEverybody();
    const other = await opened.another();
    const entries = Array.from({ length: 200 }, (_, index) =>
      ledgerEntry({
        payer: payer({ ...everybody, customerId: `c${index % 7}`, userId: index % 2 === 0 ? name : 'other' }),
        cost: costs(index + 1),
        tags: [`t${index % 3}`, `t${(index + 1) % 3}`],
      }),
    );
    const batches = [0, 60, 120, 20, 100, 140, 0].map((start, index) => ({
      writer: index % 2 === 0 ? store : other,
      batch: entries.slice(start, start + 80).toSorted(() => (index % 2 === 0 ? 1 : -1)),
    }));
    const writing = batches.map(({ writer, batch }) => writer.ledger.write(batch));
    // Rows that come into being while their accounts are written to.
    await other.change(OPERATOR, ({ users }) => users.create({ user_id: 'other' }));
    await store.change(OPERATOR, ({ tags }) => tags.create({ tag_name: 't1', spend_nano: nanoUsd(5) }));
    const reports = await Promise.all(writing);
    expect(reports.reduce((sum, { written }) => sum + written, 0)).toBe(200);
    expect((await totals())[0]).toBe(nanoUsd((200 * 201) / 2));
    expect(await store.verify()).toEqual([]);
  });

  test('verify finds a total that somebody changed', async () => {
    await createEverybody();
    await store.ledger.write([
      ledgerEntry({ payer: everybody, cost: costs(5), startedAt: epochMillis(Date.UTC(2026, 9, 1)) }),
    ]);
    await store.ledger.write([ledgerEntry({ payer: everybody, cost: costs(5) })]);
    await store.change(OPERATOR, ({ teamMemberships }) =>
      teamMemberships.update([name, name], { spend_offset_nano: nanoUsd(1) }),
    );
    expect(await store.verify()).toEqual([
      { total: 'entity', place: `litellm_teammembership ["${name}","${name}"]`, stored: 10n, recomputed: 11n },
    ]);
    await store.change(OPERATOR, ({ teamMemberships }) => teamMemberships.delete([name, name]));
  });

  test('old rows go, months whole, and totals stay', async () => {
    await createEverybody();
    const on = (month: number, day: number) =>
      ledgerEntry({ payer: everybody, cost: costs(1), startedAt: epochMillis(Date.UTC(2025, month, day)) });
    const many = Array.from({ length: 1_100 }, () => on(9, 3));
    await store.ledger.write([on(7, 1), on(8, 30), ...many, on(9, 20), on(10, 1)]);
    const pruned = await store.prune({ spendLogsBefore: epochMillis(Date.UTC(2025, 9, 10)), auditBefore: null });
    expect(pruned).toEqual(
      kind === 'postgres'
        ? { months: ['2025-08', '2025-09'], spendLogs: 1_100, audit: 0 }
        : { months: [], spendLogs: 1_102, audit: 0 },
    );
    expect(await store.read.spendLogs.count({ key_id: name })).toBe(2);
    expect((await totals())[0]).toBe(nanoUsd(1_104));
    expect(await store.verify()).toEqual([]);
    await store.ledger.write([on(7, 2)]);
    expect(await store.read.spendLogs.count({ key_id: name })).toBe(3);
  });
});
