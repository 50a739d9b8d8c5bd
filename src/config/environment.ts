import type { Findings } from './findings.ts';
import { type MapTree, member, type Tree } from './tree.ts';
import { REFERENCE } from './values.ts';

/** Environment variables by name; an empty one counts as unset, since `.env` files list variables without values. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The variable's value, or null when it is unset or empty. */
export function variable(environment: Environment, name: string): string | null {
  const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
  return value === undefined || value.trim() === '' ? null : value;
}

/** The first of the variables that is set, with its name. */
export function firstVariable(
  environment: Environment,
  names: readonly string[],
): { readonly name: string; readonly value: string } | null {
  for (const name of names) {
    const value = variable(environment, name);
    if (value !== null) return { name, value };
  }
  return null;
}

/**
 * Replaces each `os.environ/NAME` by the variable's value, list items included; unset ones become null.
 *
 * Values are not searched again for references.
 */
export function resolve(tree: Tree, environment: Environment): Tree {
  switch (tree.kind) {
    case 'scalar': {
      const name = typeof tree.value === 'string' ? REFERENCE.exec(tree.value.trim())?.[1] : undefined;
      return name === undefined ? tree : { ...tree, value: variable(environment, name), reference: name };
    }
    case 'list':
      return { ...tree, items: tree.items.map((item) => resolve(item, environment)) };
    case 'map':
      return resolveMap(tree, environment);
  }
}

/** `resolve` for a map. */
export function resolveMap(tree: MapTree, environment: Environment): MapTree {
  const entries = [...tree.entries].map(
    ([key, entry]) => [key, { ...entry, value: resolve(entry.value, environment) }] as const,
  );
  return { ...tree, entries: new Map(entries) };
}

/**
 * The environment that the file is read with: the process's, and over it the section `environment_variables`.
 *
 * The process's own environment is not touched (LiteLLM writes to it), so that a removed line really is gone after a reload.
 */
export function withFileVariables(tree: MapTree, environment: Environment, findings: Findings): Environment {
  const section = member(tree, 'environment_variables');
  if (section === null || section.kind !== 'map') return environment;
  const result: Record<string, string | undefined> = { ...environment };
  for (const [name, entry] of section.entries) {
    const value = resolve(entry.value, environment);
    if (value.kind === 'scalar' && value.value !== null) result[name] = String(value.value);
    else if (value.kind === 'scalar' && value.reference !== null && value.reference !== name) {
      findings.add(
        'warning',
        value.at,
        ['environment_variables', name],
        `${value.reference} is unset, so ${name} is not set by this line.`,
      );
    }
  }
  return result;
}
