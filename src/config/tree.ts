/**
 * A configuration file as a tree of values that know where they stand, so that every complaint can point at its line.
 *
 * Included files are merged at this level; each value keeps the name of its own file.
 */

export interface Place {
  readonly file: string;
  /** Both from 1; 0 when there is no such place. */
  readonly line: number;
  readonly column: number;
  /** The line as written; shown only through `lineWithoutSecrets`. */
  readonly source: string;
}

export type Path = readonly (string | number)[];

export type Tree = ScalarTree | ListTree | MapTree;

export interface ScalarTree {
  readonly kind: 'scalar';
  readonly at: Place;
  /** After resolution; null also for a reference to a variable that is unset. */
  readonly value: string | number | boolean | null;
  /** The variable that the value came from (`os.environ/NAME`), else null. */
  readonly reference: string | null;
}

export interface ListTree {
  readonly kind: 'list';
  readonly at: Place;
  readonly items: readonly Tree[];
}

export interface MapTree {
  readonly kind: 'map';
  readonly at: Place;
  readonly entries: ReadonlyMap<string, Entry>;
}

export interface Entry {
  /** Where the key stands. */
  readonly at: Place;
  readonly value: Tree;
}

export const NOWHERE: Place = { file: '', line: 0, column: 0, source: '' };
export const EMPTY_MAP: MapTree = { kind: 'map', at: NOWHERE, entries: new Map() };

export const scalar = (at: Place, value: ScalarTree['value']): ScalarTree => ({
  kind: 'scalar',
  at,
  value,
  reference: null,
});
export const list = (at: Place, items: readonly Tree[]): ListTree => ({ kind: 'list', at, items });
export const mapping = (at: Place, entries: Iterable<readonly [string, Entry]>): MapTree => ({
  kind: 'map',
  at,
  entries: new Map(entries),
});

/** `router_settings.fallbacks[0].gpt-4`. */
export function pathText(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  );
}

/** The value at the end of a path, or as far as the path leads. */
export function locate(tree: Tree, path: Path): Tree {
  let current = tree;
  for (const part of path) {
    const next = child(current, part);
    if (next === null) return current;
    current = next;
  }
  return current;
}

/** The value at the end of a path, or null. */
export function member(tree: Tree, ...path: Path): Tree | null {
  let current: Tree | null = tree;
  for (const part of path) current = current === null ? null : child(current, part);
  return current;
}

function child(tree: Tree, part: string | number): Tree | null {
  if (tree.kind === 'map') return tree.entries.get(String(part))?.value ?? null;
  if (tree.kind === 'list') return tree.items[Number(part)] ?? null;
  return null;
}

/** Where a key stands, or the value that should have held it. */
export function keyPlace(tree: Tree, path: Path): Place {
  const parent = locate(tree, path.slice(0, -1));
  const key = path.at(-1);
  const entry = parent.kind === 'map' && typeof key === 'string' ? parent.entries.get(key) : undefined;
  return entry?.at ?? locate(tree, path).at;
}

/** Plain JavaScript for the schema. Members that are null are left out, as LiteLLM reads None as "not given". */
export function plain(tree: Tree): unknown {
  switch (tree.kind) {
    case 'scalar':
      return tree.value;
    case 'list':
      return tree.items.filter((item) => !isUnset(item)).map(plain);
    case 'map': {
      const result: Record<string, unknown> = Object.create(null);
      for (const [key, entry] of tree.entries) {
        const value = plain(entry.value);
        if (value !== null) result[key] = value;
      }
      return { ...result };
    }
  }
}

/** Plain JavaScript as the file has it, references unresolved and nulls kept. */
export function written(tree: Tree): unknown {
  switch (tree.kind) {
    case 'scalar':
      return tree.reference === null ? tree.value : `os.environ/${tree.reference}`;
    case 'list':
      return tree.items.map(written);
    case 'map':
      return Object.fromEntries([...tree.entries].map(([key, entry]) => [key, written(entry.value)]));
  }
}

/** Whether a value refers to a variable that is unset. */
export const isUnset = (tree: Tree): boolean =>
  tree.kind === 'scalar' && tree.reference !== null && tree.value === null;

/** Every scalar below a value with its path. */
export function* scalars(tree: Tree, path: Path = []): Generator<{ readonly path: Path; readonly scalar: ScalarTree }> {
  switch (tree.kind) {
    case 'scalar':
      yield { path, scalar: tree };
      return;
    case 'list':
      for (const [index, item] of tree.items.entries()) yield* scalars(item, [...path, index]);
      return;
    case 'map':
      for (const [key, entry] of tree.entries) yield* scalars(entry.value, [...path, key]);
  }
}
