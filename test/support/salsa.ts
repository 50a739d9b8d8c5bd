/**
 * NaCl's SecretBox (XSalsa20-Poly1305) written from its papers, slow and plain: what LiteLLM's database holds is made
 * with it in tests, so that the package which reads it is not checked against itself.
 *
 * @see D. J. Bernstein, "Extending the Salsa20 nonce" (2011) and "The Poly1305-AES message-authentication code" (2005)
 */
import { createHash, randomBytes } from 'node:crypto';

const SIGMA = new TextEncoder().encode('expand 32-byte k');

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by));
const words = (bytes: Uint8Array): number[] =>
  Array.from({ length: bytes.length / 4 }, (_, index) =>
    new DataView(bytes.buffer, bytes.byteOffset).getInt32(index * 4, true),
  );

function block(key: Uint8Array, input: Uint8Array): { readonly before: number[]; readonly after: number[] } {
  const [k, n, c] = [words(key), words(input), words(SIGMA)];
  const at = (list: number[], index: number): number => list[index] ?? 0;
  const before = [
    ...[at(c, 0), at(k, 0), at(k, 1), at(k, 2), at(k, 3), at(c, 1), at(n, 0), at(n, 1)],
    ...[at(n, 2), at(n, 3), at(c, 2), at(k, 4), at(k, 5), at(k, 6), at(k, 7), at(c, 3)],
  ];
  const x = [...before];
  const step = (to: number, a: number, b: number, by: number): void => {
    x[to] = at(x, to) ^ rotate((at(x, a) + at(x, b)) | 0, by);
  };
  const quarter = (a: number, b: number, c: number, d: number): void => {
    step(b, a, d, 7);
    step(c, b, a, 9);
    step(d, c, b, 13);
    step(a, d, c, 18);
  };
  for (let round = 0; round < 10; round++) {
    for (const [a, b, c, d] of [
      [0, 4, 8, 12],
      [5, 9, 13, 1],
      [10, 14, 2, 6],
      [15, 3, 7, 11],
    ] as const)
      quarter(a, b, c, d);
    for (const [a, b, c, d] of [
      [0, 1, 2, 3],
      [5, 6, 7, 4],
      [10, 11, 8, 9],
      [15, 12, 13, 14],
    ] as const)
      quarter(a, b, c, d);
  }
  return { before, after: x };
}

function bytesOf(list: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(list.length * 4);
  for (const [index, word] of list.entries()) new DataView(bytes.buffer).setInt32(index * 4, word, true);
  return bytes;
}

function stream(key: Uint8Array, nonce: Uint8Array, length: number): Uint8Array {
  const { after } = block(key, nonce.subarray(0, 16));
  const subkey = bytesOf([0, 5, 10, 15, 6, 7, 8, 9].map((index) => after[index] ?? 0));
  const out = new Uint8Array(Math.ceil(length / 64) * 64);
  for (let count = 0; count * 64 < length; count++) {
    const input = new Uint8Array(16);
    input.set(nonce.subarray(16, 24));
    new DataView(input.buffer).setUint32(8, count, true);
    const state = block(subkey, input);
    out.set(bytesOf(state.after.map((word, index) => (word + (state.before[index] ?? 0)) | 0)), count * 64);
  }
  return out;
}

const little = (bytes: Uint8Array): bigint => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

function poly1305(key: Uint8Array, message: Uint8Array): Uint8Array {
  const r = little(key.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const part = message.subarray(at, at + 16);
    sum = ((sum + little(part) + (1n << BigInt(part.length * 8))) * r) % ((1n << 130n) - 5n);
  }
  const tag = (sum + little(key.subarray(16, 32))) & ((1n << 128n) - 1n);
  return Uint8Array.from({ length: 16 }, (_, index) => Number((tag >> BigInt(index * 8)) & 255n));
}

/** A text as LiteLLM stores it: base64 of nonce, tag and ciphertext. */
export function encryptAsLitellm(
  text: string,
  saltKey: string,
  alphabet: 'base64' | 'base64url' = 'base64url',
  nonce: Uint8Array = randomBytes(24),
): string {
  const key = new Uint8Array(createHash('sha256').update(saltKey).digest());
  const message = new TextEncoder().encode(text);
  const mask = stream(key, nonce, message.length + 32);
  const sealed = message.map((byte, index) => byte ^ (mask[index + 32] ?? 0));
  const bytes = Buffer.concat([nonce, poly1305(mask.subarray(0, 32), sealed), sealed]);
  // Python's URL-safe alphabet keeps the padding.
  const plain = bytes.toString('base64');
  return alphabet === 'base64' ? plain : plain.replaceAll('+', '-').replaceAll('/', '_');
}
