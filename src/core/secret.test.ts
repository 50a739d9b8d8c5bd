import { describe, expect, test } from 'bun:test';
import { inspect } from 'node:util';
import { redact, Secret } from './secret.ts';

describe('a secret', () => {
  const secret = new Secret('sk-canary-value');

  test.each([
    ['String()', String(secret)],
    ['a template', `${secret}`],
    ['JSON', JSON.stringify({ secret })],
    ['inspection', inspect({ secret })],
    ['spreading', JSON.stringify({ ...secret })],
    ['an error', String(new Error(`failed with ${secret}`))],
  ])('does not show in %s', (_way, text) => {
    expect(text).not.toContain('canary');
  });

  test('is given to who asks by name', () => {
    expect(secret.reveal()).toBe('sk-canary-value');
  });
});

describe('redact', () => {
  test.each([
    ['Incorrect API key provided: sk-proj-abcDEF123456. You can', 'Incorrect API key provided: [redacted]. You can'],
    ['key sk-ab***************cd is wrong', 'key [redacted] is wrong'],
    ['AAAA****************BBBB refused', '[redacted] refused'],
    ['Authorization: Bearer abcdefgh12345678', 'Authorization: Bearer [redacted]'],
    ['https://host/path?api-key=secret1&x=1', 'https://host/path?api-key=[redacted]&x=1'],
    ['gsk_is_not_a_key but gsk-1234567890 is', 'gsk_is_not_a_key but [redacted] is'],
    ['a task-force of risk-takers asked', 'a task-force of risk-takers asked'],
    ['plain words stay', 'plain words stay'],
  ])('%p becomes %p', (text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  test('costs little however long the text is', () => {
    const long = 'a'.repeat(200_000);
    expect(redact(long)).toBe(long);
  });
});
