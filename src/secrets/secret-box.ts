import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/*
 * Secrets at rest.
 *
 *   sealed = `tollgate:1:` KEY-ID `:` base64url( nonce (12) ‖ ciphertext ‖ tag (16) )
 *
 * 1. AES-256-GCM with a random nonce. The key is HKDF-SHA256 of the operator's key, under a name of its own, so that the
 *    same operator's key may serve LiteLLM's cipher beside ours.
 * 2. KEY-ID is derived from the operator's key by the same function under another name: it tells nothing of the key, and
 *    says which one is needed when several are known.
 * 3. The place where a text is kept is authenticated with it: a ciphertext that was moved to another row or member does
 *    not open.
 */

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SEALED = /^tollgate:1:([0-9a-f]{12}):([A-Za-z0-9_-]+)$/;

/** What opening gives. */
export type Opened =
  | { readonly kind: 'opened'; readonly text: string }
  /** Sealed under a key that is not known here. */
  | { readonly kind: 'unknown-key'; readonly keyId: string }
  /** Not sealed by us, changed since, or moved from another place. */
  | { readonly kind: 'damaged' };

interface Key {
  readonly id: string;
  readonly bytes: Buffer;
}

/** Seals texts under one key, opens those of several. */
export class SecretBox {
  readonly #current: Key;
  readonly #keys: ReadonlyMap<string, Key>;

  /**
   * @param current the operator's key that seals from now on
   * @param earlier keys that only open
   */
  constructor(current: string, earlier: readonly string[] = []) {
    this.#current = derived(current);
    this.#keys = new Map([...earlier.map(derived), this.#current].map((key) => [key.id, key]));
  }

  /** Id of the key that seals: twelve hex digits that may be shown. */
  get keyId(): string {
    return this.#current.id;
  }

  /** @param place names the one place where the text will be kept */
  seal(text: string, place: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#current.bytes, nonce).setAAD(Buffer.from(place));
    const bytes = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `tollgate:1:${this.#current.id}:${bytes.toString('base64url')}`;
  }

  /** Never throws, whatever the text. */
  open(sealed: string, place: string): Opened {
    const [, keyId = '', data = ''] = SEALED.exec(sealed) ?? [];
    if (keyId === '') return { kind: 'damaged' };
    const key = this.#keys.get(keyId);
    if (key === undefined) return { kind: 'unknown-key', keyId };
    return opened(key, Buffer.from(data, 'base64url'), place);
  }
}

/** Whether a text was sealed by a box, under whatever key. */
export const isSealed = (text: string): boolean => SEALED.test(text);

function opened(key: Key, bytes: Buffer, place: string): Opened {
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return { kind: 'damaged' };
  try {
    const decipher = createDecipheriv(CIPHER, key.bytes, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(-TAG_BYTES));
    const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
    return { kind: 'opened', text: text.toString('utf8') };
  } catch {
    return { kind: 'damaged' };
  }
}

function derived(material: string): Key {
  const part = (name: string, length: number) => Buffer.from(hkdfSync('sha256', material, '', name, length));
  return { id: part('tollgate key id 1', 6).toString('hex'), bytes: part('tollgate secret box 1', KEY_BYTES) };
}
