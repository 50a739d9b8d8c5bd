import type { HeaderPair } from '../core/http.ts';

/** Whose wire format a request speaks. */
export type Dialect = 'openai' | 'azure' | 'anthropic';

export type Operation = 'chat' | 'completions' | 'embeddings' | 'messages' | 'models' | 'model';

/** What a method and path ask for; `not-found` carries the dialect whose 404 fits. */
export type Target =
  | {
      readonly kind: 'operation';
      readonly dialect: Dialect;
      readonly operation: Operation;
      readonly name: string | null;
    }
  | { readonly kind: 'not-found'; readonly dialect: Dialect };

const OPERATIONS: readonly (readonly [ending: string, method: string, operation: Operation])[] = [
  ['/chat/completions', 'POST', 'chat'],
  ['/completions', 'POST', 'completions'],
  ['/embeddings', 'POST', 'embeddings'],
  ['/models', 'GET', 'models'],
];

/**
 * Reads the dialect off the path, as the three APIs share no path.
 *
 * Any prefix is accepted before OpenAI's and Anthropic's paths, so that a base URL of any shape can point here.
 * Classic Azure paths need `api-version` in the query (azure.md §1).
 *
 * @param path without the query
 * @param query without the question mark
 */
export function targetOf(method: string, path: string, query: string, headers: readonly HeaderPair[]): Target {
  const classic = /^\/openai\/+deployments\/([^/]+)(\/.*)$/.exec(path);
  if (classic !== null) return classicAzure(method, query, decode(classic[1] ?? ''), classic[2] ?? '');
  const dialect: Dialect = path.startsWith('/openai/v1/') ? 'azure' : 'openai';
  if (method === 'POST' && path.endsWith('/messages')) return operation('anthropic', 'messages');
  const isAnthropic = headers.some(([name]) => name === 'anthropic-version');
  const one = /\/models\/(.+)$/.exec(path);
  if (method === 'GET' && one !== null) {
    return operation(isAnthropic ? 'anthropic' : dialect, 'model', decode(one[1] ?? ''));
  }
  const found = operationOf(method, path);
  if (found === null) return { kind: 'not-found', dialect: isAnthropic ? 'anthropic' : dialect };
  return operation(isAnthropic && found === 'models' ? 'anthropic' : dialect, found);
}

function classicAzure(method: string, query: string, deployment: string, rest: string): Target {
  const found = new URLSearchParams(query).has('api-version') ? operationOf(method, rest) : null;
  if (found === null || found === 'models') return { kind: 'not-found', dialect: 'azure' };
  return operation('azure', found, deployment);
}

function operationOf(method: string, path: string): Operation | null {
  const row = OPERATIONS.find(([ending, verb]) => verb === method && path.endsWith(ending));
  return row?.[2] ?? null;
}

function operation(dialect: Dialect, operation: Operation, name: string | null = null): Target {
  return { kind: 'operation', dialect, operation, name };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * The credential a request carries in its dialect's form, or null.
 *
 * OpenAI: `Authorization: Bearer`. Azure: `api-key`, or a Bearer token. Anthropic: `x-api-key`, else Bearer.
 */
export function credentialOf(dialect: Dialect, headers: readonly HeaderPair[]): string | null {
  const value = (name: string): string | null => headers.find(([key]) => key === name)?.[1] || null;
  const bearer = /^Bearer +(\S+)$/i.exec(value('authorization') ?? '')?.[1] ?? null;
  switch (dialect) {
    case 'openai':
      return bearer;
    case 'azure':
      return value('api-key') ?? bearer;
    case 'anthropic':
      return value('x-api-key') ?? bearer;
  }
}
