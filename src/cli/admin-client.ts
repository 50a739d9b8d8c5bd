import { isObject, type Json, objectMember, stringMember } from '../core/json.ts';

/** How long a running gateway may take for one request, milliseconds. */
const PATIENCE = 30_000;

/** Where the gateway is, and as whom it is asked. */
export interface AdminAccess {
  /** Without a slash at its end. */
  readonly url: string;
  readonly key: string;
}

export interface AdminRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Json;
}

/** What the gateway said, or why nothing useful was heard. */
export type AdminAnswer =
  | { readonly kind: 'done'; readonly body: Json }
  | { readonly kind: 'refused'; readonly status: number; readonly message: string }
  | { readonly kind: 'unreachable'; readonly message: string };

/** Sends one request to the admin API of a running gateway; never throws. */
export async function askAdmin({ url, key }: AdminAccess, request: AdminRequest): Promise<AdminAnswer> {
  const query = request.query === undefined ? '' : `?${new URLSearchParams(request.query)}`;
  try {
    const response = await fetch(`${url}${request.path}${query}`, {
      method: request.method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: request.body === undefined ? null : JSON.stringify(request.body),
      signal: AbortSignal.timeout(PATIENCE),
    });
    return answerOf(response.status, await response.text());
  } catch (error) {
    return { kind: 'unreachable', message: (error as Error).message }; // fetch throws nothing else
  }
}

function answerOf(status: number, text: string): AdminAnswer {
  const body = parsed(text);
  if (status < 400 && body !== undefined) return { kind: 'done', body };
  const error = isObject(body) ? objectMember(body, 'error') : null;
  const said = error === null ? null : stringMember(error, 'message');
  return {
    kind: 'refused',
    status,
    message: said ?? 'The answer is not one of a Tollgate gateway: look at the address.',
  };
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json; // what the parser gives
  } catch {
    return undefined;
  }
}
