/** How a body is read; `undecided` while its first bytes do not tell. */
export type BodyMode = 'undecided' | 'whole' | 'events';

const BOM = '\xef\xbb\xbf';
const FIELDS = [BOM, 'data:', 'event:', 'id:', 'retry:'];
const LOOKED_AT = 64;

/**
 * Whether a body is an event stream, from its first bytes, whatever it is called: a field's name or a comment, after
 * blanks and a byte order mark, begins one. Any split of the bytes into reads comes to the same.
 */
export function modeOf(bytes: Buffer): BodyMode {
  const start = bytes.toString('latin1', 0, LOOKED_AT).replace(/^\s*(?:\xef\xbb\xbf)?\s*/, '');
  if (/^(?:data|event|id|retry)?:/.test(start)) return 'events';
  return FIELDS.some((field) => field.startsWith(start)) ? 'undecided' : 'whole';
}

/** The bytes without blanks at their start, which would be a line of the first event. */
export function withoutBlanks(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length && (bytes[start] as number) <= 32) start += 1;
  return bytes.subarray(start);
}
