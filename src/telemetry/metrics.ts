import type { MetricChoices } from '../core/snapshot.ts';
import { nanoUsd, usd } from '../core/units.ts';
import { Buckets, braces, type Cell, type Labels, number, Series } from './series.ts';

export type { Cell, Labels } from './series.ts';

/** Series of one counter or gauge; half as many more name no key. */
const SERIES_LIMIT = 1_000;
/** Series of one histogram, each of which is up to forty lines. */
const HISTOGRAM_LIMIT = 100;

/** Labels that LiteLLM has and that are left out unless `include_labels` asks for them. */
const ON_DEMAND: ReadonlySet<string> = new Set(['client_ip']);

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
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

/** Takes the value of one series. */
export type SetValue = (labels: Labels, value: number) => void;

/** Prometheus metrics in the text format 0.0.4; its memory is bounded whatever the labels. */
export class MetricsRegistry {
  readonly #parts: (() => string)[] = [];
  readonly #choices: MetricChoices;
  /** Names of `prometheus_metrics_config` that no metric has had so far. */
  readonly #unmet: Set<string>;

  /** @param choices which of LiteLLM's metrics are served, and with which labels; those of our own always are */
  constructor(choices: MetricChoices = null) {
    this.#choices = choices;
    this.#unmet = new Set(choices?.keys());
  }

  counter(name: string, help: string, labelNames: readonly string[]): Counter {
    const series = this.#numbers({ name, help, type: 'counter' }, labelNames);
    return {
      add: (labels, by = 1) => {
        series.at(labels).value += by;
      },
      at: (labels) => series.at(labels),
    };
  }

  /** A counter of US dollars that is kept in nano-USD, so that it is exact however many small sums it takes. */
  money(name: string, help: string, labelNames: readonly string[]): { at(labels: Labels): Purse } {
    const series = new Series(this.#labelsOf(name, labelNames), SERIES_LIMIT, (): Purse => ({ value: 0n }));
    this.#serve({ name, help, type: 'counter' }, () => {
      let out = '';
      for (const [key, { value }] of series.cells) out += `${name}${braces(key)} ${usd(nanoUsd(value))}\n`;
      return out;
    });
    return { at: (labels) => series.at(labels) };
  }

  gauge(name: string, help: string, labelNames: readonly string[]): Gauge {
    const series = this.#numbers({ name, help, type: 'gauge' }, labelNames);
    return {
      set: (labels, value) => {
        series.at(labels).value = value;
      },
    };
  }

  #numbers(metric: Metric, labelNames: readonly string[]): Series<Cell> {
    const series = this.#series(metric.name, labelNames);
    this.#serve(metric, () => lines(metric.name, series));
    return series;
  }

  #series(name: string, labelNames: readonly string[]): Series<Cell> {
    return new Series(this.#labelsOf(name, labelNames), SERIES_LIMIT, (): Cell => ({ value: 0 }));
  }

  /** A number without labels, read when it is asked for. */
  observed(name: string, help: string, read: () => number, type: 'gauge' | 'counter' = 'gauge'): void {
    this.#serve({ name, help, type }, () => `${name} ${number(read())}\n`);
  }

  /**
   * Gauges that are computed when they are asked for: they cost requests nothing.
   *
   * @param read gives the value of each series; of series that share labels, as those beyond the bound, the sum counts
   */
  scraped(name: string, help: string, labelNames: readonly string[], read: (set: SetValue) => void): void {
    this.#serve({ name, help, type: 'gauge' }, () => {
      const series = this.#series(name, labelNames);
      read((labels, value) => {
        series.at(labels).value += value;
      });
      return lines(name, series);
    });
  }

  histogram(name: string, help: string, labelNames: readonly string[], bounds: readonly number[]): Histogram {
    const series = new Series(this.#labelsOf(name, labelNames), HISTOGRAM_LIMIT, () => new Buckets(bounds));
    this.#serve({ name, help, type: 'histogram' }, () => {
      let out = '';
      for (const [key, buckets] of series.cells) out += buckets.render(name, key);
      return out;
    });
    return { at: (labels) => series.at(labels) };
  }

  render(): string {
    return [...this.parts()].join('');
  }

  /** The text metric by metric, for who wants to let others have a turn in between. */
  *parts(): Generator<string> {
    for (const part of this.#parts) yield part();
  }

  /** Names of `prometheus_metrics_config` that are none of the metrics here: misspelt, or of something that is not here. */
  get unknownChoices(): readonly string[] {
    return [...this.#unmet];
  }

  #serve(metric: Metric, body: () => string): void {
    if (this.#choices === null || !isLitellms(metric.name)) {
      this.#parts.push(() => header(metric) + body());
      return;
    }
    const names = namesOf(metric.name);
    for (const name of names) this.#unmet.delete(name);
    if (names.some((name) => this.#choices?.has(name))) this.#parts.push(() => header(metric) + body());
  }

  #labelsOf(name: string, labelNames: readonly string[]): readonly string[] {
    const chosen = isLitellms(name) ? namesOf(name).map((each) => this.#choices?.get(each)) : [];
    const included = chosen.find((each) => each != null) ?? null;
    // A label of the operator's own may have the name of one that is there.
    return [...new Set(labelNames)].filter((label) => included?.has(label) ?? !ON_DEMAND.has(label));
  }
}

/** Names that clients of LiteLLM know; the operator chooses among them. */
const isLitellms = (name: string): boolean => name.startsWith('litellm_');

/** As it is served, and as LiteLLM's configuration names it: the Python client adds `_total`. */
const namesOf = (name: string): readonly string[] => [name, name.replace(/_total$/, '')];

function lines(name: string, series: Series<Cell>): string {
  let out = '';
  for (const [key, { value }] of series.cells) out += `${name}${braces(key)} ${number(value)}\n`;
  return out;
}

function header({ name, help, type }: Metric): string {
  return `# HELP ${name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n# TYPE ${name} ${type}\n`;
}
