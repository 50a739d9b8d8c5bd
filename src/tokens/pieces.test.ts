import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { pieces } from './pieces.ts';

const sizes = (text: string) => [...pieces(text)].map((each) => each.length);

describe('a text is cut', () => {
  test.each<[string, string, readonly number[]]>([
    ['not at all when it is empty', '', []],
    ['not at all when it is ordinary', 'Hello, world.', [13]],
    ['not within a run of 256', 'a'.repeat(256), [256]],
    ['after 256 letters', 'a'.repeat(600), [256, 256, 88]],
    ['after 256 spaces, of whatever kind', ' \n\t '.repeat(128), [256, 256]],
    ['after 256 marks', '-'.repeat(257), [256, 1]],
    ['where a run ends by itself', `${'a'.repeat(256)} ${'b'.repeat(3)}`, [256, 4]],
    ['never in the middle of a character', `a${'\u{20000}'.repeat(200)}`, [257, 144]],
    ['at the first space after 8 K', 'abcde12345 '.repeat(800), [8194, 606]],
    ['at 16 K at the latest', 'ab1-'.repeat(5000), [16_384, 3616]],
  ])('%s', (_name, text, expected) => {
    expect(sizes(text)).toEqual([...expected]);
  });
});

test('the pieces are the text', () => {
  const letters = fc.constantFrom('a', ' ', '\n', '-', '7', '猫', '。', '\u{1F600}', 'é');
  const run = fc.tuple(letters, fc.integer({ min: 1, max: 700 })).map(([letter, times]) => letter.repeat(times));
  fc.assert(
    fc.property(fc.array(run, { maxLength: 8 }), (runs) => {
      const text = runs.join('');
      const cut = [...pieces(text)];
      expect(cut.join('')).toBe(text);
      expect(cut.every((each) => each !== '' && each.isWellFormed())).toBe(true);
    }),
  );
});

test('cuts between words change no count', () => {
  const text = 'The quick brown fox — jumps over 1,234 lazy dogs!\n\n  Next line; '.repeat(4000);
  const cut = [...pieces(text)];
  expect(cut.length).toBeGreaterThan(3);
  expect(cut.reduce((sum, each) => sum + countTokens(each), 0)).toBe(countTokens(text));
});
