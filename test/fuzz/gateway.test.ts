import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { cutAt, damaged, fuzzed, fuzzTimeout, Tally } from '../support/fuzz.ts';
import { MASTER_KEY, startGateway, type TestGateway } from '../support/gateway.ts';
import { rawClient } from '../support/raw-client.ts';
import { readAnswers } from '../support/read-answers.ts';
import { readRequests } from './reference-http.ts';
import { TOKENS } from './request-samples.ts';

let simulator: Simulator;
let gateway: TestGateway;

beforeAll(async () => {
  simulator = await startSimulator({ size: 40 });
  gateway = await startGateway(
    `model_list:
  - {model_name: m, litellm_params: {model: openai/m, api_key: sk-upstream, api_base: "${simulator.url}/v1"}}
  - {model_name: c, litellm_params: {model: anthropic/c, api_key: sk-upstream, api_base: "${simulator.url}"}}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
router_settings: {num_retries: 0, timeout: 5}
`,
  );
});

afterAll(async () => {
  await gateway.stop();
  await simulator.stop();
});

const HEAD = `host: x\r\nauthorization: Bearer ${MASTER_KEY}\r\ncontent-type: application/json\r\n`;
const post = (path: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\n${HEAD}content-length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`;

const CHAT = '{"model":"m","messages":[{"role":"user","content":"Hello"}]}';
const BODIES = [
  CHAT,
  CHAT.replace('}', ',"stream":true,"stream_options":{"include_usage":true}}'),
  '{"model":"c","stream":true,"max_tokens":5,"messages":[{"role":"system","content":[{"type":"text","text":"x"}]},{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":{}}}]}',
  '{"model":"m","messages":[],"fallbacks":[{"model":"c"}],"metadata":{"tags":["a"]},"num_retries":1,"timeout":1}',
  '{"model":"m","input":["a","b"],"prompt":"a"}',
];
const PATHS = [
  ...['/v1/chat/completions', '/v1/completions', '/v1/embeddings', '/engines/m/chat/completions', '/key/generate'],
  ...['/user/new', '/team/new', '/model/new', '/budget/new', '/v1/models', '/spend/logs?start_date=%00', '/%2e%2e/x'],
];
const JSON_TOKENS = [
  ...['{', '}', '[', ']', '"', ',', ':', 'null', 'true', '1e999', '-1', '\\ud800', '\\u0000', '\0', '\xff', '\n'],
  ...['"model":"c",', '"stream":true,', '"n":99999999999999999999,', '"__proto__":{},', '"messages":{},', '[[[[[[[['],
];

const wholeBodies = fc
  .tuple(fc.constantFrom(...PATHS), damaged(BODIES, JSON_TOKENS, 3))
  .map(([path, body]) => post(path, body));
const rawBytes = damaged(
  [
    post('/v1/chat/completions', CHAT),
    post('/v1/chat/completions', CHAT.replace('}', ',"stream":true}')),
    `GET /v1/models HTTP/1.1\r\n${HEAD}\r\n`,
    'GET /health/readiness HTTP/1.1\r\nhost: x\r\n\r\n',
    `GET /metrics HTTP/1.0\r\n${HEAD}\r\n`,
    `POST /v1/chat/completions HTTP/1.1\r\n${HEAD}transfer-encoding: chunked\r\n\r\n5\r\n{"mod\r\n3\r\nel"\r\n0\r\n\r\n`,
    `OPTIONS /v1/models HTTP/1.1\r\n${HEAD}origin: http://x\r\n\r\n`,
  ],
  [...TOKENS, 'content-encoding: gzip\r\n', 'x-litellm-timeout: 0\r\n', 'authorization: Bearer \r\n', '/../', '%00'],
);

/** Sends the bytes; resolves when every request of them has an answer, or the connection has ended. */
async function play(bytes: string, cuts: readonly number[]) {
  const { requests, ending } = readRequests(bytes);
  const methods = requests.map(({ method }) => method);
  const client = rawClient(gateway.port);
  const isOver = Promise.withResolvers<void>();
  const answers = () => readAnswers(client.received(), methods).answers;
  const look = () => {
    if (answers().length >= methods.length && ending === 'open') isOver.resolve();
  };
  client.socket.on('data', look);
  void client.closed.then(() => isOver.resolve());
  for (const packet of cutAt(Buffer.from(bytes, 'latin1'), cuts)) client.send(packet);
  look();
  await isOver.promise;
  client.socket.destroy();
  return { answers: answers(), wanted: methods.length };
}

/** Connections of clients that the gateway holds, and its file descriptors; null where the system does not tell. */
function heldBy({ pid, port }: TestGateway): { connections: number; descriptors: number } | null {
  if (!existsSync(`/proc/${pid}/fd`)) return null;
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  const ESTABLISHED = '01';
  const CLOSE_WAIT = '08';
  const connections = lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, from = '', , state = '']) => from.endsWith(local) && [ESTABLISHED, CLOSE_WAIT].includes(state));
  return { connections: connections.length, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

/** Idle connections to the upstream, and files that the ledger opens as it goes. */
const MOST_MORE_DESCRIPTORS = 32;

test(
  'a gateway answers whatever comes with sound HTTP or an end of the connection, has no fault of its own and keeps no descriptor',
  async () => {
    const before = heldBy(gateway);
    if (before === null) console.log('NOT CHECKED: this system has no /proc, so descriptors were not counted');
    const tally = new Tally('gateway');
    const sent = fc.tuple(fc.oneof(wholeBodies, rawBytes), fc.array(fc.nat(), { maxLength: 3 }));
    await fc.assert(
      fc.asyncProperty(sent, async ([bytes, cuts]) => {
        tally.count();
        const { answers, wanted } = await play(bytes, cuts);
        const isAnswered = answers.length >= wanted || answers.at(-1)?.isLast === true;
        expect([isAnswered, answers.map(({ status }) => status)]).toEqual([true, expect.anything()]);
        for (const { status } of answers) expect(status).not.toBe(500);
      }),
      fuzzed(400),
    );
    tally.print();
    let after = heldBy(gateway);
    while (after !== null && after.connections > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      after = heldBy(gateway);
    }
    expect(after?.descriptors ?? 0).toBeLessThan((before?.descriptors ?? 0) + MOST_MORE_DESCRIPTORS);
    expect((await gateway.chat({ model: 'm' })).status).toBe(200);
    expect(gateway.output()).not.toMatch(/internal error|uncaught|unhandled/);
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    expect(metrics).toMatch(/^tollgate_requests_in_flight 0$/m);
  },
  fuzzTimeout(),
);
