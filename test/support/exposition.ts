import parse from 'parse-prometheus-text-format';

/** One metric as a parser that is not ours reads it. */
export interface Family {
  readonly name: string;
  readonly metrics: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: string }[];
}

/**
 * Reads a text in Prometheus' exposition format; `promtool`, where it is, looks at the same text more strictly.
 *
 * The parser puts histograms of one name together whatever their labels, so it is told that they are plain samples; and it
 * lets samples without a value or with an impossible name pass, which are refused here.
 *
 * @returns samples by their names: of a histogram `name_bucket`, `name_sum` and `name_count`
 * @throws when it is not valid
 */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  const families = parse(text.replace(/^# TYPE \S+ histogram\n/gm, '')) as readonly Family[];
  const samples = families.filter(({ metrics }) => metrics.length > 0);
  for (const { name, metrics } of samples)
    for (const { value } of metrics)
      if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name) || !/^([-+]?\d[-+.\de]*|[-+]Inf|NaN)$/.test(value))
        throw new Error(`not a sample: ${name} ${value}`);
  // A name comes again with the next series of its histogram.
  const byName = Map.groupBy(samples, ({ name }) => name);
  return new Map(
    [...byName].map(([name, parts]) => [name, { name, metrics: parts.flatMap(({ metrics }) => metrics) }]),
  );
}
