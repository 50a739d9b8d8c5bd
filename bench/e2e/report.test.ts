import { expect, test } from 'bun:test';
import type { LoadResult } from './native.ts';
import { cpuMicros, markdown, type Results, type Sample, spread, targets } from './report.ts';

const NONE = { count: 0, p50: 0, p90: 0, p99: 0, max: 0 };

function sample(
  workload: string,
  variant: string,
  round: number,
  cpuMs: number,
  p50Us: number,
  load: Partial<LoadResult> = {},
): Sample {
  return {
    workload,
    variant,
    round,
    cpuNanos: cpuMs * 1e6,
    rssBytes: 50 * 2 ** 20,
    load: {
      ...{ completed: 1000, inWindow: 1000, errors: 0, firstError: '', reconnects: 0, events: 0, windowMs: 1000 },
      ...{ latencyUs: { ...NONE, p50: p50Us, p99: p50Us * 2 }, firstEventUs: NONE, eventDelayUs: NONE },
      ...load,
    },
  };
}

function results(samples: readonly Sample[]): Results {
  return {
    about: {},
    samples,
    firstAnswerMs: { tollgate: [200, 1500, 300] },
    idleRssBytes: { tollgate: 90 * 2 ** 20 },
    faults: [],
  };
}

test('a median of an even count is the mean of the middle two', () => {
  expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
});

test('CPU is counted per request, and per event where there are events', () => {
  expect(cpuMicros(sample('small x 64', 'nginx', 0, 20, 0))).toBe(20);
  expect(cpuMicros(sample('stream x 64', 'nginx', 0, 20, 0, { completed: 10, events: 600 }))).toBeCloseTo(33.33, 1);
});

test('a target is judged by the median of the ratios within each round', () => {
  // The neighbours were loud in the last round; both variants slowed down and the ratio did not change.
  const rows = targets(
    results([
      sample('small x 64', 'nginx', 0, 10, 0),
      sample('small x 64', 'tollgate', 0, 30, 0),
      sample('small x 64', 'nginx', 1, 10, 0),
      sample('small x 64', 'tollgate', 1, 39, 0),
      sample('small x 64', 'nginx', 2, 100, 0),
      sample('small x 64', 'tollgate', 2, 410, 0),
    ]),
  );
  expect(rows).toContainEqual({
    what: 'CPU per request, small x 64',
    limit: '≤ 4 × nginx',
    measured: '3.9 × nginx (3–4.1)',
    isMet: true,
  });
});

test('added latency is what lies above the mock alone, and a miss is reported as a miss', () => {
  const rows = targets(results([sample('small x 1', 'direct', 0, 0, 100), sample('small x 1', 'tollgate', 0, 1, 900)]));
  expect(rows.map((row) => [row.what, row.isMet])).toEqual([
    ['added p50, small x 1', false],
    ['added p99, small x 1', true],
    ['idle RSS', false],
    ['first 200 after exec', true],
  ]);
});

test('a run without the gateway has no verdicts and still makes a table', () => {
  const text = markdown({ ...results([sample('small x 64', 'nginx', 0, 10, 0)]), firstAnswerMs: {}, idleRssBytes: {} });
  expect(text).not.toContain('## Targets');
  expect(text).toContain('| nginx | 10 (10–10) | 1 (1–1) |');
});
