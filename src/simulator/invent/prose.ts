import { pick, type Random } from './seed.ts';

const WORDS = (
  'the a river mountain gateway signal answer model harbour lantern quiet steady bright between under across ' +
  'carries follows returns measures keeps opens while because after before every second morning evening market ' +
  'bridge cloud Größe café naïve 日本 paper letter window garden engine compass number stone winter summer 🚀 small'
).split(' ');

/** Every invented text begins with this, so that nobody takes it for a model's words. */
export const SIMULATED = '[simulated] ';

/** Tokens of a text by the usual rule of thumb: four characters each, at least one. */
export function tokensOf(text: string): number {
  return Math.max(1, Math.ceil(text.length / 4));
}

/**
 * Invented prose of exactly `characters` UTF-16 units that begins with `opening`, with words beyond ASCII in it.
 *
 * A text shorter than the opening is the opening's beginning.
 */
export function prose(random: Random, characters: number, opening: string = SIMULATED): string {
  let text = opening;
  while (text.length < characters) text += `${pick(random, WORDS)} `;
  return clip(text, characters).padEnd(characters, '.');
}

/** The first `characters` units of a text, one less where that would halve a surrogate pair. */
export function clip(text: string, characters: number): string {
  const last = text.charCodeAt(characters - 1);
  const halves = text.length > characters && last >= 0xd800 && last < 0xdc00;
  return text.slice(0, halves ? characters - 1 : characters);
}

/** The text in pieces of about `size` units, no surrogate pair halved. */
export function pieces(text: string, size: number): string[] {
  const parts: string[] = [];
  for (let rest = text; rest !== ''; ) {
    const part = clip(rest, Math.max(2, size));
    parts.push(part);
    rest = rest.slice(part.length);
  }
  return parts;
}
