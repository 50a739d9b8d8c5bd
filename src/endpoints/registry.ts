import { chatCompletions } from './chat-completions.ts';
import { completions } from './completions.ts';
import { embeddings } from './embeddings.ts';
import type { Endpoint } from './endpoint.ts';

/** Every endpoint that reaches a provider; one line each. */
export const ENDPOINTS: readonly Endpoint[] = [chatCompletions, completions, embeddings];

/** An endpoint that a path names, with the model when the path holds one. */
export interface EndpointMatch {
  readonly endpoint: Endpoint;
  readonly pathModel: string | null;
}

const plain = new Map<string, EndpointMatch>();
for (const endpoint of ENDPOINTS) {
  for (const prefix of ['/', '/v1/']) plain.set(prefix + endpoint.operation, { endpoint, pathModel: null });
}

/** Path styles that name the model; it may hold slashes (litellm.md §3.2). */
const MODEL_PREFIXES = ['/openai/deployments/', '/v1/engines/', '/engines/'] as const;

/** The endpoint of a path without query, or null; `%2F` and the like in a model name are decoded. */
export function matchEndpoint(path: string): EndpointMatch | null {
  const exact = plain.get(path);
  if (exact !== undefined) return exact;
  for (const prefix of MODEL_PREFIXES) {
    if (path.startsWith(prefix)) return matchModelPath(path.slice(prefix.length));
  }
  return path.endsWith('/') && path.length > 1 ? matchEndpoint(path.slice(0, -1)) : null;
}

function matchModelPath(rest: string): EndpointMatch | null {
  // Longest operation first: `chat/completions` also ends in `completions`.
  for (const endpoint of ENDPOINTS) {
    const suffix = `/${endpoint.operation}`;
    if (rest.endsWith(suffix) && rest.length > suffix.length) {
      return { endpoint, pathModel: decodePath(rest.slice(0, -suffix.length)) };
    }
  }
  return null;
}

/** A path part with percent-encoding undone, or as it is when the encoding is broken. */
export function decodePath(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
