/** What does the gateway's own work cost for one request, sockets left out: from the client's head to the answer's bytes? */
import { loadConfig } from '../../src/config/load.ts';
import type { HeaderPair } from '../../src/core/http.ts';
import { USUAL_METRICS } from '../../src/core/snapshot.ts';
import { MASTER_ONLY } from '../../src/gateway/admission.ts';
import { masterKeyAuthenticator } from '../../src/gateway/authenticate.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import type { GatewayPorts } from '../../src/gateway/ports.ts';
import { Slots } from '../../src/gateway/slots.ts';
import { UsageRefusals } from '../../src/gateway/usage-refusals.ts';
import { HealthTable } from '../../src/router/health.ts';
import { LoadTable } from '../../src/router/load.ts';
import { AttemptMetrics } from '../../src/telemetry/attempt-metrics.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { MetricsRegistry } from '../../src/telemetry/metrics.ts';
import { logRequest } from '../../src/telemetry/request-log.ts';
import { RequestMetrics } from '../../src/telemetry/request-metrics.ts';
import type { ClientStream, ServerRequest, ServerResponse } from '../../src/transport/server.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import type { Upstream, UpstreamHandlers } from '../../src/transport/upstream.ts';
import { CLIENT_MODEL, chatBody, SIZES, UPSTREAM_MODEL } from '../e2e/bodies.ts';
import { REQUEST_HEADERS } from '../e2e/native.ts';
import { compareAsync, printMachine } from './compare.ts';

interface CannedAnswer {
  readonly 'content-type': string;
  /** One read each. */
  readonly body: readonly Buffer[];
}

interface BenchGateway {
  handle: Gateway['handle'];
  /** What the upstream will answer from now on. */
  answer(next: CannedAnswer): void;
}

const EVENTS = 60;
const RATE_LIMITS = ['limit', 'remaining', 'reset'].flatMap((kind) =>
  ['requests', 'tokens'].map((unit): HeaderPair => [`x-ratelimit-${kind}-${unit}`, '1999']),
);
const ANSWER_HEADERS: readonly HeaderPair[] = [
  ['openai-processing-ms', '312'],
  ['openai-version', '2020-10-01'],
  ['x-request-id', 'req_7f3a9be0c1d24e5f8a6b'],
  ...RATE_LIMITS,
];
const ANSWER = Buffer.from(
  JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1763856000,
    model: UPSTREAM_MODEL,
    choices: [{ index: 0, message: { role: 'assistant', content: 'word '.repeat(180) }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 286, completion_tokens: 121, total_tokens: 407 },
  }),
);
const EVENT_BYTES = [
  ...Array.from({ length: EVENTS }, (_, index) => event({ delta: { content: ` word${index}` }, finish_reason: null })),
  event({ delta: {}, finish_reason: 'stop' }),
  Buffer.from('data: [DONE]\n\n'),
];

const headers = REQUEST_HEADERS.map((line) => line.split(': ') as unknown as HeaderPair); // each holds one ': '
const headerMap = new Map(headers);
const plain: CannedAnswer = { 'content-type': 'application/json', body: [ANSWER] };
const stream: CannedAnswer = { 'content-type': 'text/event-stream', body: EVENT_BYTES };

const gateways = { silent: gateway('error'), logging: gateway('info') };
for (const [name, size] of Object.entries(SIZES)) {
  const body = Buffer.from(chatBody(CLIENT_MODEL, size));
  await compareAsync(`A plain request of ${name === 'small' ? '1.3k' : name}:`, [
    {
      name: 'with metrics and the log line',
      run: (times) => repeat(times, () => exchange(gateways.logging, body, plain)),
    },
    {
      name: 'with metrics, log level error',
      run: (times) => repeat(times, () => exchange(gateways.silent, body, plain)),
    },
  ]);
}
const streamed = Buffer.from(chatBody(CLIENT_MODEL, SIZES.small, { stream: true }));
await compareAsync(`A stream of ${EVENTS} events, a read each; the whole stream:`, [
  {
    name: 'with metrics and the log line',
    run: (times) => repeat(times, () => exchange(gateways.logging, streamed, stream)),
  },
]);
printMachine();

async function exchange(gateway: BenchGateway, body: Buffer, next: CannedAnswer): Promise<number> {
  gateway.answer(next);
  const response = await gateway.handle(request(body));
  if (response.status !== 200) throw new Error(`status ${response.status}: ${JSON.stringify(response)}`);
  return response.kind === 'whole' ? (response.body?.length ?? 0) : read(response);
}

function read(response: Extract<ServerResponse, { kind: 'stream' }>): Promise<number> {
  return new Promise((resolve) => {
    let bytes = 0;
    const stream: ClientStream = {
      write: (part) => {
        bytes += part.length;
        return true;
      },
      onDrain: () => {},
      end: () => resolve(bytes),
      cut: () => {
        throw new Error('the stream was cut');
      },
    };
    response.start(stream);
  });
}

function request(body: Buffer): ServerRequest {
  return {
    method: 'POST',
    path: '/v1/chat/completions',
    query: '',
    header: (name) => headerMap.get(name) ?? null,
    headers: () => headers,
    remoteAddress: () => '127.0.0.1',
    readBody: () => body,
    forgetBody: () => {},
    onGone: () => {},
  };
}

/** The composition root's graph with an upstream that answers from memory, each part of the body in a turn of its own. */
function gateway(level: 'error' | 'info'): BenchGateway {
  let next = plain;
  const upstream: Upstream = {
    request(_, handlers) {
      queueMicrotask(() => respond(handlers, next));
      return { abort() {}, pause() {}, resume() {} };
    },
    close() {},
  };
  const text = JSON.stringify({
    model_list: [
      {
        model_name: CLIENT_MODEL,
        litellm_params: { model: `openai/${UPSTREAM_MODEL}`, api_key: 'sk-x', api_base: 'http://localhost/v1' },
      },
    ],
    general_settings: { master_key: 'sk-bench-master-key' },
  });
  const loaded = loadConfig({ path: 'bench.yaml', text, readFile: () => text, env: {}, strict: false, demo: null });
  if (loaded.kind === 'invalid') throw new Error(JSON.stringify(loaded.findings));
  const snapshot = { ...loaded.snapshot, version: 1 };
  const registry = new MetricsRegistry();
  const names = { isKnown: () => true, teamAlias: () => null, keyMetadata: () => null, apiBase: () => null };
  const metrics = new RequestMetrics(registry, USUAL_METRICS, names);
  const log = createLogger(level, () => {}, Date.now);
  const ports: GatewayPorts = {
    snapshots: { current: () => snapshot },
    keys: masterKeyAuthenticator(() => snapshot),
    admission: MASTER_ONLY,
    ledger: {
      canAccept: () => null,
      begin() {},
      record(entry, trace) {
        metrics.request(entry);
        logRequest(log, entry, trace);
      },
    },
    log: { retryDelay() {}, internalError: ({ error }) => console.error(error) },
    meters: new AttemptMetrics(registry, USUAL_METRICS, names),
    tokens: { count: () => Promise.resolve(null) },
    random: Math.random,
    hexId: () => crypto.randomUUID().replaceAll('-', ''),
  };
  const page = () => ({ status: 200, body: null });
  const graph = {
    ports,
    clock: systemClock,
    upstream,
    health: new HealthTable(),
    load: new LoadTable(),
    slots: new Slots(systemClock),
    usageRefusals: new UsageRefusals(),
  };
  const made = new Gateway({
    ...graph,
    rootPath: '',
    elsewhere: async () => null,
    pages: { health: page, probed: page, readiness: page, metrics: () => Promise.resolve(ANSWER) },
  });
  return {
    handle: (incoming) => made.handle(incoming),
    answer: (answer) => {
      next = answer;
    },
  };
}

function respond(handlers: UpstreamHandlers, { body, ...type }: CannedAnswer): void {
  handlers.onConnected();
  handlers.onSent();
  handlers.onHead(200, [['content-type', type['content-type']], ...ANSWER_HEADERS]);
  for (const part of body) handlers.onData(part);
  handlers.onEnd();
}

async function repeat(times: number, operation: () => Promise<number>): Promise<number> {
  let sum = 0;
  for (let i = 0; i < times; i++) sum += await operation();
  return sum;
}

function event(choice: { delta: { content?: string }; finish_reason: string | null }): Buffer {
  const chunk = {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1763856000,
    model: UPSTREAM_MODEL,
    service_tier: 'default',
    system_fingerprint: 'fp_bench_answer',
    choices: [{ index: 0, ...choice, logprobs: null }],
    obfuscation: 'kX3vQ9',
  };
  return Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`);
}
