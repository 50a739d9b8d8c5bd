/** Series of one metric beyond this many share the label value `other`: names come from clients and configurations. */
const SERIES_LIMIT = 2_000;

type Labels = Readonly<Record<string, string>>;

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labelNames: readonly string[];
}

/** A number that only grows. */
export interface Counter {
  add(labels: Labels, by?: number): void;
}

/** A number that is set. */
export interface Gauge {
  set(labels: Labels, value: number): void;
}

/** A distribution over fixed bounds. */
export interface Histogram {
  observe(labels: Labels, value: number): void;
}

/** Prometheus metrics in the text format 0.0.4; its memory is bounded whatever the labels. */
export class MetricsRegistry {
  readonly #render: (() => string)[] = [];

  counter(name: string, help: string, labelNames: readonly string[]): Counter {
    const series = new Series(labelNames);
    this.#render.push(() => text({ name, help, type: 'counter', labelNames }, series));
    return { add: (labels, by = 1) => series.change(labels, (value) => value + by) };
  }

  gauge(name: string, help: string, labelNames: readonly string[]): Gauge {
    const series = new Series(labelNames);
    this.#render.push(() => text({ name, help, type: 'gauge', labelNames }, series));
    return { set: (labels, value) => series.change(labels, () => value) };
  }

  /** A gauge read when it is asked for. */
  observed(name: string, help: string, read: () => number): void {
    this.#render.push(() => `${header({ name, help, type: 'gauge', labelNames: [] })}${name} ${number(read())}\n`);
  }

  histogram(name: string, help: string, labelNames: readonly string[], bounds: readonly number[]): Histogram {
    const metric: Metric = { name, help, type: 'histogram', labelNames };
    const series = new Map<string, { sum: number; count: number; readonly buckets: number[] }>();
    this.#render.push(() => {
      let out = header(metric);
      for (const [key, { sum, count, buckets }] of series) {
        let below = 0;
        for (const [index, bound] of bounds.entries()) {
          below += buckets[index] ?? 0;
          out += `${name}_bucket{${joined(key, `le="${bound}"`)}} ${below}\n`;
        }
        out += `${name}_bucket{${joined(key, 'le="+Inf"')}} ${count}\n`;
        out += `${name}_sum${braces(key)} ${number(sum)}\n${name}_count${braces(key)} ${count}\n`;
      }
      return out;
    });
    return {
      observe: (labels, value) => {
        const key = bounded(series, labelText(labelNames, labels), labelNames);
        let entry = series.get(key);
        if (entry === undefined) {
          entry = { sum: 0, count: 0, buckets: bounds.map(() => 0) };
          series.set(key, entry);
        }
        entry.sum += value;
        entry.count += 1;
        const index = bounds.findIndex((bound) => value <= bound);
        if (index >= 0) entry.buckets[index] = (entry.buckets[index] ?? 0) + 1;
      },
    };
  }

  render(): string {
    return this.#render.map((render) => render()).join('');
  }
}

class Series {
  readonly values = new Map<string, number>();
  readonly #labelNames: readonly string[];

  constructor(labelNames: readonly string[]) {
    this.#labelNames = labelNames;
  }

  change(labels: Labels, next: (value: number) => number): void {
    const key = bounded(this.values, labelText(this.#labelNames, labels), this.#labelNames);
    this.values.set(key, next(this.values.get(key) ?? 0));
  }
}

function text(metric: Metric, series: Series): string {
  let out = header(metric);
  for (const [key, value] of series.values) out += `${metric.name}${braces(key)} ${number(value)}\n`;
  return out;
}

function header({ name, help, type }: Metric): string {
  return `# HELP ${name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n# TYPE ${name} ${type}\n`;
}

function bounded(series: ReadonlyMap<string, unknown>, key: string, labelNames: readonly string[]): string {
  if (series.has(key) || series.size < SERIES_LIMIT) return key;
  return labelNames.map((name) => `${name}="other"`).join(',');
}

function labelText(names: readonly string[], labels: Labels): string {
  let out = '';
  for (const name of names) out += `${out === '' ? '' : ','}${name}="${escapeLabel(labels[name] ?? '')}"`;
  return out;
}

function escapeLabel(value: string): string {
  return /["\\\n]/.test(value) ? value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n') : value;
}

function joined(key: string, more: string): string {
  return key === '' ? more : `${key},${more}`;
}

function braces(key: string): string {
  return key === '' ? '' : `{${key}}`;
}

function number(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}
