import { providerFor } from '../providers/registry.ts';

/** Whose model a bare name is: a request for `gpt-4o` may match the group `openai/*`. */
export function inferProvider(model: string): string | null {
  return providerFor(model, null)?.provider.id ?? null;
}
