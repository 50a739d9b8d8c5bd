import { describe, expect, test } from 'bun:test';
import { parseExposition } from '../../test/support/exposition.ts';
import { MetricsRegistry } from './metrics.ts';

describe('the text', () => {
  test('is valid for a parser that is not ours, whatever is in the labels', () => {
    const registry = new MetricsRegistry();
    const nasty = 'a "quoted" \\ back\\slash\nand a line, {braces}=é';
    registry.counter('a_total', 'With a \\ and\na line.', ['one', 'two']).add({ one: nasty, two: '' }, 2);
    registry.gauge('b', 'Not a number.', []).set({}, Number.NaN);
    registry.scraped('c', 'Infinite.', ['x'], (set) => set({ x: '1' }, Number.POSITIVE_INFINITY));
    registry.histogram('d_seconds', 'A distribution.', ['x'], [0.5, 1]).at({ x: 'y' }).observe(0.7);
    const families = parseExposition(registry.render());
    expect(families.get('a_total')?.metrics).toEqual([{ value: '2', labels: { one: nasty, two: '' } }]);
    expect(families.get('b')?.metrics).toEqual([{ value: 'NaN' }]);
    expect(families.get('c')?.metrics).toEqual([{ value: '+Inf', labels: { x: '1' } }]);
    expect(families.get('d_seconds_bucket')?.metrics).toEqual([
      { value: '0', labels: { x: 'y', le: '0.5' } },
      { value: '1', labels: { x: 'y', le: '1.0' } },
      { value: '1', labels: { x: 'y', le: '+Inf' } },
    ]);
    expect(families.get('d_seconds_sum')?.metrics).toEqual([{ value: '0.7', labels: { x: 'y' } }]);
  });

  test('that is not valid is refused by that parser', () => {
    expect(() => parseExposition('a{b="c} 1\n')).toThrow();
  });
});

test('a label that is given twice is there once', () => {
  const registry = new MetricsRegistry();
  registry.counter('a_total', 'A.', ['team', 'team']).add({ team: 't' });
  expect(registry.render()).toContain('\na_total{team="t"} 1\n');
});

describe('a metric with too many series', () => {
  test('gives up who asked first, and only then the rest', () => {
    const registry = new MetricsRegistry();
    const counter = registry.counter('a_total', 'A.', ['hashed_api_key', 'model']);
    for (let key = 0; key < 5_000; key += 1) counter.add({ hashed_api_key: `key-${key}`, model: `m-${key % 3}` });
    for (let model = 0; model < 5_000; model += 1) counter.add({ hashed_api_key: 'late', model: `late-${model}` });
    const series = parseExposition(registry.render()).get('a_total')?.metrics ?? [];
    expect(series.length).toBe(1_501);
    const found = (key: string, model: string) =>
      series.find(({ labels }) => labels?.hashed_api_key === key && labels.model === model)?.value;
    expect(found('key-0', 'm-0')).toBe('1');
    // 1,000 are named; of the 4,000 others each model has its third.
    expect(Number(found('other', 'm-0')) + Number(found('other', 'm-1')) + Number(found('other', 'm-2'))).toBe(4_000);
    expect(series.reduce((sum, { value }) => sum + Number(value), 0)).toBe(10_000);
    expect(Number(found('other', 'other'))).toBe(5_000 - 497);
  });

  test('a gauge that is computed has one sum for all the rest', () => {
    const registry = new MetricsRegistry();
    registry.scraped('g', 'G.', ['id'], (set) => {
      for (let id = 0; id < 3_000; id += 1) set({ id: String(id) }, 1);
    });
    for (let scrape = 0; scrape < 2; scrape += 1) {
      const series = parseExposition(registry.render()).get('g')?.metrics ?? [];
      expect(series.length).toBeLessThan(1_502);
      expect(series.reduce((sum, { value }) => sum + Number(value), 0)).toBe(3_000);
    }
  });
});

describe('prometheus_metrics_config', () => {
  const served = (choices: ReadonlyMap<string, ReadonlySet<string> | null>) => {
    const registry = new MetricsRegistry(choices);
    registry
      .counter('litellm_a_total', 'A.', ['team', 'model', 'client_ip'])
      .add({ team: 't', model: 'm', client_ip: 'i' });
    registry.counter('litellm_b_total', 'B.', []).add({});
    registry.counter('tollgate_c_total', 'C.', ['model']).add({ model: 'm' });
    return { families: parseExposition(registry.render()), unknown: registry.unknownChoices };
  };

  test('leaves only the metrics that it names, and ours', () => {
    const { families, unknown } = served(
      new Map([
        ['litellm_a', null],
        ['litellm_typo', null],
      ]),
    );
    expect([...families.keys()]).toEqual(['litellm_a_total', 'tollgate_c_total']);
    expect(families.get('litellm_a_total')?.metrics[0]?.labels).toEqual({ team: 't', model: 'm' });
    expect(unknown).toEqual(['litellm_typo']);
  });

  test('leaves only the labels that it names, also those that are left out otherwise', () => {
    const { families } = served(new Map([['litellm_a_total', new Set(['model', 'client_ip'])]]));
    expect(families.get('litellm_a_total')?.metrics[0]?.labels).toEqual({ model: 'm', client_ip: 'i' });
  });
});
