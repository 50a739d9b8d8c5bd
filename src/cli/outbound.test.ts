import { describe, expect, test } from 'bun:test';
import { describeProxy, readOutbound } from './outbound.ts';

function read(env: Readonly<Record<string, string>>) {
  return readOutbound(env, () => {
    throw new Error('no such file');
  });
}

describe('the way out', () => {
  test.each([
    [{}, 'Outbound: direct, no proxy is set.'],
    [{ NO_PROXY: '*' }, 'Outbound: direct, no proxy is set.'],
    [
      { ALL_PROXY: 'http://user:hidden@proxy.test:3128' },
      'Outbound: https and http through proxy.test:3128 (ALL_PROXY); loopback and NO_PROXY direct.',
    ],
    [
      { HTTPS_PROXY: 'http://user:hidden@proxy.test:3128' },
      'Outbound: https through proxy.test:3128 (HTTPS_PROXY), http direct; loopback and NO_PROXY direct.',
    ],
    [
      { https_proxy: 'a.test:1', HTTP_PROXY: 'b.test:2' },
      'Outbound: https through a.test:1 (https_proxy), http through b.test:2 (HTTP_PROXY); loopback and NO_PROXY direct.',
    ],
  ])('%j is shown as it will be used, without credentials', (env, line) => {
    const outbound = read(env);
    expect(typeof outbound === 'string' ? outbound : describeProxy(outbound.proxy)).toBe(line);
  });

  test.each([{ HTTPS_PROXY: 'socks5://user:hidden@proxy.test' }, { SSL_CERT_FILE: 'gone.pem' }])(
    '%j keeps the gateway from starting, by the name of the variable',
    (env) => {
      const problem = read(env);
      expect(problem).toStartWith(Object.keys(env)[0]!);
      expect(problem).not.toContain('hidden');
    },
  );
});
