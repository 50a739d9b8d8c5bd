import { afterAll, beforeAll, expect, test } from 'bun:test';
import net from 'node:net';
import { MASTER_KEY, startGateway, type TestGateway } from '../support/gateway.ts';

const BODY_BYTES = 20_000_000;
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGateway(`model_list:
  - {model_name: m, litellm_params: {model: openai/m, api_key: os.environ/NO_KEY, api_base: "http://127.0.0.1:1/v1"}}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY, max_request_size_mb: 1}
`);
});

afterAll(() => gateway.stop());

/** A client that reads only after it has sent everything, as the official Python client does. */
function sendThenRead(framing: string, piece: Buffer): Promise<{ readonly text: string; readonly sent: number }> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(gateway.port, '127.0.0.1');
    let sent = 0;
    let text = '';
    const pump = (): void => {
      while (sent < BODY_BYTES) {
        sent += piece.length;
        if (!socket.write(piece)) {
          socket.once('drain', pump);
          return;
        }
      }
      socket.on('data', (bytes) => {
        text += bytes.toString('latin1');
        if (!text.includes('"code":"')) return;
        socket.destroy();
        resolve({ text, sent });
      });
    };
    socket.on('error', reject);
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${MASTER_KEY}\r\n${framing}\r\n\r\n`,
    );
    pump();
  });
}

const CHUNK = Buffer.from(`186a0\r\n${'x'.repeat(100_000)}\r\n`);

test.each([
  ['with its length', `content-length: ${BODY_BYTES}`, Buffer.alloc(100_000, 'x')],
  ['in chunks', 'transfer-encoding: chunked', CHUNK],
])(
  'a body over the limit, sent %s by a client that reads last, is answered 413 and not cut off',
  async (_how, framing, piece) => {
    const { text, sent } = await sendThenRead(framing, piece);
    expect(text).toStartWith('HTTP/1.1 413 ');
    expect(text).not.toMatch(/connection: close/i);
    expect(sent).toBeGreaterThanOrEqual(BODY_BYTES);
  },
);
