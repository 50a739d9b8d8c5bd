import { SQL } from 'bun';
import { isImported, type Source, SourceRefused, type SourceRow, SPEND_LOGS, type TableName } from './source.ts';

const BATCH = 500;

/**
 * A live LiteLLM database, read in one transaction that may not write (`READ ONLY`) and sees one moment (`REPEATABLE
 * READ`), so that spend and keys belong together while LiteLLM goes on.
 *
 * @param url `?schema=` names the schema as Prisma's addresses do, else `public`
 * @throws SourceRefused without the password when it cannot be reached
 */
export async function databaseSource(url: string): Promise<Source> {
  const { client, schema, place } = addressOf(url);
  const sql = new SQL(client, { max: 1, connection: { default_transaction_read_only: 'on', TimeZone: 'UTC' } });
  try {
    await sql.unsafe('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  } catch (error) {
    await sql.close();
    throw new SourceRefused(`${place} cannot be read: ${(error as Error).message}`);
  }
  const reader = new Reader(sql, schema);
  return {
    place,
    async rows() {
      const names = (await reader.tables()).filter(isImported);
      if (!names.includes('LiteLLM_VerificationToken'))
        throw new SourceRefused(
          `${place}, schema ${schema}, has no table "LiteLLM_VerificationToken": it is no LiteLLM database. Another schema is named with ?schema=NAME.`,
        );
      const rows = new Map<TableName, readonly SourceRow[]>();
      for (const name of names) rows.set(name, await reader.rows(name));
      return rows;
    },
    async others() {
      const names = (await reader.tables()).filter((name) => !isImported(name) && name !== SPEND_LOGS);
      const counts = new Map<string, number>();
      for (const name of names) counts.set(name, await reader.count(name));
      return new Map([...counts].filter(([, count]) => count > 0));
    },
    spendLogs: () => reader.batches(SPEND_LOGS),
    async close() {
      await sql.unsafe('ROLLBACK').catch(() => undefined);
      await sql.close();
    },
  };
}

function addressOf(text: string): { readonly client: string; readonly schema: string; readonly place: string } {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol))
    throw new SourceRefused('--from is no PostgreSQL address: write postgresql://USER:PASSWORD@HOST:5432/DATABASE.');
  const schema = url.searchParams.get('schema') ?? 'public';
  // Prisma's other parameters mean nothing to this client.
  for (const name of [...url.searchParams.keys()]) if (name !== 'sslmode') url.searchParams.delete(name);
  return { client: url.href, schema, place: `${url.hostname}:${url.port || '5432'}${url.pathname}` };
}

/** Reads tables with every value in its text form. */
class Reader {
  readonly #sql: SQL;
  readonly #schema: string;

  constructor(sql: SQL, schema: string) {
    this.#sql = sql;
    this.#schema = schema;
  }

  async tables(): Promise<readonly string[]> {
    const rows = await this.#names(
      `select tablename as name from pg_tables where schemaname = $1 and tablename like 'LiteLLM\\_%' order by 1`,
      [this.#schema],
    );
    return rows;
  }

  async rows(table: string): Promise<readonly SourceRow[]> {
    return [...((await this.#sql.unsafe(await this.#select(table))) as SourceRow[])];
  }

  async count(table: string): Promise<number> {
    const [row] = (await this.#sql.unsafe(`select count(*)::text as rows from ${this.#name(table)}`)) as SourceRow[];
    return Number(row?.rows ?? 0);
  }

  async *batches(table: string): AsyncIterable<readonly SourceRow[]> {
    if (!(await this.tables()).includes(table)) return;
    await this.#sql.unsafe(`DECLARE logs NO SCROLL CURSOR FOR ${await this.#select(table)}`);
    for (;;) {
      const batch = (await this.#sql.unsafe(`FETCH ${BATCH} FROM logs`)) as SourceRow[];
      if (batch.length === 0) break;
      yield [...batch];
    }
    await this.#sql.unsafe('CLOSE logs');
  }

  async #select(table: string): Promise<string> {
    const columns = await this.#names(
      'select column_name as name from information_schema.columns where table_schema = $1 and table_name = $2 order by ordinal_position',
      [this.#schema, table],
    );
    const list = columns.map((column) => `${quoted(column)}::text as ${quoted(column)}`).join(', ');
    return `select ${list} from ${this.#name(table)}`;
  }

  async #names(query: string, parameters: readonly string[]): Promise<readonly string[]> {
    const rows = (await this.#sql.unsafe(query, [...parameters])) as { readonly name: string }[];
    return rows.map(({ name }) => name);
  }

  #name(table: string): string {
    return `${quoted(this.#schema)}.${quoted(table)}`;
  }
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
