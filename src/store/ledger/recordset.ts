import { CompiledQuery, type QueryResult } from 'kysely';
import { postgresDdl } from '../schema/ddl.ts';
import type { Table } from '../schema/table.ts';
import type { Session } from '../session.ts';
import { storableRows } from '../values.ts';

/**
 * Many rows as one parameter: JSON that the database takes apart.
 *
 * The statement's text is the same whatever the number of rows, so it is written once and prepared once; the query
 * builder took 0.8 ms for each of the twenty statements of a batch, and 500 rows of 40 columns would be 20,000
 * parameters (measured with Kysely 0.29.9 on Bun 1.4.5).
 */
export type Rows = readonly Readonly<Record<string, unknown>>[];

/** What happens to a row that is there already. `add`: the named sums grow by those of the new row. */
export type OnConflict = { readonly kind: 'skip' } | { readonly kind: 'add'; readonly sums: readonly string[] };

/** Adds rows in the order of the primary key, and returns the first column of that key for each that was not skipped. */
export async function insertRows(
  session: Session,
  table: Table,
  rows: Rows,
  conflict: OnConflict,
): Promise<ReadonlySet<string>> {
  const names = Object.keys(rows[0] ?? {});
  const result = await run(session, `insert ${table.name} ${names}`, rows, () =>
    insertText(session, table, names, conflict),
  );
  return new Set(result.rows.map((row) => String(row[table.primaryKey[0] ?? ''])));
}

/** Adds `spend_nano` to the rows that are there, found by `columns` and locked in their order; others are left out. */
export async function addSpend(session: Session, table: Table, columns: readonly string[], rows: Rows): Promise<void> {
  await run(session, `add ${table.name}`, rows, () => addSpendText(session, table, columns));
}

/** Two instances that sort alike lock the same rows in the same order. */
function insertText(session: Session, table: Table, names: readonly string[], conflict: OnConflict): string {
  const columns = list(names);
  const key = list(table.primaryKey);
  const action =
    conflict.kind === 'skip'
      ? 'nothing'
      : `update set ${conflict.sums.map((name) => `${quote(name)} = present.${quote(name)} + excluded.${quote(name)}`).join(', ')}`;
  return `insert into ${placeOf(session, table)} as present (${columns})
    select ${columns} from ${given(session, table, names)} where true order by ${key}
    on conflict (${key}) do ${action} returning ${quote(table.primaryKey[0] ?? '')}`;
}

function addSpendText(session: Session, table: Table, columns: readonly string[]): string {
  const place = placeOf(session, table);
  const equal = (left: string, right: string) =>
    columns.map((column) => `${left}.${quote(column)} = ${right}.${quote(column)}`).join(' and ');
  const order = columns.map((column) => `locked.${quote(column)}`).join(', ');
  return `update ${place} as present set spend_nano = present.spend_nano + grown.added
    from (select ${order}, given.spend_nano as added from ${given(session, table, [...columns, 'spend_nano'])}
          join ${place} as locked on ${equal('locked', 'given')}
          order by ${order} ${session.kind === 'postgres' ? 'for update of locked' : ''}) as grown
    where ${equal('present', 'grown')}`;
}

const POSTGRES_TYPES = postgresDdl('').typeNames;

/** The rows as a table called `given`, typed as the columns are. */
function given({ kind }: Session, { columns }: Table, names: readonly string[]): string {
  const kindOf = (name: string) => columns[name]?.kind ?? 'text';
  if (kind === 'postgres')
    return `jsonb_to_recordset($1::text::jsonb) as given(${names.map((name) => `${quote(name)} ${POSTGRES_TYPES[kindOf(name)]}`).join(', ')})`;
  const members = names.map((name) => `${memberOf(name, kindOf(name))} as ${quote(name)}`);
  return `(select ${members.join(', ')} from json_each(?)) as given`;
}

/** One member of a JSON object in SQLite, whose JSON null must become a real one. */
function memberOf(name: string, kind: string): string {
  const path = `'$."${name}"'`;
  if (kind === 'json') return `nullif(value -> ${path}, 'null')`;
  return kind === 'integer' || kind === 'nano' ? `cast(value ->> ${path} as integer)` : `value ->> ${path}`;
}

const quote = (name: string): string => `"${name}"`;
const list = (names: readonly string[]): string => names.map(quote).join(', ');
const placeOf = ({ schema }: Session, { name }: Table): string =>
  schema === null ? quote(name) : `${quote(schema)}.${quote(name)}`;

/** Texts by database and purpose: as many as there are tables, for each schema that is open. */
const TEXTS = new Map<string, string>();

function run(
  session: Session,
  purpose: string,
  rows: Rows,
  write: () => string,
): Promise<QueryResult<Record<string, unknown>>> {
  const key = `${session.schema} ${purpose}`;
  const text = TEXTS.get(key) ?? write();
  TEXTS.set(key, text);
  return session.queries.executeQuery(CompiledQuery.raw(text, [storableRows(rows)]));
}
