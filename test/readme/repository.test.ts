import { describe, expect, test } from 'bun:test';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { read, repositoryFiles, root } from './documents.ts';

describe('the repository', () => {
  const files = repositoryFiles();

  test.each([
    'README.md',
    'ARCHITECTURE.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    'LICENSE',
    '.env.example',
    '.gitignore',
  ])('has %s', (path) => {
    expect(existsSync(join(root, path))).toBe(true);
    expect(read(path).length).toBeGreaterThan(20);
  });

  test('keeps packages, keys and data out of git', () => {
    const ignored = read('.gitignore').split('\n');
    for (const line of ['node_modules/', '.env', '/data/']) expect(ignored).toContain(line);
    expect(files.filter((path) => /(^|\/)(node_modules|\.env$)/.test(path))).toEqual([]);
  });

  test('names no folder of anybody’s machine and no private registry', () => {
    const wrong: string[] = [];
    for (const path of files.filter((each) => statSync(join(root, each)).size < 2_000_000)) {
      for (const [index, line] of read(path).split('\n').entries()) {
        if (isOnThisMachine(line) || isForeignRegistry(path, line))
          wrong.push(`${path}:${index + 1} ${line.slice(0, 120)}`);
      }
    }
    expect(files.length).toBeGreaterThan(300);
    expect(wrong).toEqual([]);
  });
});

/** Somebody's home folder. */
const HOME = /(?<![\w.$}~-])\/(?:home|Users|root)\/[A-Za-z0-9_.-]+/;

/** Where the recordings lie, and so where this machine keeps its work; null when there are none. */
const RECORDINGS = process.env.TOLLGATE_RECORDINGS;
const PLACE = RECORDINGS === undefined ? null : `${dirname(dirname(RECORDINGS))}/`;

const isOnThisMachine = (line: string): boolean =>
  HOME.test(line) || (PLACE !== null && PLACE.length > 2 && line.includes(PLACE));

/** The lock file may only name npm's own registry, which every client replaces by the configured one. */
function isForeignRegistry(path: string, line: string): boolean {
  if (!path.endsWith('package-lock.json')) return false;
  const url = /"resolved": "(https?:\/\/[^/"]+)/.exec(line)?.[1];
  return url !== undefined && url !== 'https://registry.npmjs.org';
}

describe('the shipped configuration in LiteLLM’s eyes', () => {
  const file = parse(read('config/litellm-config.yaml')) as Shipped;
  const groups = new Set(file.model_list.map((entry) => entry.model_name));

  interface Shipped {
    readonly model_list: readonly {
      readonly model_name: string;
      readonly litellm_params: Readonly<Record<string, unknown>>;
    }[];
    readonly router_settings: Readonly<Record<string, unknown>>;
  }

  test('has sections that LiteLLM has, and models with a name and a provider', () => {
    const sections = ['model_list', 'router_settings', 'litellm_settings', 'general_settings'];
    expect(Object.keys(file)).toEqual(sections);
    for (const { model_name, litellm_params } of file.model_list) {
      expect(model_name).toBeString();
      expect(litellm_params.model).toMatch(/^(openai|azure|anthropic)\/./);
    }
  });

  test('holds no credential: keys and addresses come from the environment', () => {
    for (const { litellm_params } of file.model_list) {
      for (const name of ['api_key', 'api_base']) {
        const value = litellm_params[name];
        if (value !== undefined) expect(value).toMatch(/^os\.environ\/[A-Z_]+$/);
      }
    }
  });

  test.each(['fallbacks', 'context_window_fallbacks'])(
    '%s is a list of maps from one group to groups that exist',
    (key) => {
      const chains = file.router_settings[key] as readonly Readonly<Record<string, readonly string[]>>[];
      expect(Array.isArray(chains)).toBe(true);
      for (const chain of chains) {
        const [[from = '', to = []] = [], ...others] = Object.entries(chain);
        expect(others).toEqual([]);
        for (const group of [from, ...to]) expect(groups).toContain(group);
      }
    },
  );
});
