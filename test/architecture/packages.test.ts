import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VERSION } from '../../src/core/version.ts';
import { read, tableRows } from '../readme/documents.ts';

const root = join(import.meta.dir, '../..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

interface Locked {
  readonly version?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly license?: string;
  readonly hasInstallScript?: boolean;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface Lock {
  readonly packages: Readonly<Record<string, Locked>>;
}

/** Packages that run in production beside the engine. A new one needs a reason in docs/decisions. */
const RUNTIME_PACKAGES = ['gpt-tokenizer', 'kysely', 'tweetnacl', 'yaml', 'zod'];
const PERMISSIVE = [
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  '0BSD',
  'MIT OR Apache-2.0',
  'Unlicense',
];

const installed = Object.entries(lock.packages).filter(([path]) => path !== '');
const runtime = installed.filter(([, each]) => each.dev !== true && each.devOptional !== true);
const nameOf = (path: string) => path.replace(/^.*node_modules\//, '');

describe('the packages', () => {
  test('of production are the ones that are meant to be there', () => {
    const names = runtime.map(([path]) => nameOf(path)).filter((name) => !name.startsWith('@oven/bun-'));
    expect(names.sort()).toEqual([...RUNTIME_PACKAGES].sort());
  });

  test('are pinned to one exact version', () => {
    const all = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.devDependencies };
    expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+/.test(version))).toEqual([]);
  });

  test('the engine has one version on every platform', () => {
    expect(new Set(Object.values(manifest.optionalDependencies)).size).toBe(1);
    expect(Object.keys(manifest.optionalDependencies).length).toBe(7);
  });

  test('of production run no script when they are installed', () => {
    expect(runtime.filter(([, each]) => each.hasInstallScript === true).map(([path]) => path)).toEqual([]);
  });

  test('are all in the lock file, those of other platforms too: npm ci refuses it otherwise', () => {
    const wanted = installed.flatMap(([, each]) => Object.keys(each.optionalDependencies ?? {}));
    expect(wanted.filter((name) => lock.packages[`node_modules/${name}`] === undefined)).toEqual([]);
  });

  test('have permissive licences and a checksum', () => {
    const wrong = runtime.filter(
      ([, each]) => !PERMISSIVE.includes(each.license ?? '') || each.integrity === undefined,
    );
    expect(wrong.map(([path, each]) => `${path}: ${each.license}`)).toEqual([]);
  });

  test('of production are on their page with the version and the licence that the lock file has', () => {
    const page = tableRows(read('docs/reference/packages.md')).filter(([name = '']) => name.startsWith('`'));
    const written = page.map(([name = '', version, licence]) => [name.slice(1, -1), version, licence]);
    const locked = runtime.map(([path, { version, license }]) => [
      nameOf(path).replace(/^@oven\/bun-.*/, '@oven/bun-*'),
      version,
      license,
    ]);
    const once = new Map(locked.map((row) => [row.join(' '), row]));
    expect(written.toSorted()).toEqual([...once.values()].toSorted());
  });

  test('all have a checksum of 512 bits and come from one registry, those of development too', () => {
    const wrong = installed.filter(
      ([, { integrity, resolved }]) =>
        integrity?.startsWith('sha512-') !== true ||
        (resolved !== undefined && !resolved.startsWith('https://registry.npmjs.org/')),
    );
    expect(wrong.map(([path]) => path)).toEqual([]);
  });

  test('are installed without running their scripts wherever this repository installs them', () => {
    const installs = ['bin/prepare', 'Dockerfile'].flatMap((path) =>
      [...read(path).matchAll(/^.*\bnpm (?:ci|install)\b(?!.*echo).*$/gm)].map(([line]) => line),
    );
    const commands = installs.filter((line) => !/^\s*(?:#|echo)/.test(line));
    expect(commands.length).toBeGreaterThan(1);
    expect(commands.filter((line) => !line.includes('--ignore-scripts'))).toEqual([]);
  });

  test('the version is the same in the code and in the manifest', () => {
    expect(VERSION).toBe(manifest.version);
  });
});
