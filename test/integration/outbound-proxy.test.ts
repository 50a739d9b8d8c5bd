import { afterEach, describe, expect, test } from 'bun:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';

const CA = join(import.meta.dir, '../support/tls/ca.pem');
const REPLY = JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'by proxy' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
});
/** What `user:hidden` may look like when it leaks. */
const CREDENTIALS = /hidden|dXNlcj/;

const started: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of started.splice(0).reverse()) await stop();
});

async function upstream(): Promise<RawUpstream> {
  const answer = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${REPLY.length}\r\n\r\n${REPLY}`;
  const server = await startRawUpstream((exchange) => exchange.write(answer), { certificate: 'localhost' });
  started.push(server.close);
  return server;
}

/** A proxy that wants `user:hidden`. */
async function proxy(): Promise<ConnectProxy> {
  const expected = `proxy-authorization: Basic ${Buffer.from('user:hidden').toString('base64')}`;
  const server = await startConnectProxy({
    answer: (socket, head) => {
      if (head.includes(expected)) return 'dig';
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return undefined;
    },
  });
  started.push(server.close);
  return server;
}

async function gatewayTo(port: number, env: Record<string, string>): Promise<TestGateway> {
  const gateway = await startGateway(
    `model_list:
  - {model_name: m, litellm_params: {model: openai/m, api_key: sk-a, api_base: "https://upstream.test:${port}/v1"}}
router_settings: {num_retries: 0}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
`,
    env,
    ['--detailed_debug'],
  );
  started.push(() => gateway.stop());
  return gateway;
}

describe('a gateway behind a proxy', () => {
  test('reaches a provider of a private authority, and prints no credentials', async () => {
    const [way, server] = [await proxy(), await upstream()];
    const gateway = await gatewayTo(server.port, {
      HTTPS_PROXY: `http://user:hidden@127.0.0.1:${way.port}`,
      NODE_EXTRA_CA_CERTS: CA,
    });
    const response = await gateway.chat({ model: 'm' });
    expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('by proxy')]);
    expect(way.asked).toEqual([expect.stringContaining(`CONNECT upstream.test:${server.port} HTTP/1.1`)]);
    expect(server.requests[0]?.head).not.toContain('proxy-authorization');
    await gateway.until(`https through 127.0.0.1:${way.port} (HTTPS_PROXY)`);
    expect(gateway.output()).not.toMatch(CREDENTIALS);
  });

  test('says that the proxy refused the credentials, and nothing of them', async () => {
    const [way, server] = [await proxy(), await upstream()];
    const gateway = await gatewayTo(server.port, {
      HTTPS_PROXY: `http://user:hidden2@127.0.0.1:${way.port}`,
      SSL_CERT_FILE: CA,
    });
    const response = await gateway.chat({ model: 'm' });
    const text = await response.text();
    expect(response.status).toBeGreaterThanOrEqual(500);
    expect(text).toContain('EPROXYAUTH');
    expect(text + gateway.output()).not.toMatch(CREDENTIALS);
    expect(server.connections()).toBe(0);
  });

  test.each([
    ['HTTPS_PROXY', 'socks5://user:hidden@127.0.0.1:1080'],
    ['SSL_CERT_FILE', '/nowhere/ca.pem'],
  ])('does not start with %s=%s', async (variable, value) => {
    const child = Bun.spawn([join(import.meta.dir, '../../bin/tollgate'), '--port', '0', '--host', '127.0.0.1'], {
      cwd: tmpdir(),
      env: { PATH: process.env.PATH ?? '', LITELLM_MASTER_KEY: 'sk-test-0123456789', [variable]: value },
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const error = await new Response(child.stderr).text();
    expect([await child.exited, error]).toEqual([1, expect.stringContaining(`tollgate: ${variable}`)]);
    expect(error).not.toMatch(CREDENTIALS);
  });
});
