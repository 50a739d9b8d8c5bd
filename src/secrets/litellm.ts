import { createHash } from 'node:crypto';
import nacl from 'tweetnacl';

const NONCE_BYTES = 24;
const TAG_BYTES = 16;

/** Base64 of either alphabet: LiteLLM writes the URL-safe one now and wrote the other before. */
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;

/**
 * The text that LiteLLM encrypted, or null when none of the keys opens it.
 *
 * NaCl's SecretBox (XSalsa20-Poly1305) under the SHA-256 of the salt key's UTF-8: base64 of nonce, tag and ciphertext.
 * Nothing marks a text as encrypted; the tag tells.
 *
 * @param keys `LITELLM_SALT_KEY`, or the master key where no salt key was set; the first that fits counts
 * @see litellm.md §6.3
 */
export function openLitellm(text: string, keys: readonly string[]): string | null {
  if (!BASE64.test(text)) return null;
  const bytes = new Uint8Array(Buffer.from(text, 'base64')); // reads both alphabets
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return null;
  for (const key of keys) {
    const opened = nacl.secretbox.open(bytes.subarray(NONCE_BYTES), bytes.subarray(0, NONCE_BYTES), keyBytes(key));
    if (opened !== null) return Buffer.from(opened).toString('utf8');
  }
  return null;
}

/** Whether a text has the shape of what LiteLLM encrypts: base64 that is long enough for a nonce and a tag. */
export function looksEncrypted(text: string): boolean {
  return BASE64.test(text) && Buffer.from(text, 'base64').length >= NONCE_BYTES + TAG_BYTES;
}

const keyBytes = (key: string): Uint8Array => new Uint8Array(createHash('sha256').update(key, 'utf8').digest());
