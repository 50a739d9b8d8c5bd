import { Conflict, Contention, StoreRefused, StoreUnavailable, StoreUnreachable, Unstorable } from '../errors.ts';
import { uniqueName } from '../schema/ddl.ts';
import { TABLES } from '../schema/tables.ts';

/** What Bun.sql 1.4.5 puts on its errors: the SQLSTATE is `errno`, `code` says only who failed. */
interface PostgresFailure extends Error {
  readonly code: string;
  readonly errno?: string;
  readonly table?: string;
  readonly constraint?: string;
}

function isPostgresFailure(error: unknown): error is PostgresFailure {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_POSTGRES_');
}

/** Whether the connection itself failed, so that no other statement can be expected to work either. */
export function isConnectionFailure(error: unknown): boolean {
  if (!isPostgresFailure(error)) return false;
  return error.errno === undefined ? /CONNECTION|TIMEOUT/.test(error.code) : /^(08|57P0|3D000|28)/.test(error.errno);
}

/**
 * Turns what the client threw into the store's errors; anything else is a mistake in our SQL and stays as it is.
 *
 * @see https://www.postgresql.org/docs/18/errcodes-appendix.html (read 2026)
 */
export function postgresFailure(error: unknown, place: string): unknown {
  if (!isPostgresFailure(error)) return error;
  const state = error.errno;
  if (isConnectionFailure(error)) return unreachable(place, error);
  if (state === '23505') return new Conflict('duplicate', error.table ?? '', columnsOf(error));
  if (state === '23503') return new Conflict('reference', error.table ?? '', []);
  // A month that somebody dropped in the meantime: trying again makes it anew (`ledger/months.ts`).
  if (state === '23514' && error.message.startsWith('no partition')) return new Contention(error.message);
  if (state === '40001' || state === '40P01' || state === '55P03') return new Contention(error.message);
  if (state?.startsWith('22') || state?.startsWith('23')) return new Unstorable(error.message);
  // Out of disk, memory or connections; a statement over its limit of time; a server that takes no writes at the moment.
  if (state?.startsWith('53') || state?.startsWith('58') || state === '57014' || state === '25006')
    return new StoreUnavailable(`PostgreSQL at ${place} cannot do it now: ${error.message} (SQLSTATE ${state})`);
  return error;
}

function unreachable(place: string, error: PostgresFailure): StoreUnavailable {
  const state = error.errno === undefined ? error.code : `SQLSTATE ${error.errno}`;
  return new StoreUnavailable(`PostgreSQL at ${place} cannot be reached: ${error.message} (${state})`, {
    cause: error,
  });
}

/** `litellm_verificationtoken_key_alias_key` -> `key_alias`: the constraints are named by `schema/ddl.ts`. */
function columnsOf({ table, constraint }: PostgresFailure): readonly string[] {
  const definition = TABLES.find(({ name }) => name === table);
  if (definition === undefined) return [];
  return (
    definition.unique.find((columns) => constraint === uniqueName(definition.name, columns)) ?? definition.primaryKey
  );
}

/** What an operator can do about a database that could not be opened. */
export function startFailure(error: unknown, place: string): unknown {
  const failure = postgresFailure(error, place);
  if (!(failure instanceof StoreUnavailable)) return failure;
  const Refusal = isRefusedEntry(failure.cause) ? StoreRefused : StoreUnreachable;
  return new Refusal(
    `${failure.message}
Check that the server runs and is reachable from here, and that DATABASE_URL names the right host, port, database and user.
Without DATABASE_URL an embedded database in the data folder is used.`,
  );
}

/** Whether the server answers and does not let us in: no such database or user, a wrong password. Waiting helps nobody. */
function isRefusedEntry(error: unknown): boolean {
  return isPostgresFailure(error) && /^(3D000|28)/.test(error.errno ?? '');
}
