import { describe, expect, test } from 'bun:test';
import { inspect } from 'node:util';
import { parseProxy, proxyFor, proxyOf } from './proxy.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The proxy's host for a target in this environment, or null. */
function hostFor(env: Environment, isSecure: boolean, hostname = 'api.test'): string | null {
  const settings = proxyFor(env);
  if (typeof settings === 'string') throw new Error(settings);
  return proxyOf(settings, { isSecure, hostname, port: 443 })?.host ?? null;
}

const ALL = { ALL_PROXY: 'http://all:1' };

test.each<[string, Environment, https: string | null, http: string | null]>([
  ['nothing', {}, null, null],
  ['one for https', { HTTPS_PROXY: 'http://a:1' }, 'a:1', null],
  ['one for http', { HTTP_PROXY: 'http://a:1' }, null, 'a:1'],
  ['one for all', ALL, 'all:1', 'all:1'],
  ['one for the rest', { ...ALL, HTTP_PROXY: 'http://a:1' }, 'all:1', 'a:1'],
  ['lower case wins', { https_proxy: 'http://a:1', HTTPS_PROXY: 'http://b:1' }, 'a:1', null],
  ['lower case', { http_proxy: 'http://a:1', all_proxy: 'http://b:1' }, 'b:1', 'a:1'],
  ['an empty variable says no proxy', { ...ALL, https_proxy: '', HTTPS_PROXY: 'http://b:1' }, null, 'all:1'],
  ['an exception', { ...ALL, NO_PROXY: 'api.test' }, null, null],
  ['an exception in lower case, which wins', { ...ALL, NO_PROXY: '*', no_proxy: 'b.test' }, 'all:1', 'all:1'],
])('the proxies of an environment: %s', (_case, env, https, http) => {
  expect([hostFor(env, true), hostFor(env, false)]).toEqual([https, http]);
});

test('loopback is never asked of a proxy', () => {
  for (const hostname of ['localhost', '127.0.0.1', '::1'])
    expect([hostFor(ALL, true, hostname), hostFor(ALL, false, hostname)]).toEqual([null, null]);
});

test('a variable that is not used may hold anything', () => {
  expect(hostFor({ HTTPS_PROXY: 'http://a:1', HTTP_PROXY: 'http://b:1', ALL_PROXY: 'socks5://c:1' }, true)).toBe('a:1');
});

describe('the URL of a proxy', () => {
  test.each([
    ['http://proxy.test:3128', 'proxy.test:3128', 'proxy.test', 3128],
    ['http://proxy.test:3128/', 'proxy.test:3128', 'proxy.test', 3128],
    ['HTTP://Proxy.Test', 'proxy.test:80', 'proxy.test', 80],
    ['proxy.test:3128', 'proxy.test:3128', 'proxy.test', 3128],
    ['10.0.0.1:3128', '10.0.0.1:3128', '10.0.0.1', 3128],
    ['http://[::1]:3128', '[::1]:3128', '::1', 3128],
  ])('%s', (text, host, hostname, port) => {
    expect(parseProxy('X', text)).toEqual({ variable: 'X', host, hostname, port, authorization: null });
  });

  test.each([
    ['http://user:password@proxy.test', 'user:password'],
    ['user:password@proxy.test:3128', 'user:password'],
    ['http://user@proxy.test', 'user:'],
    ['http://us%3Aer:p%40ss%2F%C3%A4@proxy.test', 'us:er:p@ss/ä'],
    ['http://user:p@ss@proxy.test', 'user:p@ss'],
  ])('%s carries credentials', (text, pair) => {
    const proxy = parseProxy('X', text);
    if (typeof proxy === 'string') throw new Error(proxy);
    expect(proxy.authorization?.reveal()).toBe(`Basic ${Buffer.from(pair).toString('base64')}`);
    expect(proxy.host).toStartWith('proxy.test:');
    expect(inspect(proxy, { depth: 9 }) + JSON.stringify(proxy)).not.toContain('user');
  });

  test.each([
    'https://user:hidden@proxy.test',
    'socks5://user:hidden@proxy.test:1080',
    'http://user:hidden@',
    'http://user:hidden@proxy.test:99999',
    'http://user:hid#den@proxy.test',
    'http://user:1/hidden@proxy.test',
    'http://user:hidden@proxy.test/path',
    'http://user:hidden%zz@proxy.test',
    'http://user:hidden%0d%0ax-evil:1@proxy.test',
    `http://user:hidden${'x'.repeat(5000)}@proxy.test`,
    'http://',
    'user:hidden proxy',
  ])('%s is refused by the name of its variable, and nothing of it is repeated', (text) => {
    const problem = parseProxy('HTTPS_PROXY', text);
    expect(problem).toStartWith('HTTPS_PROXY ');
    expect(problem).not.toMatch(/hid|den@|proxy\.test/);
    expect(proxyFor({ HTTPS_PROXY: text })).toBe(problem as string);
  });
});
