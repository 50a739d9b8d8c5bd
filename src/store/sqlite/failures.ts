import { Conflict, Contention, StoreUnavailable, Unstorable } from '../errors.ts';

/**
 * The store's error for one of SQLite's; what is none of the store's is a mistake in our SQL.
 *
 * @see https://www.sqlite.org/rescode.html (read 2026)
 */
export function sqliteFailure(code: string, message: string): Error {
  if (code === 'SQLITE_CONSTRAINT_PRIMARYKEY' || code === 'SQLITE_CONSTRAINT_UNIQUE') return duplicate(message);
  if (code === 'SQLITE_CONSTRAINT_FOREIGNKEY') return new Conflict('reference', '', []);
  // A STRICT table refuses the fraction that an integer sum beyond 63 bits becomes.
  if (/^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG)/.test(code) || /integer overflow/.test(message))
    return new Unstorable(message);
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return new Contention(message);
  if (/^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|NOMEM|CORRUPT)/.test(code))
    return new StoreUnavailable(`the embedded database cannot do it now: ${message} (${code})`);
  return new Error(message);
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
