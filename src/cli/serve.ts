import { mkdirSync } from 'node:fs';
import { type Loaded, type LoadOptions, loadConfig } from '../config/load.ts';
import { renderFindings } from '../config/report.ts';
import { watchConfig } from '../config/watch.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { Millis } from '../core/units.ts';
import { seconds } from '../core/units.ts';
import { VERSION } from '../core/version.ts';
import { Gateway } from '../gateway/gateway.ts';
import type { GatewayPorts } from '../gateway/ports.ts';
import { Slots } from '../gateway/slots.ts';
import { UsageRefusals } from '../gateway/usage-refusals.ts';
import { HealthTable } from '../router/health.ts';
import { LoadTable } from '../router/load.ts';
import { createLogger, type Logger } from '../telemetry/log.ts';
import { MetricsRegistry } from '../telemetry/metrics.ts';
import { logRequest } from '../telemetry/request-log.ts';
import { startWorker } from '../tokens/start-worker.ts';
import { WorkerTokenCounter } from '../tokens/worker-counter.ts';
import { serve as listen } from '../transport/h1-server.ts';
import type { GatewayServer, Handler } from '../transport/server.ts';
import { systemClock } from '../transport/system-clock.ts';
import { createUpstream } from '../transport/upstream-h1.ts';
import { adminApi } from './admin-api.ts';
import type { ServeArguments } from './arguments.ts';
import { openBooks } from './books.ts';
import { openCallbacks } from './callbacks.ts';
import { readEnvFile } from './environment.ts';
import { hexId } from './hex-id.ts';
import { authenticator } from './identify.ts';
import type { Io } from './io.ts';
import { exposition, observeState, requestMeters } from './metrics.ts';
import { openModels } from './models.ts';
import { describeProxy, type Outbound, readOutbound } from './outbound.ts';
import { observeProcess, watchEventLoop } from './process-metrics.ts';
import { RunningConfig, tellOfConfig } from './running-config.ts';
import { type Ending, LEDGER_PATIENCE, readShutdownTimes, type ShutdownTimes, shutDown } from './shutdown.ts';
import { statusPages } from './status-pages.ts';
import { welcome } from './welcome.ts';

const BODY_TIMEOUT_MS = 60_000;
const IDLE_SECONDS = 75;
/** How long callbacks may take for their last records; what is left is lost, and counted. */
const CALLBACK_PATIENCE = seconds(2);

type Environment = Io['env'];
type LogLevel = Snapshot['server']['logLevel'];

/**
 * The composition root: reads the configuration, builds every part, listens, and keeps going until a signal.
 *
 * @returns the exit code, once the gateway has stopped or when it could not start
 */
export async function serve(args: ServeArguments, io: Io): Promise<number> {
  const env = readEnvFile(io, args.envFile);
  if (typeof env === 'string') return refuse(io, env);
  const demo = await demoFor(args, io, env);
  try {
    return await serveWith(args, io, env, demo);
  } finally {
    await demo?.stop();
  }
}

async function serveWith(args: ServeArguments, io: Io, env: Environment, demo: Demo | null): Promise<number> {
  const loaded = load(args, io, env, demo);
  if (loaded.kind === 'invalid') {
    io.writeError(
      `${renderFindings(loaded.findings)}\ntollgate: ${args.config} was not loaded; nothing was started.\n`,
    );
    return 1;
  }
  if (loaded.snapshot.server.masterKey === null) return refuse(io, NO_MASTER_KEY);
  const outbound = readOutbound(env, io.readFile);
  if (typeof outbound === 'string') return refuse(io, outbound);
  const shutdown = readShutdownTimes(env);
  if (typeof shutdown === 'string') return refuse(io, shutdown);
  mkdirSync(args.dataDir, { recursive: true });

  const log = createLogger(logLevel(args, loaded), (lines) => io.write(lines), systemClock.wall);
  tellOfConfig(log, loaded);
  for (const name of args.ignored) log.info(`--${name} is accepted and has no effect here`);
  for (const warning of outbound.warnings) log.warn(warning);
  if (outbound.proxy !== null) log.info(describeProxy(outbound.proxy));

  const running = await start(args, loaded, log, { args, io, env, demo, outbound, shutdown });
  if (typeof running === 'string') return refuse(io, running);
  io.write(welcome({ address: running.server, snapshot: running.current(), envFile: args.envFile, version: VERSION }));
  await running.stopped;
  log.flush();
  return 0;
}

const NO_MASTER_KEY = `no master key is set, so nobody could be told from anybody.
Set LITELLM_MASTER_KEY (any text that starts with sk-), or general_settings.master_key: os.environ/LITELLM_MASTER_KEY.
In a clone, 'npm start' and scripts/setup-litellm-env.sh generate one into .env.`;

interface Sources {
  readonly args: ServeArguments;
  readonly io: Io;
  readonly env: Environment;
  readonly demo: Demo | null;
  readonly outbound: Outbound;
  readonly shutdown: ShutdownTimes;
}

interface Demo {
  readonly baseUrl: string;
  stop(): Promise<void>;
}

/** The in-process model `demo`: only when no provider could answer, or when it is asked for. */
async function demoFor(args: ServeArguments, io: Io, env: Environment): Promise<Demo | null> {
  if (env.TOLLGATE_DEMO === 'false') return null;
  const first = load(args, io, env, null);
  const hasProvider =
    first.kind === 'loaded' && [...first.snapshot.deployments.values()].some((each) => each.disabled === null);
  if ((hasProvider && env.TOLLGATE_DEMO !== 'true') || first.kind === 'invalid') return null;
  const { startSimulator } = await import('../simulator/simulator.ts');
  const simulator = await startSimulator({ demo: true });
  return { baseUrl: `${simulator.url}/v1`, stop: () => simulator.stop() };
}

function load(args: ServeArguments, io: Io, env: Environment, demo: Demo | null) {
  return loadConfig(loadOptions(args, io, env, demo));
}

function loadOptions(args: ServeArguments, io: Io, env: Environment, demo: Demo | null): LoadOptions {
  return { path: args.config, readFile: io.readFile, env, strict: false, demo };
}

/** Flags beat the configuration, whose own rule knows the environment. */
function logLevel(args: ServeArguments, loaded: Loaded): LogLevel {
  if (args.debug === 'detailed') return 'debug';
  return args.debug === 'debug' ? 'info' : loaded.snapshot.server.logLevel;
}

function gatewayLog(log: Logger): GatewayPorts['log'] {
  return {
    retryDelay: ({ callId, deployment, delay, reason }) =>
      log.warn('waiting before another try', { call_id: callId, deployment, delay_ms: delay, reason }),
    internalError: ({ callId, error }) => log.error('internal error', { call_id: callId, error }),
  };
}

function tokenCounter(log: Logger): WorkerTokenCounter {
  return new WorkerTokenCounter({
    clock: systemClock,
    start: (events) => startWorker(events),
    onLost: (reason) => log.error('the token counter failed; prompts go on unchecked for a while', { reason }),
  });
}

interface Running {
  readonly server: GatewayServer;
  readonly stopped: Promise<void>;
  current(): Snapshot;
}

/** Builds the whole graph and listens; a string says why that was impossible. */
async function start(args: ServeArguments, loaded: Loaded, log: Logger, sources: Sources): Promise<Running | string> {
  const { env, io, demo, outbound } = sources;
  const registry = new MetricsRegistry(loaded.snapshot.server.metrics.choices);
  const config = new RunningConfig(loaded.snapshot, registry, log);
  const { current } = config;
  const clock = systemClock;
  const tables = { health: new HealthTable(), load: new LoadTable(), usageRefusals: new UsageRefusals() };
  const { health } = tables;
  const upstream = createUpstream({ ca: outbound.ca, proxy: outbound.proxy }, clock);
  const rootPath = (env.SERVER_ROOT_PATH ?? '').replace(/\/$/, '');
  const books = await openBooks({ dataDir: args.dataDir, env, current, log, registry }).catch(messageOf);
  if (typeof books === 'string') return books;
  const models = await openModels(books.store, {
    ...{ current, env, log },
    load: () => options,
    onChange: () => config.take(loadConfig(options)),
  });
  const options: LoadOptions = {
    ...loadOptions(args, io, env, demo),
    // Asked at each load, so that the file's reload keeps the database's models.
    get stored() {
      return models.current;
    },
  };
  config.begin(loadConfig(options));
  const callbacks = openCallbacks(registry, log);
  callbacks.apply(current().telemetry);

  const { requests, attempts } = requestMeters(registry, current, books.directory.roster);
  const ports = {
    snapshots: { current },
    keys: authenticator(current, books.keys),
    admission: books.admission,
    ledger: {
      canAccept: books.entries.canAccept,
      begin: books.entries.begin,
      record(entry, trace) {
        books.entries.record(entry);
        requests.request(entry);
        logRequest(log, entry, trace);
        callbacks.record(entry, trace);
      },
    },
    log: gatewayLog(log),
    meters: attempts,
    tokens: tokenCounter(log),
    random: Math.random,
    hexId,
  } satisfies GatewayPorts;

  const watch = { isStopping: false, readinessAsked: null as Millis | null };
  const gateway = new Gateway({
    ...{ ports, clock, upstream, ...tables, slots: new Slots(clock), rootPath },
    elsewhere: adminApi({ current, books, ports, rootPath, models }),
    pages: statusPages({
      ...{ current, now: clock.now, health, books },
      configProblem: () => config.problem,
      isStopping: () => watch.isStopping,
      onReadiness: () => {
        watch.readinessAsked = clock.now();
      },
      metrics: () => exposition(registry, clock),
    }),
  });
  observeState(registry, { current, health, loads: tables.load, clock, running: () => gateway.running });
  if (registry.unknownChoices.length > 0)
    log.warn('prometheus_metrics_config names metrics that are not here', { metrics: registry.unknownChoices });

  const server = open(args, current, (request) => gateway.handle(request), ports.log);
  if (typeof server === 'string') {
    await books.close(LEDGER_PATIENCE);
    return server;
  }
  config.onSwap((snapshot, next) => {
    log.setLevel(logLevel(args, next));
    callbacks.apply(snapshot.telemetry);
    for (const table of Object.values(tables)) table.prune(snapshot.deployments.keys());
  });
  observeProcess(registry, clock);
  const stopWatching = watchEventLoop(registry, clock);
  const watcher =
    args.config === null
      ? null
      : watchConfig({ load: options, current: loaded, clock, onChange: (next) => config.take(next) });

  const stopped = untilSignal(log, () => watcher?.reload()).then(async () => {
    watch.isStopping = true;
    watcher?.stop();
    models.close();
    await endAnswers(sources.shutdown, { server, gateway, log, lastAsked: watch.readinessAsked });
    upstream.close();
    stopWatching();
    await Promise.all([books.close(LEDGER_PATIENCE), callbacks.close(CALLBACK_PATIENCE)]);
  });
  return { server, stopped, current };
}

interface Answering extends Pick<Ending, 'server' | 'lastAsked'> {
  readonly gateway: Gateway;
  readonly log: Logger;
}

/** Ends the door and the answers that run, each with a line in the log. */
function endAnswers(times: ShutdownTimes, { server, gateway, log, lastAsked }: Answering): Promise<void> {
  return shutDown(times, {
    ...{ server, lastAsked, clock: systemClock },
    onDrain: (window) => log.info('draining: readiness is red, requests are still taken', { window_ms: window }),
    onStop: () => log.info('stopping: no new connections, running answers go on', { running: gateway.running }),
    onLastCall() {
      log.warn('ending the answers that still run', { running: gateway.running });
      gateway.stop();
    },
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Opens the door; a string says why that was impossible. */
function open(
  { host, port }: ServeArguments,
  current: () => Snapshot,
  answer: Handler,
  log: GatewayPorts['log'],
): GatewayServer | string {
  try {
    return listen(
      {
        hostname: host,
        port,
        // Asked for each request, so that a reload reaches it.
        get maxBodyBytes() {
          return current().server.maxRequestBytes;
        },
        bodyTimeoutMs: BODY_TIMEOUT_MS,
        idleSeconds: IDLE_SECONDS,
      },
      answer,
      (error) => log.internalError({ callId: null, error }),
    );
  } catch (error) {
    return `cannot listen on ${host}:${port}: ${(error as Error).message}\nAnother program may have the port; choose one with --port.`;
  }
}

/** Resolves at SIGTERM or SIGINT; SIGHUP asks for a reload. A second signal ends the process at once. */
function untilSignal(log: Logger, onHangUp: () => void): Promise<void> {
  process.on('SIGHUP', onHangUp);
  // A fault in one request must not end the others.
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', { error }));
  process.on('uncaughtException', (error) => log.error('uncaught exception', { error }));
  return new Promise((resolve) => {
    const stop = () => {
      process.on('SIGTERM', () => process.exit(1));
      process.on('SIGINT', () => process.exit(130));
      resolve();
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
  });
}

function refuse(io: Io, reason: string): number {
  io.writeError(`tollgate: ${reason}\n`);
  return 1;
}
