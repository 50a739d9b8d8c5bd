import type { Column, ColumnKind } from './column.ts';
import type { Table } from './table.ts';

/**
 * The SQL that creates a table, written from its definition in either dialect.
 *
 * Text is compared by its bytes on both (`COLLATE "C"`), so that both sort alike and rows are locked in one order.
 */
export interface Ddl {
  readonly typeNames: Readonly<Record<ColumnKind, string>>;
  /** What the default `now` is. */
  readonly now: string;
  /** How a fraction of dollars is derived from a column of nano-dollars. */
  derived(source: string): string;
  /** Follows the closing bracket. */
  tableOptions(table: Table): string;
  /** The table's name as statements write it. */
  readonly qualify: (table: string) => string;
  /** The same for an index, which stands in its table's schema by itself. */
  readonly quote: (name: string) => string;
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** PostgreSQL's dialect, inside one schema. */
export function postgresDdl(schema: string): Ddl {
  return {
    typeNames: {
      text: 'text COLLATE "C"',
      boolean: 'boolean',
      integer: 'bigint',
      nano: 'bigint',
      dollars: 'double precision',
      time: 'timestamptz(3)',
      json: 'jsonb',
    },
    now: 'now()',
    derived: (source) => `GENERATED ALWAYS AS (${quote(source)}::double precision / 1e9::double precision) STORED`,
    tableOptions: ({ partitionedBy }) =>
      partitionedBy === null ? '' : ` PARTITION BY RANGE (${quote(partitionedBy)})`,
    qualify: (table) => `${quote(schema)}.${quote(table)}`,
    quote,
  };
}

/** SQLite's dialect. `STRICT` refuses values of the wrong type, and so the fraction that an overflowing sum becomes. */
export const SQLITE_DDL: Ddl = {
  typeNames: {
    text: 'TEXT',
    boolean: 'INTEGER',
    integer: 'INTEGER',
    nano: 'INTEGER',
    dollars: 'REAL',
    time: 'TEXT',
    json: 'TEXT',
  },
  now: `(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))`,
  derived: (source) => `GENERATED ALWAYS AS (${quote(source)} / 1e9) VIRTUAL`,
  tableOptions: () => ' STRICT',
  qualify: quote,
  quote,
};

/** The statements that create a table and its indexes. */
export function createTable(ddl: Ddl, table: Table): readonly string[] {
  const list = (columns: readonly string[]): string => columns.map(ddl.quote).join(', ');
  const lines = [
    ...Object.entries(table.columns).map(([name, column]) => columnLine(ddl, name, column)),
    `PRIMARY KEY (${list(table.primaryKey)})`,
    ...table.unique.map(
      (columns) => `CONSTRAINT ${ddl.quote(uniqueName(table.name, columns))} UNIQUE (${list(columns)})`,
    ),
  ];
  const indexes = table.indexes.map(
    (columns) =>
      `CREATE INDEX ${ddl.quote(`${table.name}_${columns.join('_')}_idx`)} ON ${ddl.qualify(table.name)} (${list(columns)})`,
  );
  const special = table.specialIndexes.map(
    ({ name, on, where }) =>
      `CREATE INDEX ${ddl.quote(`${table.name}_${name}_idx`)} ON ${ddl.qualify(table.name)} (${on})${where === null ? '' : ` WHERE ${where}`}`,
  );
  return [
    `CREATE TABLE ${ddl.qualify(table.name)} (\n  ${lines.join(',\n  ')}\n)${ddl.tableOptions(table)}`,
    ...indexes,
    ...special,
  ];
}

/** The name of a unique constraint, from which a conflict's columns are read back. */
export const uniqueName = (table: string, columns: readonly string[]): string => `${table}_${columns.join('_')}_key`;

function columnLine(ddl: Ddl, name: string, column: Column<unknown>): string {
  const words = [ddl.quote(name), ddl.typeNames[column.kind]];
  if (column.source !== null) words.push(ddl.derived(column.source));
  if (!column.isNullable) words.push('NOT NULL');
  if (column.fallback !== null) words.push(`DEFAULT ${column.fallback === 'now' ? ddl.now : column.fallback}`);
  if (column.references !== null) words.push(`REFERENCES ${ddl.qualify(column.references)}`);
  return words.join(' ');
}
