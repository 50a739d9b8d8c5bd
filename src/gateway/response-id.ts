/** As far as the id of an answer is looked for: it stands at the front, before anything that a model wrote. */
const FRONT = 256;

/**
 * The id that the client finds in its answer (`chatcmpl-…`, `msg_…`), read off its first bytes without parsing them.
 *
 * @returns null when there is none there; a host that writes it later is not found by it
 */
export function responseIdIn(bytes: Uint8Array): string | null {
  const front = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, FRONT)).toString('latin1');
  return /^[^{]*\{[^{]*?"id"\s*:\s*"([\w.:=-]{1,128})"/.exec(front)?.[1] ?? null;
}
