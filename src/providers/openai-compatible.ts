import { hostProvider } from './openai-compatible/host.ts';
import { QUIRKY_HOSTS } from './openai-compatible/hosts.ts';
import { PLAIN_HOSTS, TRANSPARENT_HOSTS } from './openai-compatible/plain-hosts.ts';
import type { Provider } from './provider.ts';

/** Every host that looks like OpenAI: rows of a table, not code. */
export const openAiCompatible: readonly Provider[] = [...QUIRKY_HOSTS, ...TRANSPARENT_HOSTS, ...PLAIN_HOSTS].map(
  hostProvider,
);
