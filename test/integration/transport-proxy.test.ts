import { describe, expect, test } from 'bun:test';
import { parseNoProxy } from '../../src/transport/no-proxy.ts';
import { type HttpProxy, type ProxySettings, proxyFor } from '../../src/transport/proxy.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import type { Upstream } from '../../src/transport/upstream.ts';
import { createUpstream } from '../../src/transport/upstream-h1.ts';
import { type ConnectProxy, type ConnectProxyOptions, startConnectProxy } from '../support/connect-proxy.ts';
import { CHUNKED, proxyAt, transportBench, WHOLE } from '../support/transports.ts';
import { ask, post } from '../support/upstream-answer.ts';

const bench = transportBench();
const CREDENTIALS = 'user:p%40ss@';
const BASIC = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;
const DUG = 'HTTP/1.1 200 Connection established\r\n\r\n';

async function proxyThat(answer?: ConnectProxyOptions['answer']): Promise<ConnectProxy> {
  const proxy = await startConnectProxy(answer === undefined ? {} : { answer });
  bench.later(() => void proxy.close());
  return proxy;
}

/** A client whose targets all go through the proxy, loopback as well. */
function clientBy(proxy: HttpProxy, settings: Partial<ProxySettings> = {}): Upstream {
  const through = { https: proxy, http: proxy, isDirect: () => false, ...settings };
  return bench.client((options) => createUpstream(options, systemClock), { proxy: through });
}

const secureUpstream = (text = WHOLE) =>
  bench.upstreamThat((exchange) => exchange.write(text), { certificate: 'localhost' });

describe('an https target', () => {
  test('is asked for by CONNECT; the credentials stay with the proxy', async () => {
    const [proxy, server] = [await proxyThat(), await secureUpstream()];
    const answer = ask(clientBy(proxyAt(proxy.port, CREDENTIALS)), {
      ...post(`${server.url}/v1/chat?a=b`),
      headers: [['proxy-authorization', 'Basic caller']],
    });
    expect(await answer.ending).toBe('end');
    const authority = `localhost:${server.port}`;
    expect(proxy.asked).toEqual([
      `CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\nproxy-authorization: ${BASIC}`,
    ]);
    expect(server.requests[0]?.head).toBe(`POST /v1/chat?a=b HTTP/1.1\r\nhost: ${authority}\r\ncontent-length: 2`);
    expect(answer.events.slice(0, 2)).toEqual(['sent', 'head 200']);
  });

  test.each([
    ['api.test', 'https://api.test/', 'api.test:443'],
    ['an IPv6 address', 'https://[2001:db8::1]:8443/', '[2001:db8::1]:8443'],
  ])('is named with its port: %s', async (_case, url, authority) => {
    const proxy = await proxyThat((socket) => void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'));
    await ask(clientBy(proxyAt(proxy.port)), post(url)).ending;
    expect(proxy.asked).toEqual([`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}`]);
  });

  test('shares one tunnel between requests in a row', async () => {
    const [proxy, server] = [await proxyThat(), await secureUpstream()];
    const upstream = clientBy(proxyAt(proxy.port));
    for (let n = 0; n < 3; n += 1) expect(await ask(upstream, post(server.url)).ending).toBe('end');
    expect([proxy.asked.length, server.connections(), server.requests.length]).toEqual([1, 1, 3]);
    upstream.close();
    await proxy.allClosed();
  });

  test.each([
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\n'],
    ['another 2xx', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['a length, which means nothing here', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n'],
    ['an interim response first', `HTTP/1.1 100 Continue\r\n\r\n${DUG}`],
  ])('is reached when the proxy says yes in this way: %s', async (_case, yes) => {
    const server = await secureUpstream();
    // `dig` says yes by itself, so the socket's first write is put in its place.
    const proxy = await proxyThat((socket) => {
      const write = socket.write.bind(socket);
      socket.write = () => {
        socket.write = write;
        for (const byte of Buffer.from(yes)) write(Buffer.of(byte));
        return true;
      };
      return 'dig';
    });
    expect(await ask(clientBy(proxyAt(proxy.port)), post(server.url)).ending).toBe('end');
  });

  test.each([
    ['407', 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', 'keep', 'EPROXYAUTH'],
    ['403', 'HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno', 'keep', 'EPROXY_403'],
    ['302', 'HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n', 'keep', 'EPROXY_302'],
    ['503 from HTTP/1.0', 'HTTP/1.0 503 Busy\r\n\r\n', 'fin', 'EPROXY_503'],
    ['switched protocols', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', 'keep', 'EPROTO'],
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', 'keep', 'EPROTO'],
    ['a status line without a status', 'HTTP/1.1 yes\r\n\r\n', 'keep', 'EPROTO'],
    ['bare line feeds', DUG.replaceAll('\r', ''), 'keep', 'EPROTO'],
    ['a head without end', `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(20_000)}`, 'keep', 'EHEADERS'],
    ['bytes behind the head', `${DUG}HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello`, 'keep', 'EPROTO'],
    ['nothing, and FIN', '', 'fin', 'ECONNRESET'],
    ['half a head, and FIN', 'HTTP/1.1 200 OK\r\n', 'fin', 'ECONNRESET'],
    ['nothing, and RST', '', 'reset', 'ECONNRESET'],
    ['200, and FIN', DUG, 'fin', 'ECONNRESET'],
  ] as const)('is not reached when the proxy answers %s', async (_case, text, next, code) => {
    const proxy = await proxyThat((socket) => {
      if (text !== '') socket.write(text);
      if (next === 'fin') socket.end();
      if (next === 'reset') socket.resetAndDestroy();
      return undefined;
    });
    const answer = ask(clientBy(proxyAt(proxy.port, CREDENTIALS)), post('https://api.test/'));
    expect(await answer.ending).toBe('connect');
    expect([answer.fault?.code, answer.events]).toEqual([code, ['error connect']]);
    expect(answer.fault?.message).not.toMatch(/user|p@ss|p%40ss|dXNlcj/);
    await proxy.allClosed();
  });

  test('is not reached when nobody listens at the proxy, and the proxy is named', async () => {
    const answer = ask(clientBy(proxyAt(1)), post('https://api.test/'));
    expect(await answer.ending).toBe('connect');
    expect(answer.fault?.code).toBe('ECONNREFUSED');
    expect(answer.fault?.message).toStartWith('the proxy 127.0.0.1:1 (HTTPS_PROXY) cannot be reached');
  });

  test.each([
    ['CONNECT is not answered', ''],
    ['the answer stalls', 'HTTP/1.1 200 OK\r\n'],
    ['the TLS handshake stalls', DUG],
  ])('abort closes the connection while %s', async (_case, text) => {
    const asked = Promise.withResolvers<void>();
    const proxy = await proxyThat((socket) => {
      if (text !== '') socket.write(text);
      if (text === DUG) socket.once('data', () => asked.resolve());
      else asked.resolve();
      return undefined;
    });
    const answer = ask(clientBy(proxyAt(proxy.port)), post('https://api.test/'));
    await asked.promise;
    answer.call.abort();
    await proxy.allClosed();
    expect(answer.events).toEqual([]);
  });

  test('is not asked for when abort comes before the proxy is connected', async () => {
    const [proxy, server] = [await proxyThat(), await secureUpstream()];
    const upstream = clientBy(proxyAt(proxy.port));
    const aborted = ask(upstream, post(server.url));
    aborted.call.abort();
    expect(await ask(upstream, post(server.url)).ending).toBe('end');
    expect([aborted.events, proxy.asked.length]).toEqual([[], 1]);
    upstream.close();
    await proxy.allClosed();
  });

  test('whose proxy dies in the middle of a stream ends as broken, not as complete', async () => {
    const [proxy, server] = [await proxyThat(), await secureUpstream(`${CHUNKED}5\r\nhello\r\n`)];
    const answer = ask(clientBy(proxyAt(proxy.port)), post(server.url));
    await answer.until(() => answer.body === 'hello');
    proxy.cut();
    expect(await answer.ending).toBe('closed');
    expect(answer.fault?.code).toBe('ECONNRESET');
  });

  test('may answer 407 itself', async () => {
    const [proxy, server] = [await proxyThat(), await secureUpstream(WHOLE.replace('200', '407'))];
    const answer = ask(clientBy(proxyAt(proxy.port)), post(server.url));
    expect([await answer.ending, answer.status]).toEqual(['end', 407]);
  });

  test.each([
    ['another name of the certificate', 'upstream.test', null],
    ['a name that only the proxy has', 'elsewhere.test', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['an address that only the proxy has', '127.0.0.2', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ])('has its own certificate checked: %s', async (_case, hostname, code) => {
    const [proxy, server] = [await proxyThat(), await secureUpstream()];
    // The certificate is good for `localhost`, where the proxy is: that must not help.
    const upstream = clientBy({ ...proxyAt(proxy.port), hostname: 'localhost' });
    const answer = ask(upstream, post(`https://${hostname}:${server.port}/`));
    expect(await answer.ending).toBe(code === null ? 'end' : 'connect');
    expect(answer.fault?.code ?? null).toBe(code);
    expect(server.receivedBytes() > 0).toBe(code === null);
  });
});

describe('an http target', () => {
  test('is named in full in the first line, with the credentials', async () => {
    const proxy = await bench.upstreamThat((exchange) => exchange.write(WHOLE));
    const upstream = clientBy(proxyAt(proxy.port, CREDENTIALS));
    for (const url of ['http://api.test:8080/v1?a=b', 'http://api.test:8080/v2', 'http://other.test'])
      expect(await ask(upstream, { ...post(url), headers: [['proxy-authorization', 'Basic caller']] }).ending).toBe(
        'end',
      );
    const head = (target: string, host: string) =>
      `POST ${target} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 2\r\nproxy-authorization: ${BASIC}`;
    expect(proxy.requests.map((request) => request.head)).toEqual([
      head('http://api.test:8080/v1?a=b', 'api.test:8080'),
      head('http://api.test:8080/v2', 'api.test:8080'),
      head('http://other.test/', 'other.test'),
    ]);
    expect(proxy.requests.map((request) => request.connection)).toEqual([1, 1, 2]);
  });

  test.each(['HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n', 'HTTP/1.1 407 No\r\ncontent-length: 2\r\n\r\nno'])(
    'is not reached when the proxy refuses the credentials: %j',
    async (text) => {
      const proxy = await bench.upstreamThat((exchange) => exchange.write(text));
      const answer = ask(clientBy(proxyAt(proxy.port)), post('http://api.test/'));
      expect([await answer.ending, answer.fault?.code, answer.status]).toEqual(['connect', 'EPROXYAUTH', null]);
      await proxy.allClosed();
      expect(proxy.requests[0]?.head).not.toContain('proxy-authorization');
    },
  );
});

describe('directly, without the proxy,', () => {
  test('goes what NO_PROXY names, and loopback in any case', async () => {
    const [proxy, server] = [await proxyThat(), await secureUpstream()];
    const fromEnvironment = proxyFor({ ALL_PROXY: `http://127.0.0.1:${proxy.port}` });
    if (fromEnvironment === null || typeof fromEnvironment === 'string') throw new Error('no settings');
    const isDirect = parseNoProxy(`localhost:${server.port}`);
    for (const settings of [fromEnvironment, { isDirect }])
      expect(await ask(clientBy(proxyAt(proxy.port), settings), post(server.url)).ending).toBe('end');
    expect([proxy.asked.length, server.connections()]).toEqual([0, 2]);
  });

  test('goes a target of a scheme without a proxy; its 407 is an answer', async () => {
    const server = await bench.upstreamThat((exchange) => exchange.write(WHOLE.replace('200', '407')));
    const answer = ask(clientBy(proxyAt(1), { http: null }), post(server.url));
    expect([await answer.ending, answer.status]).toEqual(['end', 407]);
  });
});
