import type { Failure } from '../core/outcome.ts';
import type { UpstreamSettings } from '../core/snapshot.ts';

/** Shorter values are no secrets, and taking them out would make words unreadable. */
const SHORTEST = 8;

/**
 * A failure whose words do not hold the credentials that were sent with the call.
 *
 * Providers repeat the key that they refused, and servers under development whole requests; `redact` only knows keys
 * by their look, which those of Azure and of many hosts do not have.
 */
export function withoutCredentials(outcome: Failure, { apiKey, extraHeaders }: UpstreamSettings): Failure {
  const values = [apiKey, ...extraHeaders.map(([, value]) => value)].flatMap((secret) =>
    (secret?.reveal() ?? '').split(' ').filter((part) => part.length >= SHORTEST),
  );
  if (values.length === 0) return outcome;
  const clean = <Text extends string | null>(text: Text): Text => {
    let cleaned: string | null = text;
    for (const value of values) cleaned = cleaned?.replaceAll(value, '[redacted]') ?? null;
    return cleaned as Text; // null stays null, text stays text
  };
  if (outcome.kind === 'broken-stream') return { ...outcome, detail: clean(outcome.detail) };
  if (!('words' in outcome)) return outcome;
  const { words } = outcome;
  return {
    ...outcome,
    words: {
      ...words,
      message: clean(words.message),
      type: clean(words.type),
      param: clean(words.param),
      code: clean(words.code),
    },
  };
}
