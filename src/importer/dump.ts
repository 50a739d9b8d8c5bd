import { isImported, type Source, SourceRefused, type SourceRow, SPEND_LOGS, type TableName } from './source.ts';

/** The lines of a file, read again each time they are asked for. */
export type Lines = () => AsyncIterable<string>;

const BATCH = 500;

/** A row of any table, on the way through the file. */
interface Found {
  readonly table: string;
  readonly row: SourceRow;
}

/**
 * A plain SQL dump as `pg_dump` writes it, with `COPY` (its default) or with `--inserts`.
 *
 * The file is read line by line, never kept whole: once for everything but the spend logs, once more for those.
 */
export function dumpSource(path: string, lines: Lines): Source {
  let read: Promise<Contents> | null = null;
  const contents = () => {
    read ??= readContents(path, lines);
    return read;
  };
  return {
    place: path,
    rows: async () => (await contents()).rows,
    others: async () => (await contents()).others,
    spendLogs: () => batches(lines),
    close: () => Promise.resolve(),
  };
}

interface Contents {
  readonly rows: ReadonlyMap<TableName, readonly SourceRow[]>;
  readonly others: ReadonlyMap<string, number>;
}

async function readContents(path: string, lines: Lines): Promise<Contents> {
  const rows = new Map<TableName, SourceRow[]>();
  const others = new Map<string, number>();
  let isDump = false;
  for await (const { table, row } of found(lines)) {
    isDump = true;
    if (isImported(table)) add(rows, table, row);
    else if (table !== SPEND_LOGS) others.set(table, (others.get(table) ?? 0) + 1);
  }
  if (!isDump)
    throw new SourceRefused(
      `${path} holds no rows of LiteLLM's tables: it must be a plain SQL dump, as 'pg_dump --format=plain DATABASE' writes it.`,
    );
  return { rows, others };
}

function add(rows: Map<TableName, SourceRow[]>, table: TableName, row: SourceRow): void {
  const known = rows.get(table);
  if (known === undefined) rows.set(table, [row]);
  else known.push(row);
}

async function* batches(lines: Lines): AsyncIterable<readonly SourceRow[]> {
  let batch: SourceRow[] = [];
  for await (const { table, row } of found(lines)) {
    if (table !== SPEND_LOGS) continue;
    batch.push(row);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

const NAME = String.raw`(?:"?\w+"?\.)?"(LiteLLM_\w+)"`;
const COPY = new RegExp(`^COPY ${NAME} \\((.*)\\) FROM stdin;$`);
const CREATE = new RegExp(`^CREATE TABLE ${NAME} \\($`);
const INSERT = new RegExp(`^INSERT INTO ${NAME} (?:\\((.*?)\\) )?(?:OVERRIDING SYSTEM VALUE )?VALUES`);

/** Every row of LiteLLM's tables, in the order of the file. */
async function* found(lines: Lines): AsyncIterable<Found> {
  const columns = new Map<string, readonly string[]>();
  let copy: { readonly table: string; readonly columns: readonly string[] } | null = null;
  let created: { readonly table: string; readonly columns: string[] } | null = null;
  let statement = '';
  for await (const line of lines()) {
    if (copy !== null) {
      if (line === '\\.') copy = null;
      else yield { table: copy.table, row: rowOf(copy.columns, copiedValues(line)) };
    } else if (created !== null) {
      const [, column] = /^ {4}"?(\w+)"? /.exec(line) ?? [];
      if (line.startsWith(')')) {
        columns.set(created.table, created.columns);
        created = null;
      } else if (column !== undefined && column !== 'CONSTRAINT') created.columns.push(column);
    } else if (statement !== '' || INSERT.test(line)) {
      statement += statement === '' ? line : `\n${line}`;
      if (!isWhole(statement)) continue;
      yield* insertedRows(statement, columns);
      statement = '';
    } else {
      const [, table, names] = COPY.exec(line) ?? [];
      if (table !== undefined) copy = { table, columns: namesOf(names ?? '') };
      const [, name] = CREATE.exec(line) ?? [];
      if (name !== undefined) created = { table: name, columns: [] };
    }
  }
}

const namesOf = (list: string): readonly string[] => list.split(', ').map((name) => name.replaceAll('"', ''));

function rowOf(columns: readonly string[], values: readonly (string | null)[]): SourceRow {
  return Object.fromEntries(columns.map((column, index) => [column, values[index] ?? null]));
}

const ESCAPED: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

/** One line of `COPY`'s text format. */
function copiedValues(line: string): readonly (string | null)[] {
  return line
    .split('\t')
    .map((field) =>
      field === '\\N' ? null : field.replace(/\\(.)/g, (_, letter: string) => ESCAPED[letter] ?? letter),
    );
}

/** Whether a statement has ended: a semicolon at the end of a line, outside of a text. */
const isWhole = (statement: string): boolean =>
  statement.endsWith(';') && statement.replaceAll("''", '').split("'").length % 2 === 1;

/** The rows of one INSERT: literals in brackets, several of them with `--rows-per-insert`. */
function* insertedRows(statement: string, columns: ReadonlyMap<string, readonly string[]>): Iterable<Found> {
  const [head, table = '', list] = INSERT.exec(statement) ?? [''];
  const names = list === undefined ? (columns.get(table) ?? []) : namesOf(list);
  let values: (string | null)[] = [];
  const literal = /\s*(E?'(?:[^']|'')*'(?:::[\w" .[\]]+)?|[^\s(),;']+)\s*(,|\))|\(|,|;/g;
  for (const [, value, end] of statement.slice(head.length).matchAll(literal)) {
    if (value === undefined) continue;
    values.push(literalOf(value));
    if (end !== ')') continue;
    yield { table, row: rowOf(names, values) };
    values = [];
  }
}

function literalOf(text: string): string | null {
  if (text === 'NULL') return null;
  const [, quoted] = /^E?'([\s\S]*)'(?:::.*)?$/.exec(text) ?? [];
  return quoted === undefined ? text : quoted.replaceAll("''", "'");
}
