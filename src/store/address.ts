import { StoreRefused } from './errors.ts';

/** Where a PostgreSQL database is, taken apart. */
export interface PostgresAddress {
  /** What the client is given: without the parameters that are only ours or Prisma's. */
  readonly url: string;
  readonly schema: string;
  /** `host:port/database`, for messages; never the user or the password. */
  readonly place: string;
  /** `connection_limit`, or null when it was not given. */
  readonly maxConnections: number | null;
}

/** Parameters that go to the client; Prisma's others (`pool_timeout`, `pgbouncer` …) mean nothing to it. */
const FOR_CLIENT = ['sslmode', 'application_name'];

/**
 * Reads `DATABASE_URL` as LiteLLM and Prisma write it: `postgresql://user:password@host:5432/database?schema=name`.
 *
 * @throws StoreRefused without the password when it is no such URL
 * @see https://www.prisma.io/docs/orm/overview/databases/postgresql#arguments (read 2026)
 */
export function parsePostgresUrl(text: string): PostgresAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol))
    throw new StoreRefused(
      'DATABASE_URL is not a PostgreSQL address: write postgresql://USER:PASSWORD@HOST:5432/DATABASE, with special characters of the password as %XX.',
    );
  const parameters = url.searchParams;
  const schema = parameters.get('schema') ?? 'public';
  if (!/^[A-Za-z_][A-Za-z0-9_$-]{0,50}$/.test(schema))
    throw new StoreRefused(`DATABASE_URL names the schema '${schema}': use letters, digits and '_', at most 51.`);
  const limit = Number(parameters.get('connection_limit') ?? Number.NaN);
  for (const name of [...parameters.keys()]) if (!FOR_CLIENT.includes(name)) parameters.delete(name);
  const database = decodeURIComponent(url.pathname.slice(1));
  return {
    url: url.href,
    schema,
    place: `${url.hostname}:${url.port || '5432'}/${database}`,
    maxConnections: Number.isSafeInteger(limit) && limit > 0 ? limit : null,
  };
}
