import { expect, test } from 'bun:test';
import { withoutCredentials } from './address.ts';

test.each([
  ['https://api.example.com/v1', 'https://api.example.com/v1'],
  ['https://user:canary@api.example.com:8443/v1', 'https://api.example.com:8443/v1'],
  ['https://a@canary@api.example.com', 'https://api.example.com'],
  ['https://api.example.com/v1?key=canary#canary', 'https://api.example.com/v1'],
  ['https://api.example.com/@v1', 'https://api.example.com/@v1'],
])('%s is shown without what may be a credential', (url, expected) => {
  expect(withoutCredentials(url)).toBe(expected);
});
