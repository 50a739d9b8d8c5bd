import { mkdirSync } from 'node:fs';
import { type Loaded, type LoadOptions, loadConfig } from '../config/load.ts';
import { placesOfErrors, renderFindings } from '../config/report.ts';
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
import { readEnvFile } from './environment.ts';
import { hexId } from './hex-id.ts';
import { authenticator } from './identify.ts';
import type { Io } from './io.ts';
import { exposition, observeState, requestMeters } from './metrics.ts';
import { openModels } from './models.ts';
import { openObservers } from './observers.ts';
import { describeProxy, type Outbound, readOutbound } from './outbound.ts';
import { observeProcess, watchEventLoop } from './process-metrics.ts';
import { LEDGER_PATIENCE, readShutdownTimes, type ShutdownTimes, shutDown } from './shutdown.ts';
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
  logFindings(log, loaded);
  logUnpriced(log, loaded.snapshot);
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

function logFindings(log: Logger, { findings }: Loaded): void {
  for (const { severity, message, file, line, path, hint } of findings) {
    const fields = { file, line, path, hint };
    if (severity === 'note') log.info(message, fields);
    else log.warn(message, fields);
  }
}

/** One line, once for each configuration; of a pattern's models each is known or not when it is asked for. */
function logUnpriced(log: Logger, { deployments }: Loaded['snapshot']): void {
  const unpriced = [...deployments.values()].filter(
    ({ price, disabled, isWildcard }) => price === null && disabled === null && !isWildcard,
  );
  if (unpriced.length === 0) return;
  const models = [...new Set(unpriced.map(({ configuredModel }) => configuredModel))];
  log.info('no price is known for some models: what they cost is recorded as unknown', {
    models,
    hint: 'model_info.base_model names a model whose price they have; input_cost_per_token and output_cost_per_token set it',
  });
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
  let snapshot: Snapshot = { ...loaded.snapshot, version: 1 };
  const current = () => snapshot;
  const health = new HealthTable();
  const loads = new LoadTable();
  const slots = new Slots(systemClock);
  const usageRefusals = new UsageRefusals();
  const registry = new MetricsRegistry(snapshot.server.metrics.choices);
  const reload = new ReloadState(registry);
  const upstream = createUpstream({ ca: sources.outbound.ca, proxy: sources.outbound.proxy }, systemClock);
  let isStopping = false;
  let lastAsked: Millis | null = null;
  const rootPath = (sources.env.SERVER_ROOT_PATH ?? '').replace(/\/$/, '');
  const books = await openBooks({ dataDir: args.dataDir, env: sources.env, current, log, registry }).catch(messageOf);
  if (typeof books === 'string') return books;
  const models = await openModels(books.store, {
    ...{ current, env: sources.env, log },
    load: () => options,
    onChange: () => take(loadConfig(options)),
  });
  const options: LoadOptions = {
    ...loadOptions(args, sources.io, sources.env, sources.demo),
    // Asked at each load, so that the file's reload keeps the database's models.
    get stored() {
      return models.current;
    },
  };
  const whole = loadConfig(options);
  if (whole.kind === 'loaded') snapshot = { ...whole.snapshot, version: 1 };
  const observers = openObservers(registry, log);
  observers.apply(snapshot);

  const { requests, attempts } = requestMeters(registry, current, books.directory.roster);
  const ports = {
    snapshots: { current },
    keys: authenticator(current, books.keys),
    admission: books.admission,
    ledger: {
      canAccept: books.entries.canAccept,
      begin: books.entries.begin,
      record(entry, trace) {
        books.entries.record(entry, trace);
        requests.request(entry);
        logRequest(log, entry, trace);
        observers.record(entry, trace);
      },
    },
    log: gatewayLog(log),
    meters: attempts,
    tokens: tokenCounter(log),
    random: Math.random,
    hexId,
  } satisfies GatewayPorts;

  const gateway = new Gateway({
    ports,
    clock: systemClock,
    upstream,
    health,
    load: loads,
    slots,
    usageRefusals,
    rootPath,
    elsewhere: adminApi({ current, books, ports, rootPath, models }),
    pages: statusPages({
      current,
      now: systemClock.now,
      health,
      books,
      configProblem: () => reload.problem,
      isStopping: () => isStopping,
      onReadiness: () => {
        lastAsked = systemClock.now();
      },
      metrics: () => exposition(registry, systemClock),
    }),
  });

  observeState(registry, { current, health, loads, clock: systemClock, running: () => gateway.running });
  if (registry.unknownChoices.length > 0)
    log.warn('prometheus_metrics_config names metrics that are not here', { metrics: registry.unknownChoices });

  const server = open(args, current, (request) => gateway.handle(request), ports.log);
  if (typeof server === 'string') {
    await books.close(LEDGER_PATIENCE);
    return server;
  }

  const take = (next: ReturnType<typeof loadConfig>) => {
    if (next.kind === 'invalid') {
      reload.refused(placesOfErrors(next.findings));
      log.error('the edited configuration is wrong and was not taken; the one before stays in use', {
        problem: renderFindings(next.findings),
      });
      return;
    }
    reload.taken();
    if (next.snapshot.fingerprint === snapshot.fingerprint) return;
    snapshot = { ...next.snapshot, version: snapshot.version + 1 };
    log.setLevel(logLevel(args, next));
    observers.apply(snapshot);
    health.prune(snapshot.deployments.keys());
    loads.prune(snapshot.deployments.keys());
    usageRefusals.prune(snapshot.deployments.keys());
    log.info('configuration swapped', { version: snapshot.version, fingerprint: snapshot.fingerprint });
    logFindings(log, next);
    logUnpriced(log, next.snapshot);
  };
  observeProcess(registry, systemClock);
  const stopWatching = watchEventLoop(registry, systemClock);
  const watcher =
    args.config === null ? null : watchConfig({ load: options, current: loaded, clock: systemClock, onChange: take });

  const stopped = untilSignal(log, () => watcher?.reload()).then(async () => {
    isStopping = true;
    watcher?.stop();
    models.close();
    await shutDown(sources.shutdown, {
      ...{ server, lastAsked, clock: systemClock },
      onDrain: (window) => log.info('draining: readiness is red, requests are still taken', { window_ms: window }),
      onStop: () => log.info('stopping: no new connections, running answers go on', { running: gateway.running }),
      onLastCall() {
        log.warn('ending the answers that still run', { running: gateway.running });
        gateway.stop();
      },
    });
    upstream.close();
    stopWatching();
    await Promise.all([books.close(LEDGER_PATIENCE), observers.close(CALLBACK_PATIENCE)]);
  });
  return { server, stopped, current };
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

/** Whether the last edit of the configuration was taken; loud in metrics, log and readiness. */
class ReloadState {
  /** Where the file is wrong; readiness tells it to anybody. */
  problem: string | null = null;
  readonly #failures;
  readonly #gauge;

  constructor(registry: MetricsRegistry) {
    this.#failures = registry.counter(
      'tollgate_config_reload_failures_total',
      'Edits of the configuration that were refused.',
      [],
    );
    this.#gauge = registry.gauge(
      'tollgate_config_last_reload_successful',
      'Whether the configuration on disk is the one in use.',
      [],
    );
    this.#failures.add({}, 0);
    this.#gauge.set({}, 1);
  }

  refused(problem: string): void {
    this.problem = problem;
    this.#failures.add({});
    this.#gauge.set({}, 0);
  }

  taken(): void {
    this.problem = null;
    this.#gauge.set({}, 1);
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
