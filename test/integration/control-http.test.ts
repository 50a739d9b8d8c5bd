import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type ControlBench, startControl } from '../support/control.ts';
import { DATABASES } from '../support/store.ts';

describe.each(DATABASES)('the admin API on %s', (kind) => {
  let bench: ControlBench;

  beforeAll(async () => {
    bench = await startControl(kind);
  });

  afterAll(() => bench.stop());

  test('wrong fields are a 422 with a place and a reason each, and without what was a credential', async () => {
    const answer = await bench.post('/budget/new', { max_budget: 'much', tpm_limit: 1.5, budget_duration: '1 year' });
    expect(answer.status).toBe(422);
    expect(answer.body.error).toMatchObject({ type: 'validation_error', code: '422', param: 'max_budget' });
    expect(answer.body.detail).toMatchObject([
      { loc: ['body', 'max_budget'], input: 'much' },
      { loc: ['body', 'budget_duration'], input: '1 year' },
      { loc: ['body', 'tpm_limit'], input: 1.5 },
    ]);
  });

  test('a wrong field does not repeat a credential', async () => {
    for (const body of [{ keys: 'canary, not even a key' }, { keys: [['sk-canary-in-a-field']] }]) {
      const answer = await bench.post('/key/delete', body);
      expect(answer.status).toBe(422);
      expect(answer.text).not.toContain('canary');
    }
    const raw = await bench.post('/key/delete', '{"keys": "sk-canary-in-a-field');
    expect([raw.status, raw.text.includes('canary')]).toEqual([400, false]);
  });

  test('a field that is missing is called so', async () => {
    const answer = await bench.post('/budget/update', {});
    expect(answer.body.detail).toMatchObject([{ type: 'missing', loc: ['body', 'budget_id'], input: null }]);
  });

  test.each(['[]', '{"a":', '"text"', '\xff'])('the body %p is a 400 that does not repeat it', async (body) => {
    const answer = await bench.post('/budget/new', body);
    expect([answer.status, answer.body.error.type]).toEqual([400, 'invalid_request_error']);
  });

  test('fields that nobody reads are named in the head of the answer', async () => {
    const answer = await bench.post('/budget/new', { max_bugdet: 3, 'x\r\ny': 1 });
    expect([answer.status, answer.headers.get('x-tollgate-ignored-fields')]).toEqual([200, 'max_bugdet']);
  });

  test('another method is a 405 that lists those there are, another path is not ours', async () => {
    const answer = await bench.get('/budget/new');
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
    expect((await bench.get('/v1/models')).status).toBe(599);
    expect((await bench.get('/budget/none')).status).toBe(599);
    expect((await bench.ask('OPTIONS', '/budget/new')).status).toBe(204);
  });

  test('without a key, or with one that nobody has, it is a 401', async () => {
    expect((await bench.get('/budget/list', {}, { key: null })).body.error).toMatchObject({ code: '401' });
    expect((await bench.get('/budget/list', {}, { key: 'sk-nobody' })).body.error.type).toBe('token_not_found_in_db');
  });

  test('answers are not to be kept by anybody between', async () => {
    expect((await bench.get('/budget/list')).headers.get('cache-control')).toBe('no-store');
  });

  test('a value that no database can hold is a 400', async () => {
    const answer = await bench.post('/budget/new', { budget_id: 'a\0b' });
    expect([answer.status, answer.body.error.code]).toEqual([400, '400']);
  });

  // The embedded database cannot go away while its process is there.
  test.if(kind === 'postgres')('while the database is away it is a 503 with retry-after', async () => {
    const other = await startControl(kind);
    try {
      await other.store.close();
      const answer = await other.get('/budget/list');
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    } finally {
      await other.stop().catch(() => {});
    }
  });

  test('nothing of all this was a fault of ours', () => {
    expect(bench.faults).toEqual([]);
  });
});
