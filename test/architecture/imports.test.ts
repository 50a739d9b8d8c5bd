import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { Glob } from 'bun';

const root = join(import.meta.dir, '../..');

/** For each layer, what its files may import: other layers, and modules from outside the tree. */
const LAYERS: Readonly<Record<string, { readonly layers: readonly string[]; readonly modules: readonly string[] }>> = {
  core: { layers: [], modules: [] },
  wire: { layers: ['core'], modules: [] },
  providers: { layers: ['core', 'wire'], modules: [] },
  endpoints: { layers: ['core', 'wire', 'providers', 'metering'], modules: [] },
  router: { layers: ['core'], modules: [] },
  metering: { layers: ['core'], modules: [] },
  transport: { layers: ['core', 'wire'], modules: ['bun', 'node:zlib', 'node:net', 'node:tls'] },
  gateway: {
    layers: ['core', 'wire', 'providers', 'endpoints', 'router', 'metering', 'transport', 'telemetry'],
    modules: ['node:crypto', 'node:util', 'node:zlib'],
  },
  config: {
    layers: ['core', 'providers', 'metering'],
    modules: ['yaml', 'zod', 'node:crypto', 'node:fs', 'node:path'],
  },
  telemetry: { layers: ['core'], modules: ['node:crypto'] },
  store: { layers: ['core'], modules: ['bun', 'bun:sqlite', 'kysely', 'node:fs', 'node:fs/promises', 'node:path'] },
  control: { layers: ['core', 'config', 'metering', 'secrets', 'store', 'transport'], modules: ['node:crypto', 'zod'] },
  tokens: {
    layers: ['core', 'endpoints'],
    modules: ['gpt-tokenizer/encoding/cl100k_base', 'gpt-tokenizer/encoding/o200k_base'],
  },
  ledger: { layers: ['core'], modules: ['bun:sqlite', 'node:fs', 'node:path', 'node:zlib'] },
  secrets: { layers: ['core'], modules: ['node:crypto', 'tweetnacl'] },
  importer: { layers: ['core', 'metering', 'store', 'secrets'], modules: ['bun', 'node:crypto'] },
  simulator: { layers: ['core', 'wire'], modules: ['node:net', 'node:crypto', 'node:fs', 'node:path'] },
  cli: {
    layers: [
      'core',
      'wire',
      'providers',
      'endpoints',
      'router',
      'metering',
      'transport',
      'gateway',
      'config',
      'telemetry',
      'simulator',
      'tokens',
      'store',
      'secrets',
      'importer',
      'ledger',
      'control',
    ],
    modules: ['node:crypto', 'node:fs', 'node:net', 'node:path', 'node:util'],
  },
};

/** Layers that must be told the time, the chances and the ids. */
const PURE = ['core', 'wire', 'providers', 'endpoints', 'router', 'metering'];
const IMPURE_WORDS = [
  /\bDate\.now\(/,
  /\bnew Date\(\)/,
  /\bMath\.random\(/,
  /\bperformance\.now\(/,
  /\bsetTimeout\(/,
  /\bcrypto\./,
  /\bprocess\./,
  /\bfetch\(/,
  /\bBun\./,
];

interface Source {
  readonly path: string;
  readonly layer: string;
  readonly lines: readonly string[];
  readonly imports: readonly { readonly line: number; readonly target: string; readonly isTypeOnly: boolean }[];
}

const sources = readSources();

function readSources(): Source[] {
  const found: Source[] = [];
  for (const path of new Glob('src/**/*.ts').scanSync({ cwd: root })) {
    if (path.endsWith('.test.ts') || path.includes('__fixtures__')) continue;
    const lines = readFileSync(join(root, path), 'utf8').split('\n');
    const layer = path.split('/')[1] ?? '';
    found.push({ path, layer, lines, imports: importsOf(lines) });
  }
  return found;
}

function importsOf(lines: readonly string[]): Source['imports'] {
  return lines.flatMap((text, index) => {
    const target = /(?:from|import) '([^']+)'|import\('([^']+)'\)/.exec(text);
    const name = target?.[1] ?? target?.[2];
    if (name === undefined || /^\s*(\*|\/\/)/.test(text)) return [];
    return [{ line: index + 1, target: name, isTypeOnly: /^import type /.test(text) }];
  });
}

/** `src/…` path of a relative import. */
function resolved(source: Source, target: string): string {
  return normalize(join(dirname(source.path), target));
}

describe('the architecture', () => {
  test('was looked at in full', () => {
    expect(sources.length).toBeGreaterThan(80);
    expect(sources.filter((source) => source.imports.length > 0).length).toBeGreaterThan(60);
  });

  test('every folder is a layer that this test knows', () => {
    const folders = new Set(sources.filter((source) => source.path !== 'src/main.ts').map((source) => source.layer));
    expect([...folders].filter((folder) => LAYERS[folder] === undefined)).toEqual([]);
  });

  test('layers import only what DESIGN allows them', () => {
    const wrong: string[] = [];
    for (const source of sources) {
      const allowed = LAYERS[source.layer];
      if (allowed === undefined) continue;
      for (const { line, target } of source.imports) {
        const place = `${source.path}:${line} imports ${target}`;
        if (target.startsWith('.')) {
          const layer = resolved(source, target).split('/')[1] ?? '';
          if (layer !== source.layer && !allowed.layers.includes(layer)) wrong.push(place);
        } else if (!allowed.modules.includes(target)) wrong.push(place);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('pure layers ask nobody for the time, chances or ids', () => {
    const wrong: string[] = [];
    for (const source of sources.filter(({ layer }) => PURE.includes(layer))) {
      for (const [index, text] of source.lines.entries()) {
        if (/^\s*(\*|\/\/|\/\*)/.test(text)) continue;
        if (IMPURE_WORDS.some((word) => word.test(text))) wrong.push(`${source.path}:${index + 1} ${text.trim()}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('the engine is named in transport, store and cli only', () => {
    const wrong = sources
      .filter(({ layer }) => !['transport', 'cli', 'store'].includes(layer))
      .flatMap((source) => source.lines.map((text, index) => ({ text, place: `${source.path}:${index + 1}` })))
      .filter(({ text }) => /\bBun\.[a-zA-Z]/.test(text) && !/^\s*(\*|\/\/|\/\*)/.test(text));
    expect(wrong.map(({ place }) => place)).toEqual([]);
  });

  test('no import leads back to where it came from', () => {
    const edges = new Map(
      sources.map((source) => [
        source.path,
        source.imports
          .filter(({ target, isTypeOnly }) => target.startsWith('.') && !isTypeOnly)
          .map(({ target }) => resolved(source, target)),
      ]),
    );
    expect(cycles(edges)).toEqual([]);
  });

  test('the middle never names a provider', () => {
    const middle = ['core', 'router', 'metering', 'gateway', 'endpoints', 'transport'];
    const wrong: string[] = [];
    // Prices are data about providers: these files are the tables.
    const tables = ['src/metering/catalogue.ts', 'src/metering/overlay.ts'];
    for (const source of sources.filter(({ layer, path }) => middle.includes(layer) && !tables.includes(path))) {
      for (const [index, text] of source.lines.entries()) {
        // LiteLLM lists every model as owned by the same company.
        if (/^\s*(\*|\/\/|\/\*|import )|owned_by/.test(text)) continue;
        if (/['"`](openai|azure|anthropic|groq|mistral|openrouter|perplexity|xai|deepseek)['"`]/.test(text))
          wrong.push(`${source.path}:${index + 1}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("nothing is typed 'any' and no check is switched off without a reason", () => {
    const wrong: string[] = [];
    for (const path of new Glob('{src,test,bench}/**/*.ts').scanSync({ cwd: root })) {
      if (path === relative(root, import.meta.path)) continue;
      for (const [index, text] of readFileSync(join(root, path), 'utf8').split('\n').entries()) {
        if (/(:\s*any\b|<any>|\bas any\b|@ts-ignore|@ts-nocheck)/.test(text))
          wrong.push(`${path}:${index + 1} ${text.trim()}`);
        if (/(@ts-expect-error|biome-ignore)\s*$/.test(text)) wrong.push(`${path}:${index + 1} without a reason`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

function cycles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const seen = trail.indexOf(path);
    if (seen >= 0) found.push([...trail.slice(seen), path].join(' -> '));
    if (seen >= 0 || done.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
}
