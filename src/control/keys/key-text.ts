import { hash } from 'node:crypto';
import type { KeyReader, KeyWriter } from '../../store/resources/keys.ts';
import type { KeyRow } from '../../store/schema/identity.ts';
import { refused } from '../http/refused.ts';
import type { ControlPorts } from '../ports.ts';

/** Bytes of chance in a key that we make, LiteLLM's number. */
const RANDOM_BYTES = 16;
/** What can stand in a header: a key with anything else could never be presented. */
const PRESENTABLE = /^sk-[\x21-\x7e]{1,500}$/;

/** A new key: `sk-` and 22 characters that nobody can guess. */
export function newKeyText(ports: Pick<ControlPorts, 'randomBytes'>): string {
  return `sk-${Buffer.from(ports.randomBytes(RANDOM_BYTES)).toString('base64url')}`;
}

/** The key that a caller chose. @throws Refused without repeating it */
export function chosenKeyText(text: string, field: string): string {
  if (PRESENTABLE.test(text)) return text;
  const message = `Invalid key format. ${field} must start with 'sk-' and hold printable ASCII without spaces.`;
  throw refused('bad-fields', message, field);
}

/** What is kept of a key, and what lists call it. */
export function traceOf(text: string) {
  return { token: hash('sha256', text), key_name: `sk-...${text.slice(-4)}` };
}

/**
 * The key that a client means: by itself, by its hash, or by its `key_id`.
 *
 * @returns null when there is none
 */
export async function findKey(keys: KeyReader | KeyWriter, text: string): Promise<KeyRow | null> {
  if (text.startsWith('sk-')) return (await keys.findByHash(hash('sha256', text)))?.row ?? null;
  return (await keys.get(text)) ?? (await keys.find({ key_id: text }));
}

/** How a message names a key that a client sent: never as it is. */
export const abbreviated = (text: string): string =>
  text.startsWith('sk-') ? `sk-...${text.slice(-4)}` : text.slice(0, 80);
