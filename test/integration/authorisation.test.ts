import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROUTES } from '../../src/control/registry.ts';
import { ENDPOINTS } from '../../src/endpoints/registry.ts';
import { type Asked, CALLERS, gotPast, type Matrix, matrixPage, nameOf, seed } from '../support/authorisation.ts';
import { MASTER_KEY, startGateway, type TestGateway } from '../support/gateway.ts';

const root = join(import.meta.dir, '../..');
const FILE = join(root, 'docs/reference/authorisation.md');

/** The pages of the data plane, as the table in their source has them: GET all. */
const PAGES: readonly Asked[] = [
  ...readFileSync(join(root, 'src/gateway/gateway.ts'), 'utf8').matchAll(/^ {6}\['(\/[^']*)', /gm),
].map(([, path = '']) => ({ area: 'Pages of the gateway', method: 'GET', path, query: '', body: null }));

const PROBE: Asked = { ...(PAGES[0] as Asked), path: '/health', query: '?probe=true&model=none' };

const LLM: readonly Asked[] = ENDPOINTS.flatMap(({ operation }) =>
  ['/', '/v1/', '/openai/deployments/{model}/', '/engines/{model}/', '/v1/engines/{model}/'].map((prefix) => ({
    ...{ area: 'Models', method: 'POST', path: `${prefix}${operation}`, query: '' },
    body: '{"model":"none","messages":[],"prompt":"","input":""}',
  })),
);

/** A body that is a list is refused after authorization and before anything is done. */
const ADMIN: readonly Asked[] = ROUTES.flatMap(({ tag, paths, methods }) =>
  paths.flatMap((path) =>
    methods.map((method) => ({ area: tag, method, path, query: '', body: method === 'GET' ? null : '[]' })),
  ),
);

const ALL: readonly Asked[] = [...LLM, ...PAGES, PROBE, ...ADMIN];
const AT_ONE_TIME = 8;

describe('authorization', () => {
  let gateway: TestGateway;
  const matrix = new Map<Asked, Set<string>>(ALL.map((asked) => [asked, new Set()]));

  beforeAll(async () => {
    gateway = await startGateway(`general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
model_list:
  - {model_name: m, litellm_params: {model: openai/m, api_key: sk-none, api_base: "http://127.0.0.1:1/v1"}}
`);
    const keys = await seed(gateway, MASTER_KEY);
    const [models] = PAGES.filter(({ path }) => path === '/v1/models');
    while (await gotPast(gateway, models as Asked, keys.get('expired key') ?? null)) {}
    const cells = ALL.flatMap((asked) => CALLERS.map(({ name }) => ({ asked, name })));
    for (let at = 0; at < cells.length; at += AT_ONE_TIME) {
      await Promise.all(
        cells.slice(at, at + AT_ONE_TIME).map(async ({ asked, name }) => {
          if (await gotPast(gateway, asked, keys.get(name) ?? null)) matrix.get(asked)?.add(name);
        }),
      );
    }
  }, 120_000);

  afterAll(() => gateway.stop());

  /** Requests that a caller may make. */
  const reach = (caller: string): readonly Asked[] => ALL.filter((asked) => matrix.get(asked)?.has(caller));
  const names = (requests: readonly Asked[]): readonly string[] => requests.map(nameOf);

  test('was asked about every path of every registry, once', () => {
    expect(PAGES.length).toBeGreaterThanOrEqual(13);
    expect(ALL.length).toBeGreaterThan(130);
    expect(new Set(names(ALL)).size).toBe(ALL.length);
    expect(gateway.output()).not.toMatch(/internal error|uncaught/);
  });

  test('is what the committed page says, for every path and every caller (UPDATE_REFERENCE=1 writes it)', () => {
    const page = matrixPage(matrix as Matrix);
    if (process.env.UPDATE_REFERENCE === '1') writeFileSync(FILE, page);
    expect(readFileSync(FILE, 'utf8')).toBe(page);
  });

  // Laws that the page must obey, whatever it says: a wrong page written anew does not pass.

  test.each(['no key', 'wrong key', 'blocked key', 'expired key'])(
    '%s opens nothing but what tells no secret',
    (caller) => {
      const open = ['/', '/health', '/health/liveliness', '/health/liveness', '/health/readiness', '/test', '/metrics'];
      const documents = ['/openapi.json', '/docs'];
      expect(names(reach(caller)).toSorted()).toEqual([...open, ...documents].map((path) => `GET ${path}`).toSorted());
    },
  );

  test.each(['`proxy_admin`', 'master key'])('%s may call everything', (caller) => {
    const refused = ALL.filter((asked) => !matrix.get(asked)?.has(caller));
    // It costs money at every provider, so a key that can be lost does not do.
    expect(names(refused)).toEqual(caller === 'master key' ? [] : [nameOf(PROBE)]);
  });

  test('who only looks changes nothing: by another method than GET he reaches models and questions', () => {
    const QUESTIONS = ['/v2/key/info', '/key/health', '/global/spend/end_users', '/spend/calculate', '/cost/estimate'];
    for (const caller of ['`proxy_admin_viewer`', '`internal_user_viewer`']) {
      const changing = reach(caller).filter(({ method, area }) => method !== 'GET' && area !== 'Models');
      expect(changing.filter(({ path }) => !QUESTIONS.includes(path)).map(nameOf)).toEqual([]);
    }
    expect(reach('`internal_user_viewer`').filter(({ area }) => area === 'Models')).toEqual([]);
  });

  test('a key for one path opens that path and what is open to all', () => {
    const own = reach('key for `/v1/chat/completions`').filter((asked) => !matrix.get(asked)?.has('no key'));
    expect(own.filter(({ path }) => !path.endsWith('chat/completions')).map(nameOf)).toEqual([]);
    expect(names(own)).toContain('POST /v1/chat/completions');
  });

  test('each rank reaches what the rank below it does', () => {
    const RANKS = ['no key', 'key of nobody', '`internal_user`', '`proxy_admin`', 'master key'];
    for (const [index, rank] of RANKS.slice(1).entries()) {
      const below = names(reach(RANKS[index] ?? ''));
      expect(below.filter((name) => !names(reach(rank)).includes(name))).toEqual([]);
    }
    expect(names(reach('team admin'))).toEqual(names(reach('`internal_user`')));
  });

  test('an admin of an organization reaches what an internal user does and the routes of organizations, no other', () => {
    const ofOrganizations = new Set(
      ROUTES.filter(({ audience }) => audience === 'organization').flatMap(({ paths }) => paths),
    );
    const more = reach('`org_admin`').filter((asked) => !matrix.get(asked)?.has('`internal_user`'));
    expect(more.length).toBeGreaterThan(0);
    expect(more.filter(({ path }) => !ofOrganizations.has(path)).map(nameOf)).toEqual([]);
    expect(names(reach('`internal_user`')).filter((name) => !names(reach('`org_admin`')).includes(name))).toEqual([]);
  });
});
