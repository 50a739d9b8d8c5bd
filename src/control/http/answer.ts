import { ERRORS, errorStatus, type GatewayError, gatewayError } from '../../core/errors.ts';
import type { HeaderPair } from '../../core/http.ts';
import { seconds } from '../../core/units.ts';
import { Conflict, StoreUnavailable, Unstorable } from '../../store/errors.ts';
import { BadCursor } from '../../store/repository.ts';
import type { ServerResponse } from '../../transport/server.ts';
import type { ControlSettings } from '../ports.ts';
import type { InvalidFields } from './invalid.ts';
import { Refused, refused } from './refused.ts';

/** What clients are asked to wait while the database is away. */
const STORE_PATIENCE = seconds(1);

/** A 200. */
export function success(body: string, contentType: string, headers: readonly HeaderPair[]): ServerResponse {
  return { kind: 'whole', status: 200, headers: [['content-type', contentType], ...headers], body };
}

/** A failure in LiteLLM's envelope (litellm.md §4.1); for wrong fields with FastAPI's `detail` beside it. */
export function failure(
  { error, detail }: { readonly error: GatewayError; readonly detail?: InvalidFields['detail'] },
  { errorProfile }: ControlSettings,
  headers: readonly HeaderPair[],
): ServerResponse {
  const status = errorStatus(error.kind, errorProfile);
  const { message, param, retryAfter } = error;
  const envelope = { message, type: ERRORS[error.kind].type, param, code: String(status) };
  const wait: HeaderPair[] = retryAfter === null ? [] : [['retry-after', String(Math.ceil(retryAfter / 1000))]];
  return {
    kind: 'whole',
    status,
    headers: [['content-type', 'application/json'], ...headers, ...wait, ...error.headers],
    body: JSON.stringify({ error: envelope, ...(detail !== undefined && { detail }) }),
  };
}

/** What a handler threw, in the client's terms; null for a fault of ours. */
export function refusalOf(thrown: unknown): Refused | null {
  if (thrown instanceof Refused) return thrown;
  if (thrown instanceof Conflict) return conflictRefusal(thrown);
  if (thrown instanceof Unstorable || thrown instanceof BadCursor) return refused('bad-fields', thrown.message);
  if (!(thrown instanceof StoreUnavailable)) return null;
  const message =
    'The database cannot be reached at the moment. Whether a change was made is not known: look before you repeat it.';
  return new Refused(gatewayError('store-unavailable', message, { retryAfter: STORE_PATIENCE }));
}

/** What a table's rows are called, where their names must be unique. */
const NOUNS: Readonly<Record<string, string>> = {
  litellm_verificationtoken: 'Key',
  litellm_usertable: 'User',
  litellm_teamtable: 'Team',
  litellm_organizationtable: 'Organization',
  litellm_endusertable: 'Customer',
  litellm_budgettable: 'Budget',
  litellm_tagtable: 'Tag',
};

function conflictRefusal({ reason, table, columns }: Conflict): Refused {
  if (reason === 'reference') {
    const message =
      'A budget or an organization that is named does not exist, or what is to be deleted is still in use. ' +
      'Create it first, or take it from what uses it.';
    return refused('bad-fields', message);
  }
  const kind = table === 'litellm_usertable' ? 'user-already-there' : 'already-there';
  const column = columns[0] ?? 'id';
  const rule = column === 'key_alias' ? ' Unique key aliases across all keys are required.' : '';
  return refused(kind, `${NOUNS[table] ?? 'One'} with this ${column} already exists.${rule}`, column);
}
