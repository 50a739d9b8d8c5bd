import { beforeAll, describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root as keys } from '../../src/config/keys/root.ts';
import type { Section } from '../../src/config/table.ts';
import { ERRORS } from '../../src/core/errors.ts';
import { USUAL_METRICS } from '../../src/core/snapshot.ts';
import { epochMillis } from '../../src/core/units.ts';
import { AttemptMetrics } from '../../src/telemetry/attempt-metrics.ts';
import { observeBudgets } from '../../src/telemetry/budget-metrics.ts';
import { observeDeployments } from '../../src/telemetry/deployment-metrics.ts';
import { observeModelLimits } from '../../src/telemetry/limit-metrics.ts';
import { type Counter, type Histogram, MetricsRegistry, type SetValue } from '../../src/telemetry/metrics.ts';
import { RequestMetrics } from '../../src/telemetry/request-metrics.ts';
import { pages, quoted, read, repositoryFiles, root, tableRows } from './documents.ts';

const PAGES = pages();
const page = (path: string): string => PAGES.get(path) ?? '';
/** Text of one chapter of a page, its heading left out. */
const chapter = (path: string, heading: string): string =>
  page(path)
    .split(/^## /m)
    .find((part) => part.startsWith(`${heading}\n`)) ?? '';

/** The sources of some folders, tests left out, as one text. */
const sourcesOf = (...folders: readonly string[]): string =>
  repositoryFiles()
    .filter((path) => folders.some((folder) => path.startsWith(folder)) && /(?<!\.test)\.ts$/.test(path))
    .map(read)
    .join('\n');

const sorted = (words: Iterable<string>): readonly string[] => [...new Set(words)].toSorted();

describe('links', () => {
  test('lead to files that are there, and to headings that are there', () => {
    const broken: string[] = [];
    let seen = 0;
    for (const [path, text] of PAGES) {
      for (const [, target = ''] of withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        seen += 1;
        const [file = '', heading] = target.split('#');
        const there = file === '' ? path : join(dirname(path), file);
        const isKnown =
          existsSync(join(root, there)) && (heading === undefined || headings(page(there)).includes(heading));
        if (!isKnown) broken.push(`${path}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
    expect(seen).toBeGreaterThan(30);
  });

  test('every page of docs is linked from another', () => {
    const linked = new Set<string>();
    for (const [path, text] of PAGES) {
      for (const [, target = ''] of text.matchAll(/\]\(([^)#\s]+)/g)) linked.add(join(dirname(path), target));
    }
    const lost = [...PAGES.keys()].filter(
      (path) => path.startsWith('docs/') && !linked.has(path) && !linked.has(`${dirname(path)}/`),
    );
    expect(lost).toEqual([]);
  });
});

function withoutCode(text: string): string {
  return text.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '');
}

/** Fragments that Markdown renderers make of a page's headings. */
function headings(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^a-z0-9_ -]/g, '')
      .replaceAll(' ', '-'),
  );
}

describe('commands', () => {
  const SOURCE: Readonly<Record<string, string>> = {
    serve: 'src/cli/arguments.ts',
    check: 'src/cli/check.ts',
    explain: 'src/cli/explain.ts',
    simulate: 'src/cli/simulate.ts',
    doctor: 'src/cli/doctor.ts',
    import: 'src/cli/import.ts',
    credentials: 'src/cli/credentials.ts',
    keys: 'src/cli/keys.ts',
    ledger: 'src/cli/ledger.ts',
    migrate: 'src/cli/migrate.ts',
  };

  /** Whether a source speaks of a flag: as an option, in a list of options, or in its help. */
  const hasFlag = (source: string, flag: string): boolean => {
    const name = flag.slice(2);
    const spellings = [name, name.replaceAll('-', '_')];
    return spellings.some((each) => new RegExp(`['"\\s{]${each}['"]?:|'(--)?${each}'`).test(source));
  };

  test('every flag after `tollgate` is one that the command takes', () => {
    const wrong: string[] = [];
    let seen = 0;
    for (const [path, text] of PAGES) {
      for (const line of text.replaceAll('\\\n', ' ').split('\n')) {
        for (const [, words = ''] of line.matchAll(/(?:^|[\s`/])tollgate ((?:[^`|&]| \|\| )+)/g)) {
          const command =
            /^(check|explain|simulate|doctor|keys|ledger|migrate|import|credentials)\b/.exec(words)?.[1] ?? 'serve';
          const source = read(SOURCE[command] ?? '');
          for (const [flag] of words.matchAll(/(?<=\s|^|\[)--[a-z][a-z0-9_-]*/g)) {
            seen += 1;
            if (!hasFlag(source, flag)) wrong.push(`${path}: ${command} ${flag}`);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(seen).toBeGreaterThan(10);
  });

  test('every flag of the command-line page is one of the server', () => {
    const source = read('src/cli/arguments.ts');
    const flags = quoted(chapter('docs/reference/cli.md', 'Serve')).flatMap(
      (words) => /^--[a-z0-9_-]+/.exec(words)?.[0] ?? [],
    );
    expect(flags.length).toBeGreaterThan(20);
    expect(flags.filter((flag) => !hasFlag(source, flag))).toEqual([]);
  });

  test('every flag of the server is on the command-line page', () => {
    const accepted = [...read('src/cli/arguments.ts').matchAll(/\.\.\.\[([^\]]*)\]/g)].flatMap(([, list = '']) =>
      [...list.matchAll(/'([a-z0-9_]+)'/g)].map(([, name]) => name ?? ''),
    );
    expect(accepted.length).toBeGreaterThan(10);
    for (const flag of [...accepted, 'data-dir', 'env-file', 'health', 'test'])
      expect(page('docs/reference/cli.md')).toContain(`\`--${flag}`);
  });

  test('every variable of the command-line page is read, and every variable that is read is there', () => {
    const text = page('docs/reference/cli.md');
    const sources = sourcesOf('src/cli', 'src/config', 'src/providers', 'src/secrets');
    const named = sorted(
      quoted(text).flatMap((words) => /^([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)(=true)?$/.exec(words)?.[1] ?? []),
    )
      // Not a variable: a signal, a method, a stand-in.
      .filter((name) => !['SIGTERM', 'SIGINT', 'SIGHUP', 'GET', 'FILE'].includes(name));
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((name) => !sources.includes(name))).toEqual([]);

    const readBy = sorted(
      [...sources.matchAll(/\benv\.([A-Z][A-Z_]+)|[vV]ariable\((?:\w+, )?'([A-Z_]+)'/g)].map(
        ([, one, other]) => one ?? other ?? '',
      ),
    );
    expect(readBy.length).toBeGreaterThan(15);
    expect(readBy.filter((name) => !named.includes(name))).toEqual([]);
  });
});

describe('errors.md', () => {
  const text = page('docs/reference/errors.md');

  test('has every failure with the statuses and the type that the code has', () => {
    const rows = tableRows(text).filter(([kind = '']) => kind.startsWith('`'));
    const written = [
      ...rows.map(([kind = '', status, litellm, type = '']) => [
        quoted(kind)[0],
        `${status} ${litellm}`.trim(),
        quoted(type)[0],
      ]),
    ];
    const expected = Object.entries(ERRORS).map(([kind, row]) => [
      kind,
      'litellmStatus' in row ? `${row.status} ${row.litellmStatus}` : String(row.status),
      row.type,
    ]);
    expect(Object.fromEntries(written.map(([kind, ...rest]) => [kind, rest]))).toEqual(
      Object.fromEntries(expected.map(([kind, ...rest]) => [kind, rest])),
    );
    expect(written.length).toBe(expected.length);
  });

  test('has no failure that nothing sends', () => {
    const senders = sourcesOf(
      ...['src/gateway', 'src/endpoints', 'src/providers', 'src/metering', 'src/ledger', 'src/cli', 'src/control'],
    );
    expect(Object.keys(ERRORS).filter((kind) => !senders.includes(`'${kind}'`))).toEqual([]);
  });
});

describe('headers.md', () => {
  const path = 'docs/reference/headers.md';
  const firstCells = (heading: string): readonly string[] =>
    tableRows(chapter(path, heading)).flatMap(([cell = '']) => quoted(cell));
  const senders = sourcesOf('src/gateway', 'src/transport');

  test('names only request headers that are read, and all that are', () => {
    const written = firstCells('Request headers that are read');
    expect(written.filter((name) => !senders.includes(`'${name}'`))).toEqual([]);
    const used = [
      ...sourcesOf('src/gateway').matchAll(/request\.header\('([a-z-]+)'\)|headerNumber\(request, '([a-z-]+)'\)/g),
    ];
    expect(used.length).toBeGreaterThan(8);
    for (const [, one, other] of used) expect(written).toContain(one ?? other ?? '');
  });

  test('names only response headers that are set, and all that are', () => {
    const set = [...senders.matchAll(/(?:push\(|\s|, |\[)\['([a-z-]+)', |headers\.set\('([a-z-]+)'/g)];
    const ours = sorted(
      set.map(([, one, other]) => one ?? other ?? '').filter((name) => /^x-(litellm|gateway)-/.test(name)),
    );
    expect(ours.length).toBeGreaterThan(10);
    const text = chapter(path, 'Response headers');
    for (const name of ours) expect(quoted(text)).toContain(name);
    const written = quoted(text).filter((name) => /^[a-z-]+$/.test(name) && name.includes('-'));
    expect(written.filter((name) => !senders.includes(name))).toEqual([]);
  });

  test('names every member of the body that the gateway keeps', () => {
    const [, list = ''] = /GATEWAY_MEMBERS[^=]*= new Set\(\[([\s\S]*?)\]\);/.exec(senders) ?? [];
    const members = [...list.matchAll(/'([a-zA-Z_-]+)'/g)].map(([, name = '']) => name);
    expect(members.length).toBeGreaterThan(30);
    expect(sorted(firstCells('Members of the body'))).toEqual(sorted(members));
  });
});

/** Notes what is registered. */
class RecordingRegistry extends MetricsRegistry {
  readonly seen = new Map<string, string>();

  override counter(name: string, help: string, labels: readonly string[]): Counter {
    this.#note('counter', name, labels);
    return super.counter(name, help, labels);
  }

  override money(name: string, help: string, labels: readonly string[]) {
    this.#note('counter', name, labels);
    return super.money(name, help, labels);
  }

  override histogram(name: string, help: string, labels: readonly string[], bounds: readonly number[]): Histogram {
    this.#note('histogram', name, labels);
    return super.histogram(name, help, labels, bounds);
  }

  override scraped(name: string, help: string, labels: readonly string[], read: (set: SetValue) => void): void {
    this.#note('gauge', name, labels);
    super.scraped(name, help, labels, read);
  }

  #note(type: string, name: string, labels: readonly string[]): void {
    this.seen.set(name, `${type} ${labels.filter((label) => label !== 'client_ip').join(' ')}`.trim());
  }
}

describe('metrics.md', () => {
  const written = new Map(
    tableRows(page('docs/reference/metrics.md'))
      .filter(([, type = '']) => ['counter', 'gauge', 'histogram'].includes(type))
      .map(([name = '', type, labels = '']) => [quoted(name)[0] ?? '', `${type} ${quoted(labels).join(' ')}`.trim()]),
  );

  const registry = new RecordingRegistry();
  beforeAll(() => {
    const names = { isKnown: () => true, teamAlias: () => null, keyMetadata: () => null, apiBase: () => null };
    new RequestMetrics(registry, USUAL_METRICS, names);
    new AttemptMetrics(registry, USUAL_METRICS, names);
    observeDeployments(registry, () => [], names);
    observeModelLimits(registry, () => []);
    observeBudgets(
      registry,
      () => [],
      { key: () => null, teamAlias: () => null },
      () => epochMillis(0),
    );
  });

  test('has the names, types and labels of the metrics of requests, attempts, deployments and budgets', () => {
    expect(registry.seen.size).toBeGreaterThan(40);
    for (const [name, facts] of registry.seen) expect([name, written.get(name)]).toEqual([name, facts]);
  });

  test('has those that the server adds, and no others', () => {
    const source = sourcesOf('src/cli', 'src/telemetry');
    const named = [
      ...source.matchAll(/registry\.(?:counter|money|gauge|observed|scraped|histogram)\(\s*'([a-z_]+)'/g),
    ].map(([, name = '']) => name);
    expect(sorted(written.keys())).toEqual(sorted([...named, ...registry.seen.keys()]));
  });

  test('names the metrics that LiteLLM has and that are not here, each with its reason', () => {
    const absent = tableRows(chapter('docs/reference/metrics.md', 'What LiteLLM has and Tollgate has not')).filter(
      ([name = '']) => name.startsWith('`litellm_'),
    );
    const here = absent.flatMap(([name = '']) => quoted(name)).filter((name) => written.has(name));
    expect(here).toEqual([]);
    expect(absent.every(([, reason = '']) => reason.length > 10)).toBe(true);
    expect(absent.length).toBeGreaterThan(5);
  });
});

describe('the pages on configuration', () => {
  /** Every key of the table, at whatever depth. */
  const known = new Set<string>();
  const visited = new Set<Section>();
  const collect = (section: Section): void => {
    if (visited.has(section)) return;
    visited.add(section);
    for (const [key, { below }] of Object.entries(section)) {
      known.add(key);
      if (below !== null) collect(below.section);
    }
  };
  collect(keys);

  test('the ways back in litellm-differences.md are keys, flags or paths that exist', () => {
    const ways = tableRows(page('docs/reference/litellm-differences.md')).flatMap(([, , , way = '']) => quoted(way));
    const wrong = ways.filter((way) => {
      const key = /^([a-z_]+)(:|$)/.exec(way)?.[1];
      return key === undefined ? !/^(--env-file |tollgate check --strict$|GET \/health)/.test(way) : !known.has(key);
    });
    expect(wrong).toEqual([]);
    expect(ways.length).toBeGreaterThan(10);
  });

  test('the keys in prices.md exist', () => {
    const words = quoted(page('docs/guides/prices.md'));
    const keys = words.flatMap(
      (word) => /^(?:[a-z_]+\.)?([a-z_]*(?:_cost_|_price$|_config$|base_model)[a-z0-9_]*)/.exec(word)?.[1] ?? [],
    );
    expect(keys.length).toBeGreaterThan(10);
    expect(keys.filter((key) => !known.has(key))).toEqual([]);
  });

  test('the keys in fallbacks.md exist', () => {
    const words = quoted(page('docs/guides/fallbacks.md'));
    const looksLikeKeys = words.flatMap((word) => /^(?:[a-z_]+\.)?([a-z]+(?:_[a-z]+)+)(?::|$)/.exec(word)?.[1] ?? []);
    // Members of a request's body, which headers.md lists.
    const ofRequests = new Set(quoted(chapter('docs/reference/headers.md', 'Members of the body')));
    expect(looksLikeKeys.length).toBeGreaterThan(30);
    expect(looksLikeKeys.filter((key) => !known.has(key) && !ofRequests.has(key))).toEqual([]);
  });
});

describe('the decision records', () => {
  const records = [...PAGES].filter(([path]) => path.startsWith('docs/decisions/'));

  test('are numbered without a gap', () => {
    const numbers = records
      .map(([path]) => Number(/\/(\d{4})-[a-z0-9-]+\.md$/.exec(path)?.[1]))
      .toSorted((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(numbers.length).toBeGreaterThan(5);
  });

  test.each(records)('%s says why, what, and what would change our mind, on one page', (path, text) => {
    const number = Number(path.slice('docs/decisions/'.length).slice(0, 4));
    expect(text).toStartWith(`# ${number}. `);
    expect([...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)).toEqual([
      'Context',
      'Decision',
      'Consequences',
      'What would change our mind',
    ]);
    expect(text.split('\n').length).toBeLessThan(60);
  });
});
