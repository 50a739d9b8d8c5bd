import type { LoadResult } from './native.ts';

/** One load run through one variant. */
export interface Sample {
  readonly workload: string;
  readonly variant: string;
  readonly round: number;
  readonly load: LoadResult;
  /** CPU time of the proxy's processes during the run, nanoseconds; 0 for `direct`. */
  readonly cpuNanos: number;
  /** Resident memory right after the run, bytes; 0 for `direct`. */
  readonly rssBytes: number;
}

/** Everything one run of the benchmark found; kept as JSON. */
export interface Results {
  readonly about: Record<string, string>;
  readonly samples: readonly Sample[];
  /** First 200 after exec, milliseconds, per variant and start. */
  readonly firstAnswerMs: Record<string, readonly number[]>;
  readonly idleRssBytes: Record<string, number>;
  /** Wrong answers found by the check before the measurement, and errors under load. */
  readonly faults: readonly string[];
}

/** Middle value and extremes. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Median of the values; an even count takes the mean of the two in the middle. NaN when there are none. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? at(Math.floor(middle)) : (at(middle - 1) + at(middle)) / 2;
  return { median, min: at(0), max: at(sorted.length - 1) };
}

/** A limit from the issue, and how the run stands to it. Missing a target is a fact, not an error. */
export interface Target {
  readonly what: string;
  readonly limit: string;
  readonly measured: string;
  readonly isMet: boolean;
}

/** CPU of one completed request, or of one relayed event of a stream, in microseconds. */
export function cpuMicros(sample: Sample): number {
  return sample.cpuNanos / 1000 / (sample.load.events || sample.load.completed);
}

/** Compares the variant `tollgate` with the targets; those whose measurements are missing are left out. */
export function targets(results: Results): readonly Target[] {
  const rows: Target[] = [];
  const limit = (what: string, value: Spread, most: number, unit: string) => {
    if (Number.isNaN(value.median)) return;
    const measured = `${format(value.median)}${unit} (${format(value.min)}–${format(value.max)})`;
    rows.push({ what, limit: `≤ ${most}${unit}`, measured, isMet: value.median <= most });
  };
  for (const workload of workloadsOf(results)) {
    const cpu = () => ratios(results, workload, 'tollgate', 'nginx');
    if (workload.startsWith('small')) limit(`CPU per request, ${workload}`, cpu(), 4, ' × nginx');
    if (workload.startsWith('1m')) limit(`CPU per request, ${workload}`, cpu(), 3, ' × nginx');
    if (workload.startsWith('stream')) limit(`CPU per event, ${workload}`, cpu(), 2, ' × nginx');
    if (workload !== 'small x 1' && !workload.includes('rps')) continue;
    limit(`added p50, ${workload}`, added(results, workload, 'tollgate', 'p50'), 0.5, ' ms');
    limit(`added p99, ${workload}`, added(results, workload, 'tollgate', 'p99'), 2, ' ms');
  }
  const idle = results.idleRssBytes.tollgate;
  if (idle !== undefined) limit('idle RSS', spread([idle / 2 ** 20]), 80, ' MB');
  limit('first 200 after exec', spread(results.firstAnswerMs.tollgate ?? []), 1000, ' ms');
  return rows;
}

/** CPU per unit of a variant divided by that of another in the same round. */
function ratios(results: Results, workload: string, variant: string, base: string): Spread {
  return paired(results, workload, variant, base, (mine, theirs) => cpuMicros(mine) / cpuMicros(theirs));
}

/** Latency beyond that of the mock without a proxy in the same round, milliseconds. */
function added(results: Results, workload: string, variant: string, quantile: 'p50' | 'p99'): Spread {
  return paired(results, workload, variant, 'direct', (mine, direct) => {
    return (mine.load.latencyUs[quantile] - direct.load.latencyUs[quantile]) / 1000;
  });
}

function paired(
  results: Results,
  workload: string,
  variant: string,
  base: string,
  compare: (mine: Sample, base: Sample) => number,
): Spread {
  const of = (name: string) =>
    results.samples.filter((sample) => sample.workload === workload && sample.variant === name);
  const bases = new Map(of(base).map((sample) => [sample.round, sample]));
  const values: number[] = [];
  for (const mine of of(variant)) {
    const other = bases.get(mine.round);
    if (other !== undefined) values.push(compare(mine, other));
  }
  return spread(values);
}

/** The whole report as Markdown. */
export function markdown(results: Results): string {
  const parts = [
    '# End-to-end benchmark',
    '',
    'Raw numbers: the JSON file of the same name. Method and limits: `bench/README.md`.',
    '',
  ];
  for (const [name, value] of Object.entries(results.about)) parts.push(`- ${name}: ${value}`);
  parts.push(
    '',
    '## Faults',
    '',
    ...(results.faults.length === 0 ? ['none'] : results.faults.map((fault) => `- ${fault}`)),
  );
  const rows = targets(results);
  if (rows.length > 0) {
    parts.push(
      '',
      '## Targets',
      '',
      ...table(
        ['target', 'limit', 'measured: median (min–max)', 'verdict'],
        [...rows.map((row) => [row.what, row.limit, row.measured, row.isMet ? 'met' : '**not met**'])],
      ),
    );
  }
  parts.push(
    '',
    '## Start and memory',
    '',
    ...table(['variant', 'first 200 ms', 'idle RSS MB', 'largest RSS MB after a run'], startRows(results)),
  );
  for (const workload of workloadsOf(results))
    parts.push('', `## ${workload}`, '', ...workloadTable(results, workload));
  return `${parts.join('\n')}\n`;
}

function startRows(results: Results): string[][] {
  return Object.keys(results.firstAnswerMs).map((variant) => {
    const rss = results.samples.filter((sample) => sample.variant === variant).map((sample) => sample.rssBytes);
    return [
      variant,
      show(spread(results.firstAnswerMs[variant] ?? [])),
      mb(results.idleRssBytes[variant] ?? 0),
      mb(Math.max(0, ...rss)),
    ];
  });
}

function workloadTable(results: Results, workload: string): readonly string[] {
  const isStream = workload.startsWith('stream');
  const head = isStream
    ? ['variant', 'CPU µs/event', '× nginx', 'event delay p50 / p99 ms', 'first event p50 / p99 ms', 'RSS MB']
    : ['variant', 'CPU µs/request', '× nginx', 'requests/s', 'p50 ms', 'p99 ms', 'added p50 / p99 ms', 'RSS MB'];
  const samples = results.samples.filter((sample) => sample.workload === workload);
  const names = [...new Set(samples.map((sample) => sample.variant))].sort();
  return table(
    head,
    names.map((name) =>
      workloadRow(
        results,
        workload,
        name,
        samples.filter((sample) => sample.variant === name),
      ),
    ),
  );
}

function workloadRow(results: Results, workload: string, variant: string, samples: readonly Sample[]): string[] {
  const of = (pick: (sample: Sample) => number) => spread(samples.map(pick));
  const isDirect = variant === 'direct';
  const cpu = isDirect ? ['–', '–'] : [show(of(cpuMicros)), show(ratios(results, workload, variant, 'nginx'))];
  const rss = isDirect ? '–' : mb(of((sample) => sample.rssBytes).median);
  if (workload.startsWith('stream')) {
    return [
      variant,
      ...cpu,
      `${format(of((sample) => sample.load.eventDelayUs.p50 / 1000).median)} / ${show(of((sample) => sample.load.eventDelayUs.p99 / 1000))}`,
      `${format(of((sample) => sample.load.firstEventUs.p50 / 1000).median)} / ${format(of((sample) => sample.load.firstEventUs.p99 / 1000).median)}`,
      rss,
    ];
  }
  const extra = isDirect
    ? '–'
    : (['p50', 'p99'] as const).map((q) => format(added(results, workload, variant, q).median)).join(' / ');
  return [
    variant,
    ...cpu,
    show(of((sample) => (sample.load.inWindow / sample.load.windowMs) * 1000)),
    show(of((sample) => sample.load.latencyUs.p50 / 1000)),
    show(of((sample) => sample.load.latencyUs.p99 / 1000)),
    extra,
    rss,
  ];
}

function workloadsOf(results: Results): readonly string[] {
  return [...new Set(results.samples.map((sample) => sample.workload))];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

const show = (value: Spread) => `${format(value.median)} (${format(value.min)}–${format(value.max)})`;
const mb = (bytes: number) => (bytes / 2 ** 20).toFixed(0);

/** Three significant digits; nothing in this benchmark is more exact. */
function format(value: number): string {
  if (Number.isNaN(value)) return '–';
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
