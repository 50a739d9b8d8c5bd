/** Label values of one series, by label name. */
export type Labels = Readonly<Record<string, string>>;

/** One series of a counter or a gauge, to be kept by who changes it often: labels are turned into text only once. */
export interface Cell {
  value: number;
}

/** What the labels hold beyond a bound. */
export const OTHER = 'other';

/** What labels hold that have no value, as LiteLLM writes it. */
export const NONE = 'None';

/** Labels that say who asked, but for the team. They are given up first where a metric has too many series. */
const WHO: ReadonlySet<string> = new Set(['end_user', 'hashed_api_key', 'api_key_alias', 'user', 'client_ip']);

/**
 * The series of one metric, one cell for each set of label values. Its size is bounded whatever the labels are:
 *
 *   at most `most` series as they come  ▶  half as many more by team alone  ▶  one for all the rest
 *
 * So what teams, models and deployments do stays visible where there are more callers than series.
 */
export class Series<T> {
  readonly cells = new Map<string, T>();
  readonly #labelNames: readonly string[];
  readonly #create: () => T;
  readonly #most: number;

  constructor(labelNames: readonly string[], most: number, create: () => T) {
    this.#labelNames = labelNames;
    this.#most = most;
    this.#create = create;
  }

  at(labels: Labels): T {
    const text = this.#bounded(labels);
    const known = this.cells.get(text);
    if (known !== undefined) return known;
    const cell = this.#create();
    this.cells.set(text, cell);
    return cell;
  }

  /** The labels as text, or those of a series that stands for many. */
  #bounded(labels: Labels): string {
    const { size } = this.cells;
    const whole = this.#text((name) => labels[name] ?? '');
    if (size < this.#most || this.cells.has(whole)) return whole;
    const nameless = this.#text((name) => (WHO.has(name) ? OTHER : (labels[name] ?? '')));
    if (size < this.#most * 1.5 || this.cells.has(nameless)) return nameless;
    return this.#text(() => OTHER);
  }

  #text(textOf: (name: string) => string): string {
    return this.#labelNames.map((name) => `${name}="${escapeLabel(textOf(name))}"`).join(',');
  }
}

function escapeLabel(value: string): string {
  return /["\\\n]/.test(value) ? value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n') : value;
}

/** A distribution over fixed bounds. */
export class Buckets {
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

  /** @param key labels as text */
  render(name: string, key: string): string {
    const more = key === '' ? '' : `${key},`;
    let out = '';
    let below = 0;
    for (const [index, bound] of this.#bounds.entries()) {
      below += this.#counts[index] ?? 0;
      out += `${name}_bucket{${more}le="${boundText(bound)}"} ${below}\n`;
    }
    out += `${name}_bucket{${more}le="+Inf"} ${this.#count}\n`;
    return `${out}${name}_sum${braces(key)} ${number(this.#sum)}\n${name}_count${braces(key)} ${this.#count}\n`;
  }
}

/** As the Python client and Prometheus 3 write it: `1.0`, not `1`, which would be another label value. */
function boundText(bound: number): string {
  return Number.isInteger(bound) ? bound.toFixed(1) : String(bound);
}

/** Labels as they follow a name. */
export function braces(key: string): string {
  return key === '' ? '' : `{${key}}`;
}

/** A number in the words of the exposition format. */
export function number(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}
