import { afterAll, afterEach } from 'bun:test';
import { type HttpProxy, type ProxySettings, parseProxy } from '../../src/transport/proxy.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import type { Upstream } from '../../src/transport/upstream.ts';
import { createUpstream, type UpstreamOptions } from '../../src/transport/upstream-h1.ts';
import { startConnectProxy } from './connect-proxy.ts';
import {
  type RawExchange,
  type RawUpstream,
  type RawUpstreamOptions,
  startRawUpstream,
  tlsFile,
} from './raw-upstream.ts';

export type CreateUpstream = (options: UpstreamOptions) => Upstream;

const tunnels = await startConnectProxy();
afterAll(tunnels.close);

/** Every `https:` target by way of the proxy, loopback as well. */
export const TUNNELLED: ProxySettings = {
  https: proxyAt(tunnels.port),
  http: null,
  isDirect: () => false,
};

/** What of a transport's behaviour over TLS is its own. */
export interface TlsTraits {
  /** The code when nobody listens at the target. */
  readonly refused: string;
  /** The server name sent to a target that is an address; false: none. */
  readonly nameOfAddress: string | false;
}

/** The client transports; every one must pass the whole fault suite. */
export const TRANSPORTS: readonly (readonly [name: string, create: CreateUpstream, traits: TlsTraits])[] = [
  ['upstream-h1', (options) => createUpstream(options, systemClock), { refused: 'ECONNREFUSED', nameOfAddress: false }],
  [
    'upstream-h1 through a proxy',
    (options) => createUpstream({ proxy: TUNNELLED, ...options }, systemClock),
    { refused: 'EPROXY_502', nameOfAddress: '127.0.0.1' },
  ],
];

/** A proxy on loopback, as the environment would name it. */
export function proxyAt(port: number, credentials = ''): HttpProxy {
  const proxy = parseProxy('HTTPS_PROXY', `http://${credentials}127.0.0.1:${port}`);
  if (typeof proxy === 'string') throw new Error(proxy);
  return proxy;
}

/** The head of a chunked answer. */
export const CHUNKED = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';

/** A whole small answer. */
export const WHOLE = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello';

/** Starts things that are closed after the test; called once at the top of a test file. */
export interface TransportBench {
  upstreamThat(answer: (exchange: RawExchange) => void, options?: RawUpstreamOptions): Promise<RawUpstream>;
  /** A client that trusts the tests' authority. */
  client(create: CreateUpstream, options?: UpstreamOptions): Upstream;
  /** Something else to undo after the test. */
  later(undo: () => void): void;
}

/** Registers the clean-up with the test runner and gives the means to start servers and clients. */
export function transportBench(): TransportBench {
  const started: (() => void | Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of started.splice(0)) await close();
  });
  return {
    async upstreamThat(answer, options) {
      const upstream = await startRawUpstream(answer, options);
      started.push(upstream.close);
      return upstream;
    },
    client(create, options = {}) {
      const upstream = create({ ca: tlsFile('ca.pem'), ...options });
      started.push(() => upstream.close());
      return upstream;
    },
    later: (undo) => {
      started.push(undo);
    },
  };
}
