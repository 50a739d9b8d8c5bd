import { nanoUsd, usd } from '../core/units.ts';

/** Series of one metric beyond this many share the label value `other`: names come from clients and configurations. */
const SERIES_LIMIT = 2_000;

type Labels = Readonly<Record<string, string>>;

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labelNames: readonly string[];
}

/** One series of a counter or a gauge, to be kept by who changes it often: labels are turned into text only once. */
export interface Cell {
  value: number;
}

/** One series of a sum of money. */
export interface Purse {
  value: bigint;
}

/** One series of a histogram. */
export interface Distribution {
  observe(value: number): void;
}

/** A number that only grows. */
export interface Counter {
  add(labels: Labels, by?: number): void;
  at(labels: Labels): Cell;
}

/** A number that is set. */
export interface Gauge {
  set(labels: Labels, value: number): void;
}

/** A distribution over fixed bounds. */
export interface Histogram {
  at(labels: Labels): Distribution;
}

/** Prometheus metrics in the text format 0.0.4; its memory is bounded whatever the labels. */
export class MetricsRegistry {
  readonly #render: (() => string)[] = [];

  counter(name: string, help: string, labelNames: readonly string[]): Counter {
    const series = this.#numbers({ name, help, type: 'counter', labelNames });
    return {
      add: (labels, by = 1) => {
        series.at(labels).value += by;
      },
      at: (labels) => series.at(labels),
    };
  }

  /** A counter of US dollars that is kept in nano-USD, so that it is exact however many small sums it takes. */
  money(name: string, help: string, labelNames: readonly string[]): { at(labels: Labels): Purse } {
    const series = new Series(labelNames, (): Purse => ({ value: 0n }));
    this.#render.push(() => {
      let out = header({ name, help, type: 'counter', labelNames });
      for (const [key, { value }] of series.cells) out += `${name}${braces(key)} ${usd(nanoUsd(value))}\n`;
      return out;
    });
    return { at: (labels) => series.at(labels) };
  }

  gauge(name: string, help: string, labelNames: readonly string[]): Gauge {
    const series = this.#numbers({ name, help, type: 'gauge', labelNames });
    return {
      set: (labels, value) => {
        series.at(labels).value = value;
      },
    };
  }

  #numbers(metric: Metric): Series<Cell> {
    const series = new Series(metric.labelNames, (): Cell => ({ value: 0 }));
    this.#render.push(() => text(metric, series));
    return series;
  }

  /** A gauge read when it is asked for. */
  observed(name: string, help: string, read: () => number): void {
    this.#render.push(() => `${header({ name, help, type: 'gauge', labelNames: [] })}${name} ${number(read())}\n`);
  }

  histogram(name: string, help: string, labelNames: readonly string[], bounds: readonly number[]): Histogram {
    const series = new Series(labelNames, () => new Buckets(bounds));
    this.#render.push(() => {
      let out = header({ name, help, type: 'histogram', labelNames });
      for (const [key, buckets] of series.cells) out += buckets.render(name, key);
      return out;
    });
    return { at: (labels) => series.at(labels) };
  }

  render(): string {
    return this.#render.map((render) => render()).join('');
  }
}

/** The series of one metric, one cell for each set of label values. */
class Series<T> {
  readonly cells = new Map<string, T>();
  readonly #labelNames: readonly string[];
  readonly #create: () => T;

  constructor(labelNames: readonly string[], create: () => T) {
    this.#labelNames = labelNames;
    this.#create = create;
  }

  at(labels: Labels): T {
    const key = bounded(this.cells, labelText(this.#labelNames, labels), this.#labelNames);
    const known = this.cells.get(key);
    if (known !== undefined) return known;
    const cell = this.#create();
    this.cells.set(key, cell);
    return cell;
  }
}

class Buckets implements Distribution {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count += 1;
    const bounds = this.#bounds;
    for (let index = 0; index < bounds.length; index++) {
      if (value > (bounds[index] as number)) continue;
      this.#counts[index] = (this.#counts[index] as number) + 1;
      return;
    }
  }

  render(name: string, key: string): string {
    let out = '';
    let below = 0;
    for (const [index, bound] of this.#bounds.entries()) {
      below += this.#counts[index] ?? 0;
      out += `${name}_bucket{${joined(key, `le="${bound}"`)}} ${below}\n`;
    }
    out += `${name}_bucket{${joined(key, 'le="+Inf"')}} ${this.#count}\n`;
    return `${out}${name}_sum${braces(key)} ${number(this.#sum)}\n${name}_count${braces(key)} ${this.#count}\n`;
  }
}

function text(metric: Metric, series: Series<Cell>): string {
  let out = header(metric);
  for (const [key, { value }] of series.cells) out += `${metric.name}${braces(key)} ${number(value)}\n`;
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
