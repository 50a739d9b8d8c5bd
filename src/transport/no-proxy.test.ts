import { describe, expect, test } from 'bun:test';
import { isLoopback, parseNoProxy } from './no-proxy.ts';

describe('NO_PROXY', () => {
  test.each([
    ['', 'example.com', 443, false],
    ['*', 'example.com', 443, true],
    ['other.test, *', 'example.com', 443, true],
    ['example.com', 'example.com', 443, true],
    ['example.com', 'api.example.com', 443, true],
    ['.example.com', 'example.com', 443, true],
    ['.example.com', 'api.example.com', 443, true],
    ['*.example.com', 'api.example.com', 443, true],
    ['example.com', 'badexample.com', 443, false],
    ['.example.com', 'badexample.com', 443, false],
    ['api.example.com', 'example.com', 443, false],
    ['EXAMPLE.com', 'example.com', 443, true],
    ['example.com.', 'example.com', 443, true],
    ['example.com', 'example.com.', 443, true],
    ['a.test,example.com', 'example.com', 443, true],
    ['a.test  example.com\n', 'example.com', 443, true],
    ['example.com:8443', 'example.com', 8443, true],
    ['example.com:8443', 'example.com', 443, false],
    ['.example.com:443', 'api.example.com', 443, true],
    ['10.0.0.1', '10.0.0.1', 443, true],
    ['10.0.0.1', '10.0.0.11', 443, false],
    ['0.0.1', '10.0.0.1', 443, false],
    ['10.0.0.1:80', '10.0.0.1', 80, true],
    ['10.0.0.1:80', '10.0.0.1', 81, false],
    ['10.0.0.0/8', '10.9.8.7', 443, true],
    ['10.0.0.0/8', '11.0.0.1', 443, false],
    ['10.0.0.0/33', '10.0.0.1', 443, false],
    ['10.0.0.0/', '10.0.0.1', 443, false],
    ['fd00::/8', 'fd12::1', 443, true],
    ['fd00::/8', 'fe00::1', 443, false],
    ['2001:db8::1', '2001:db8::1', 443, true],
    ['2001:db8:0:0::1', '2001:db8::1', 443, true],
    ['[2001:db8::1]', '2001:db8::1', 443, true],
    ['[2001:db8::1]:443', '2001:db8::1', 443, true],
    ['[2001:db8::1]:443', '2001:db8::1', 80, false],
    // Entries that mean nothing match nothing, and above all not everything.
    ['.', 'example.com', 443, false],
    ['*.', 'example.com', 443, false],
    [':443', 'example.com', 443, false],
    ['http://example.com', 'example.com', 443, false],
    ['[', 'example.com', 443, false],
  ])('%p and %s:%i', (text, hostname, port, isDirect) => {
    expect(parseNoProxy(text)(hostname, port)).toBe(isDirect);
  });
});

test.each([
  ['localhost', true],
  ['localhost.', true],
  ['api.localhost', true],
  ['127.0.0.1', true],
  ['127.8.9.1', true],
  ['::1', true],
  ['::ffff:7f00:1', true],
  ['notlocalhost', false],
  ['localhost.example.com', false],
  ['128.0.0.1', false],
  ['::2', false],
])('%s is loopback: %p', (hostname, expected) => {
  expect(isLoopback(hostname)).toBe(expected);
});
