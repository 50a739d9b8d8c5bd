import type { Column } from './column.ts';

type Columns = Readonly<Record<string, Column<unknown>>>;

/** One table: the source of its DDL, of the type of its rows, and of what its repository does. */
export interface Table<Name extends string = string, C extends Columns = Columns> {
  readonly name: Name;
  readonly columns: C;
  readonly primaryKey: readonly string[];
  readonly unique: readonly (readonly string[])[];
  readonly indexes: readonly (readonly string[])[];
  readonly specialIndexes: readonly SpecialIndex[];
  /** On PostgreSQL: partitioned by month of this column. */
  readonly partitionedBy: string | null;
}

/** An index of some rows or of expressions, written as both dialects understand it. */
export interface SpecialIndex {
  /** What follows the table's name in the index's. */
  readonly name: string;
  readonly on: string;
  /** Of which rows; null: of all. */
  readonly where: string | null;
}

interface Keys<C extends Columns> {
  readonly primaryKey: readonly (keyof C & string)[];
  readonly unique?: readonly (readonly (keyof C & string)[])[];
  readonly indexes?: readonly (readonly (keyof C & string)[])[];
  readonly specialIndexes?: readonly SpecialIndex[];
  readonly partitionedBy?: keyof C & string;
}

/** Defines a table; its name is what people type after `\dt litellm*`. */
export function table<const Name extends string, C extends Columns>(
  name: Name,
  columns: C,
  keys: Keys<C>,
): Table<Name, C> {
  return {
    name,
    columns,
    primaryKey: keys.primaryKey,
    unique: keys.unique ?? [],
    indexes: keys.indexes ?? [],
    specialIndexes: keys.specialIndexes ?? [],
    partitionedBy: keys.partitionedBy ?? null,
  };
}

type ValueOf<C> = C extends Column<infer Value> ? Value : never;
type NamesOf<C extends Columns, P> = { [K in keyof C]: C[K]['presence'] extends P ? K : never }[keyof C];

/** A row as it is read. */
export type RowOf<T extends Table> = { readonly [K in keyof T['columns']]: ValueOf<T['columns'][K]> };

/** A row as it is first written: what has a default may be left out, what is derived must be. */
export type NewRowOf<T extends Table> = {
  readonly [K in NamesOf<T['columns'], 'required'>]: ValueOf<T['columns'][K]>;
} & { readonly [K in NamesOf<T['columns'], 'optional'>]?: ValueOf<T['columns'][K]> };

/** The columns that a change sets. */
export type PatchOf<T extends Table> = {
  readonly [K in NamesOf<T['columns'], 'required' | 'optional'>]?: ValueOf<T['columns'][K]>;
};
