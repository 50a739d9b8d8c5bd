import { describe, expect, test } from 'bun:test';
import { encryptAsLitellm } from '../../test/support/salsa.ts';
import { openLitellm } from './litellm.ts';

const SALT = 'c2FsdC1rZXktb2YtdGhpcnR5LXR3by1ieXRlcy0hISE=';
const TEXTS = [
  'sk-upstream-0123',
  '',
  'a'.repeat(64),
  'b'.repeat(200),
  'Grüße, \u{1F511}',
  '{"type":"service_account"}',
];

describe("LiteLLM's encryption", () => {
  test.each(TEXTS)('of %p is read, in either alphabet', (text) => {
    for (const alphabet of ['base64', 'base64url'] as const)
      expect(openLitellm(encryptAsLitellm(text, SALT, alphabet), [SALT])).toBe(text);
  });

  test('is read by the second key when the first does not fit: the master key, where no salt key was set', () => {
    expect(openLitellm(encryptAsLitellm('sk-upstream', 'sk-master'), [SALT, 'sk-master'])).toBe('sk-upstream');
  });

  test('under another key, cut short, changed, or no such text at all, is nothing', () => {
    const sealed = encryptAsLitellm('sk-upstream-0123', SALT);
    const changed = `${sealed.slice(0, 50)}${sealed[50] === 'A' ? 'B' : 'A'}${sealed.slice(51)}`;
    for (const text of [sealed.slice(0, 40), changed, 'openai/gpt-4o', '', 'plain', 'x'.repeat(200)])
      expect(openLitellm(text, [SALT])).toBeNull();
    expect(openLitellm(sealed, ['another key'])).toBeNull();
    expect(openLitellm(sealed, [])).toBeNull();
  });
});
