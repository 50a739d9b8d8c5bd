import { readFileSync } from 'node:fs';
import type { Deployment } from '../core/snapshot.ts';
import { type Invalid, type Loaded, type LoadOptions, loadConfig } from './load.ts';

/** Loads a text as the file `config.yaml`; other files come from `files`. For tests. */
export function loadText(
  text: string,
  options: Partial<LoadOptions> & { readonly files?: Readonly<Record<string, string>> } = {},
): Loaded | Invalid {
  const { files = {}, ...rest } = options;
  const readFile = (path: string): string => {
    const found = files[path];
    if (found === undefined) throw new Error(`no such file: ${path}`);
    return found;
  };
  return loadConfig({ path: 'config.yaml', text, readFile, env: {}, strict: false, demo: null, ...rest });
}

/** A file of `__fixtures__` by name. */
export const fixture = (name: string): string =>
  readFileSync(new URL(`__fixtures__/${name}.yaml`, import.meta.url), 'utf8');

/** The result when it is valid; fails the test with the findings when it is not. */
export function valid(result: Loaded | Invalid): Loaded {
  if (result.kind === 'loaded') return result;
  throw new Error(`invalid: ${JSON.stringify(result.findings, null, 1)}`);
}

/** The deployments of a text in the file's order. */
export function deploymentsOf(text: string, env: Readonly<Record<string, string>> = {}): readonly Deployment[] {
  return [...valid(loadText(text, { env })).snapshot.deployments.values()];
}
