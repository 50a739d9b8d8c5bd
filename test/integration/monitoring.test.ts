import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ERRORS } from '../../src/core/errors.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { parseExposition } from '../support/exposition.ts';
import { MASTER_KEY, startGateway, type TestGateway } from '../support/gateway.ts';
import { program, startPrometheus, type TestPrometheus } from '../support/prometheus.ts';
import { namedIn } from '../support/promql.ts';
import { metricOf, until } from '../support/tenants.ts';

// The dashboards and alerts of deploy/, against what a real gateway serves, and by a real Prometheus where there is one.

const root = join(import.meta.dir, '../..');
const deploy = join(root, 'deploy');
const PROMETHEUS = program('prometheus');
const PROMTOOL = program('promtool');
/** Labels that Prometheus adds, and the bound of a bucket. */
const ADDED = ['job', 'instance', 'le'];

interface Target {
  readonly expr: string;
  readonly legendFormat?: string;
}

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly { readonly title: string; readonly type: string; readonly targets?: readonly Target[] }[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: unknown }[] };
  readonly annotations: { readonly list: readonly { readonly target: Target }[] };
}

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

const dashboards = readdirSync(join(deploy, 'grafana/dashboards')).map(
  (file) => JSON.parse(readFileSync(join(deploy, 'grafana/dashboards', file), 'utf8')) as Dashboard,
);
const panels = dashboards.flatMap(({ title, panels }) =>
  panels.flatMap((panel) =>
    (panel.targets ?? []).map(({ expr, legendFormat }) => ({ name: `${title} / ${panel.title}`, expr, legendFormat })),
  ),
);
const ruleFiles = readdirSync(join(deploy, 'prometheus/rules')).map((file) => join(deploy, 'prometheus/rules', file));
const alerts = ruleFiles.flatMap((file) =>
  (parse(readFileSync(file, 'utf8')) as { groups: { rules: Alert[] }[] }).groups.flatMap(({ rules }) => rules),
);

let simulator: Simulator;
let gateway: TestGateway;

beforeAll(async () => {
  simulator = await startSimulator();
  const place = (name: string, model: string, more = '') =>
    `  - {model_name: ${name}, litellm_params: {model: openai/${model}, api_key: os.environ/KEY, api_base: "${simulator.url}/v1"${more}}, model_info: {id: ${name}-${model}}}`;
  const priced = ', input_cost_per_token: 0.000001, output_cost_per_token: 0.000002';
  gateway = await startGateway(
    `model_list:
${place('small', 'gpt-4o', `${priced}, rpm: 100000, tpm: 100000000`)}
${place('flaky', 'flaky-a', `${priced}, order: 1`)}
${place('flaky', 'flaky-b', `${priced}, order: 2`)}
${place('down', 'broken', priced)}
${place('dead', 'broken-too', priced)}
${place('deader', 'broken-three', priced)}
${place('unpriced', 'nobody-knows-its-price')}
router_settings: {num_retries: 0, cooldown_time: 600, fallbacks: [{down: [small]}, {dead: [deader]}]}
`,
    { KEY: 'sk-upstream', TOLLGATE_DEMO: 'false' },
  );
  simulator.inject('401', { match: { model: 'flaky-a' } });
  simulator.inject('500', { match: { model: 'broken' } });
  simulator.inject('500', { match: { model: 'broken-too' } });
  simulator.inject('500', { match: { model: 'broken-three' } });
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
});

const text = async () => (await fetch(`${gateway.url}/metrics`)).text();

async function made(path: string, body: object): Promise<Record<string, string>> {
  const answer = await gateway.post(path, body);
  expect([path, answer.status]).toEqual([path, 200]);
  return (await answer.json()) as Record<string, string>;
}

/** Keys of a team, of a user and of nobody, each with a budget that begins anew. */
async function makeKeys(): Promise<readonly string[]> {
  const budget = { max_budget: 10, budget_duration: '30d' };
  const { team_id } = await made('/team/new', { team_alias: 'the team', ...budget });
  const { user_id } = await made('/user/new', { user_id: 'ann', auto_create_key: false, ...budget });
  const keys = [
    await made('/key/generate', { key_alias: 'of-team', team_id }),
    await made('/key/generate', { key_alias: 'of-user', user_id, model_rpm_limit: { small: 100 } }),
    // A mark that the first answer passes.
    await made('/key/generate', { key_alias: 'alone', soft_budget: 0.000001, ...budget }),
  ];
  return keys.map(({ key = '' }) => key);
}

/** Requests of every kind: answered, streamed, from a fallback, benched, failed, refused, without a price. */
async function wave(keys: readonly string[]): Promise<void> {
  const ask = async (model: string, key: string, more: object = {}) => {
    const answer = await gateway.chat({ model, max_tokens: 20, ...more }, { authorization: `Bearer ${key}` });
    await answer.text();
    return answer.status;
  };
  for (const key of keys) {
    expect(await ask('small', key)).toBe(200);
    expect(await ask('small', key, { stream: true })).toBe(200);
  }
  expect(await ask('flaky', MASTER_KEY)).toBe(200);
  expect(await ask('down', MASTER_KEY)).toBe(200);
  expect(await ask('dead', MASTER_KEY)).toBeGreaterThanOrEqual(500);
  expect(await ask('unpriced', MASTER_KEY)).toBe(200);
  expect(await ask('made-up', MASTER_KEY)).toBe(400);
  expect(await ask('small', 'sk-nobody-has-this')).toBe(401);
}

describe('the files', () => {
  test('dashboards have ids and titles of their own, and queries in every panel', () => {
    expect(dashboards.map(({ uid }) => uid).toSorted()).toEqual([
      'tollgate-gateway-health',
      'tollgate-overview',
      'tollgate-providers',
      'tollgate-spend',
    ]);
    for (const { panels } of dashboards)
      for (const { title, type, targets } of panels)
        expect([title, type === 'row' || (targets?.length ?? 0) > 0]).toEqual([title, true]);
    expect(panels.length).toBeGreaterThan(60);
  });

  test('each alert says how urgent it is, and its runbook is a heading of the guide', () => {
    const guide = readFileSync(join(root, 'docs/guides/monitor.md'), 'utf8');
    for (const { alert, labels, annotations } of alerts) {
      expect([alert, ['page', 'ticket'].includes(labels.severity), annotations.summary !== '']).toEqual([
        alert,
        true,
        true,
      ]);
      expect(annotations.runbook).toBe(`docs/guides/monitor.md#${alert.toLowerCase()}`);
      expect(guide).toContain(`\n### ${alert}\n`);
    }
    const described = [...guide.matchAll(/^### (Tollgate\w+)$/gm)].map(([, name = '']) => name);
    expect(described.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
  });

  test('each alert is made to fire by a test of promtool', () => {
    const tests = readFileSync(join(deploy, 'prometheus/tests/alerts.yml'), 'utf8');
    const fired = [...tests.matchAll(/alertname="(\w+)"/g)].map(([, name = '']) => name);
    expect(fired.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
  });

  test('the classes of failures that alerts look at are those that clients are told', () => {
    const classes = alerts.flatMap(({ expr }) =>
      [...expr.matchAll(/exception_class=~"([^"]+)"/g)].flatMap(([, words = '']) => words.split('|')),
    );
    const kinds = Object.keys(ERRORS);
    expect(classes.filter((each) => !kinds.some((kind) => new RegExp(`^${each}$`).test(kind)))).toEqual([]);
    expect(classes.length).toBeGreaterThan(10);
  });

  test('Grafana finds Prometheus under the name that the dashboards know', () => {
    const source = parse(readFileSync(join(deploy, 'grafana/provisioning/datasources/prometheus.yaml'), 'utf8'));
    expect(source).toMatchObject({ apiVersion: 1, datasources: [{ uid: 'prometheus', type: 'prometheus' }] });
    const provider = parse(readFileSync(join(deploy, 'grafana/provisioning/dashboards/tollgate.yaml'), 'utf8'));
    expect(provider).toMatchObject({
      apiVersion: 1,
      providers: [{ type: 'file', options: { path: expect.any(String) } }],
    });
    for (const { templating } of dashboards)
      expect(templating.list.map(({ name }) => name)).toEqual(['datasource', 'job', 'instance']);
  });

  test('Prometheus is told to scrape port 4000 and to load the rules', () => {
    const config = parse(readFileSync(join(deploy, 'prometheus/prometheus.yml'), 'utf8'));
    expect(config).toMatchObject({
      rule_files: ['rules/*.yml'],
      scrape_configs: [{ job_name: 'tollgate', static_configs: [{ targets: ['tollgate:4000'] }] }, {}],
    });
  });
});

describe('a gateway under load', () => {
  let families: ReturnType<typeof parseExposition>;
  let prometheus: TestPrometheus | null = null;

  beforeAll(async () => {
    const keys = await makeKeys();
    if (PROMETHEUS !== null) prometheus = await startPrometheus(PROMETHEUS, scraping(gateway.port));
    await wave(keys);
    // Rates need a growth between two scrapes: the second wave begins when the first was seen.
    await seen(prometheus);
    await wave(keys);
    await seen(prometheus);
    families = parseExposition(await text());
  });

  afterAll(() => prometheus?.stop());

  test('serves the metrics of the reference, each with its type', async () => {
    const types = new Map([...(await text()).matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
    const page = readFileSync(join(root, 'docs/reference/metrics.md'), 'utf8');
    const rows = [...page.matchAll(/^\| `([a-z_]+)` \| (counter|gauge|histogram) \|/gm)];
    expect(new Map(rows.map(([, name, type]) => [name, type]))).toEqual(types);
  });

  test('serves every metric and label that dashboards and alerts name', () => {
    const isThere = (metric: string) => families.has(metric) || /^(up|scrape_\w+)$/.test(metric);
    const labelsOf = (metric: string) =>
      new Set([...ADDED, ...(families.get(metric)?.metrics ?? []).flatMap(({ labels }) => Object.keys(labels ?? {}))]);
    const wrong: string[] = [];
    let seen = 0;
    for (const [name, expression, legend] of expressions()) {
      const { metrics, matched, grouped } = namedIn(expression);
      const labels = new Set(metrics.flatMap((metric) => [...labelsOf(metric)]));
      const shown = [...(legend ?? '').matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
      seen += metrics.length;
      for (const metric of metrics) if (!isThere(metric)) wrong.push(`${name}: ${metric}`);
      for (const [metric, label] of matched)
        if (!labelsOf(metric).has(label)) wrong.push(`${name}: ${metric} ${label}`);
      for (const label of [...grouped, ...shown]) if (!labels.has(label)) wrong.push(`${name}: ${label}`);
    }
    expect(wrong).toEqual([]);
    expect(seen).toBeGreaterThan(120);
  });

  test('shows budgets and breakers as they are', async () => {
    const series = (name: string): Record<string, string>[] =>
      (families.get(name)?.metrics ?? []).map(({ labels, value }) => ({ ...labels, value }));
    expect(series('litellm_api_key_max_budget_metric')).toMatchObject([{ api_key_alias: 'alone', value: '10' }]);
    expect(series('litellm_team_max_budget_metric')).toMatchObject([{ team_alias: 'the team', value: '10' }]);
    expect(series('litellm_user_max_budget_metric')).toMatchObject([{ user: 'ann', value: '10' }]);
    // Two waves of two requests.
    expect(series('litellm_remaining_api_key_requests_for_model')).toMatchObject([
      { api_key_alias: 'of-user', model: 'small', value: '96' },
    ]);
    const [left] = series('litellm_remaining_api_key_budget_metric');
    expect(Number(left?.value)).toBeLessThan(10);
    expect(Number(left?.value)).toBeGreaterThan(9.9);
    const [hours] = series('litellm_team_budget_remaining_hours_metric');
    expect(Number(hours?.value)).toBeGreaterThan(0);
    expect(Number(hours?.value)).toBeLessThanOrEqual(31 * 24);
    expect(
      series('tollgate_breaker_state').filter(({ model_id, value }) => model_id === 'flaky-flaky-a' && value === '1'),
    ).toEqual([
      {
        model_id: 'flaky-flaky-a',
        model_group: 'flaky',
        api_provider: 'openai',
        state: 'ejected',
        value: '1',
      } as never,
    ]);
    expect(series('litellm_deployment_state').find(({ model_id }) => model_id === 'flaky-flaky-a')?.value).toBe('2');
    expect(await metricOf(gateway, 'tollgate_budget_leases')).toBe(0);
  });

  test('tells no secret', async () => {
    expect(await text()).not.toMatch(/sk-[A-Za-z0-9]/);
  });

  if (PROMETHEUS === null) loud('prometheus', 'the queries of dashboards and alerts are not run');
  else {
    const server = () => prometheus as TestPrometheus; // started above

    test('every query of a panel has data in Prometheus', async () => {
      const wrong: string[] = [];
      for (const { name, expr } of panels) {
        const { status, error, data } = await server().query(filledIn(expr));
        if (status !== 'success') wrong.push(`${name}: ${error}`);
        else if (!data?.result.some(({ value }) => value[1] !== 'NaN')) wrong.push(`${name}: no data: ${expr}`);
      }
      for (const { title, annotations } of dashboards)
        for (const { target } of annotations.list) {
          const { status, error } = await server().query(filledIn(target.expr));
          if (status !== 'success') wrong.push(`${title}: ${error}`);
        }
      expect(wrong).toEqual([]);
    });

    test('every metric of a selector of an alert has data, and every alert is evaluated without a fault', async () => {
      const empty: string[] = [];
      for (const { alert, expr } of alerts)
        for (const [selector] of expr.matchAll(/[a-z_]+\{[^}]*\}/g))
          if ((await server().value(`count(${selector})`)) === null) empty.push(`${alert}: ${selector}`);
      expect(empty).toEqual([]);
      await until(async () => (await server().rules()).every(({ health }) => health !== 'unknown'));
      const rules = await server().rules();
      expect(rules.map(({ name }) => name).toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
      expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
    });

    test('alerts of what the load did are raised, those of a gateway that is down are not', async () => {
      const states = async () => new Map((await server().rules()).map(({ name, state }) => [name, state]));
      await until(async () => (await states()).get('TollgateDeploymentOut') === 'pending');
      await until(async () => (await states()).get('TollgateUnknownPrices') === 'firing');
      const now = await states();
      expect([now.get('TollgateDown'), now.get('TollgateDatabaseAway')]).toEqual(['inactive', 'inactive']);
    });
  }

  if (PROMTOOL === null) loud('promtool', 'configuration, rules and exposition are not checked by it');
  else {
    test.each([
      ['the scrape configuration', ['check', 'config', join(deploy, 'prometheus/prometheus.yml')]],
      ['the rules', ['check', 'rules', '--lint=all', '--lint-fatal', ...ruleFiles]],
      ['what makes the alerts fire', ['test', 'rules', join(deploy, 'prometheus/tests/alerts.yml')]],
    ] as const)('promtool finds no fault in %s', async (_, words) => {
      const child = Bun.spawn([PROMTOOL, ...words], { stdout: 'pipe', stderr: 'pipe', env: {} });
      const [out, error] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
      expect([await child.exited, out + error]).toEqual([0, expect.stringContaining('SUCCESS')]);
    });

    test('promtool reads the text', async () => {
      const child = Bun.spawn([PROMTOOL, 'check', 'metrics'], {
        ...{ stdin: new Blob([await text()]), stdout: 'pipe', stderr: 'pipe', env: {} },
      });
      const said = (await new Response(child.stderr).text()).split('\n').filter((line) => line !== '');
      // Its lint does not like LiteLLM's names; ours it has to like. 3: lint found something; 1: it could not read.
      expect([0, 3]).toContain(await child.exited);
      expect(said.filter((line) => !line.startsWith('litellm_'))).toEqual([]);
    });
  }
});

test('a key is needed for /metrics when the configuration says so, and that of a viewer who may do nothing else is enough', async () => {
  const config = 'model_list: []\nlitellm_settings: {require_auth_for_metrics_endpoint: true}\n';
  const closed = await startGateway(config, { TOLLGATE_DEMO: 'false' });
  try {
    const generate = async (body: object) =>
      ((await (await closed.post('/key/generate', body)).json()) as { key: string }).key;
    const status = async (key: string | null) => {
      const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` };
      return (await fetch(`${closed.url}/metrics`, { headers })).status;
    };
    await closed.post('/user/new', { user_id: 'scraper', user_role: 'proxy_admin_viewer', auto_create_key: false });
    const scraper = await generate({ user_id: 'scraper', allowed_routes: ['/metrics'] });
    expect([await status(null), await status('sk-wrong'), await status(await generate({}))]).toEqual([401, 401, 403]);
    expect([await status(MASTER_KEY), await status(scraper)]).toEqual([200, 200]);
  } finally {
    await closed.stop();
  }
});

/** Every expression of ours with its name and, of panels, its legend. */
function* expressions(): Generator<readonly [name: string, expression: string, legend?: string | undefined]> {
  for (const { name, expr, legendFormat } of panels) yield [name, expr, legendFormat];
  for (const { alert, expr } of alerts) yield [alert, expr];
  for (const { title, annotations } of dashboards)
    for (const { target } of annotations.list) yield [title, target.expr];
}

/** As Grafana sends it: all instances, and a window in which the load lies. */
function filledIn(expression: string): string {
  return expression
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$__range', '1m')
    .replaceAll('$job', '.*')
    .replaceAll('$instance', '.*');
}

function scraping(port: number): string {
  return `
global: {scrape_interval: 500ms, evaluation_interval: 500ms}
rule_files: [${join(deploy, 'prometheus/rules')}/*.yml]
scrape_configs:
  - {job_name: tollgate, static_configs: [{targets: ['127.0.0.1:${port}']}]}
`;
}

/** Waits until Prometheus knows of every request. */
async function seen(prometheus: TestPrometheus | null): Promise<void> {
  if (prometheus === null) return;
  const series = 'litellm_proxy_total_requests_metric_total';
  const samples = parseExposition(await text()).get(series)?.metrics ?? [];
  const total = samples.reduce((sum, { value }) => sum + Number(value), 0);
  await until(async () => (await prometheus.value(`sum(${series})`)) === total);
}

function loud(name: string, what: string): void {
  test(`${name} is not here: ${what}`, () => {
    console.warn(`\n*** ${name} is not installed (or set ${name.toUpperCase()}=/path): ${what} ***\n`);
    expect(existsSync(join(deploy, 'prometheus/prometheus.yml'))).toBe(true);
  });
}
