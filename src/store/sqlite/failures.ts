import { SQLiteError } from 'bun:sqlite';
import { Conflict, Contention, StoreUnavailable, Unstorable } from '../errors.ts';

/**
 * Turns SQLite's errors into the store's; anything else is a mistake in our SQL and stays as it is.
 *
 * @see https://www.sqlite.org/rescode.html (read 2026)
 */
export function sqliteFailure(error: unknown): unknown {
  if (!(error instanceof SQLiteError)) return error;
  const code = error.code ?? '';
  if (code === 'SQLITE_CONSTRAINT_PRIMARYKEY' || code === 'SQLITE_CONSTRAINT_UNIQUE') return duplicate(error.message);
  if (code === 'SQLITE_CONSTRAINT_FOREIGNKEY') return new Conflict('reference', '', []);
  // A STRICT table refuses the fraction that an integer sum beyond 63 bits becomes.
  if (/^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG)/.test(code) || /integer overflow/.test(error.message))
    return new Unstorable(error.message);
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return new Contention(error.message);
  if (/^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|NOMEM|CORRUPT)/.test(code))
    return new StoreUnavailable(`the embedded database cannot do it now: ${error.message} (${code})`);
  return error;
}

/** `UNIQUE constraint failed: litellm_config.param_name`. */
function duplicate(message: string): Conflict {
  const places = message.replace(/^.*failed: /, '').split(', ');
  const [table = ''] = (places[0] ?? '').split('.');
  return new Conflict(
    'duplicate',
    table,
    places.map((place) => place.slice(table.length + 1)),
  );
}
