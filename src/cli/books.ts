import { join } from 'node:path';
import { isStored } from '../control/balances/accounts.ts';
import { AppliedPositions } from '../control/balances/applied-positions.ts';
import { BalanceKeeper } from '../control/balances/balance-keeper.ts';
import { Exchanges } from '../control/balances/exchanges.ts';
import { Presence } from '../control/balances/presence.ts';
import { DirectoryKeeper } from '../control/directory/directory.ts';
import { KeyFinder } from '../control/directory/key-finder.ts';
import { LimitKeeper } from '../control/limits/limit-keeper.ts';
import { RollUpKeeper } from '../control/roll-ups/roll-up-keeper.ts';
import type { BegunRequest, LedgerEntry } from '../core/ledger-entry.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { type Millis, seconds, usd } from '../core/units.ts';
import { VirtualKeyAdmission } from '../gateway/admission.ts';
import { inferProvider } from '../gateway/infer-provider.ts';
import type { Admission, RequestLedger } from '../gateway/ports.ts';
import { priceBoundOf } from '../gateway/price-bound.ts';
import { type Ledger, openLedger, runName } from '../ledger/ledger.ts';
import { type BudgetAlert, type BudgetSettings, Budgets } from '../metering/budget.ts';
import { type ModelCatalog, modelCatalog } from '../metering/model-catalog.ts';
import { RateLimits } from '../metering/rate-limit.ts';
import { openStore, type Store } from '../store/store.ts';
import { LedgerMetrics } from '../telemetry/ledger-metrics.ts';
import type { Logger } from '../telemetry/log.ts';
import type { MetricsRegistry } from '../telemetry/metrics.ts';
import { systemClock } from '../transport/system-clock.ts';
import { type Alerts, openAlerts } from './alerts.ts';
import { hexId } from './hex-id.ts';
import type { Io } from './io.ts';
import { ledgerObserver } from './ledger-events.ts';
import { observeTenants } from './tenant-metrics.ts';

/** Longer than any request lives: what is held for one that nobody ended is given back then. */
const LEASE_TIME: Millis = seconds(2 * 3600);

/** Entries in one transaction. */
const TOGETHER = 500;

/** What the books are opened with. */
export interface BookOptions {
  readonly dataDir: string;
  readonly env: Io['env'];
  current(): Snapshot;
  readonly log: Logger;
  readonly registry: MetricsRegistry;
}

type RequestEntries = Pick<RequestLedger, 'canAccept' | 'begin'> & { record(entry: LedgerEntry): void };

/** Everything that outlives the process, and those who keep it in step with memory. */
export interface Books {
  readonly store: Store;
  readonly directory: DirectoryKeeper;
  readonly keys: KeyFinder;
  readonly ledger: Ledger;
  readonly admission: Admission;
  /** The ledger as the data plane knows it, without the traces that others want. */
  readonly entries: RequestEntries;
  /** Ends everything, in order: what was recorded is written first, within `patience`. */
  close(patience: Millis): Promise<void>;
}

/**
 * Opens the database and the journal, and what stands between them and the requests.
 *
 * A PostgreSQL that does not answer is waited for: the operator's key works, everybody else's gets 503, and nothing that
 * is recorded meanwhile is lost.
 *
 * @throws StoreRefused, or what the file system says: the message is for the operator
 */
export async function openBooks(options: BookOptions): Promise<Books> {
  const { dataDir, current } = options;
  const url = current().server.databaseUrl?.reveal() ?? null;
  const postgres = url === null ? null : ({ url, whenUnreachable: 'wait' } as const);
  const store = await openStore({ clock: systemClock, postgres, dataDir });
  try {
    return await keepBooks(store, options);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function keepBooks(store: Store, options: BookOptions): Promise<Books> {
  const { env, current, log, registry } = options;
  tellOfDatabase(store, log);
  const directory = openDirectory(store, options);
  const keys = new KeyFinder(directory, store, systemClock);
  const positions = new AppliedPositions(store.ledger, TOGETHER);
  const run = runName(systemClock.wall(), `${process.pid}-${hexId().slice(-8)}`);
  const { holds } = store;
  const presence = holds === null ? null : new Presence({ holds, onHealth: store.onHealth }, systemClock, run);
  const ledger = await openBooksLedger(store, positions, { ...options, run, presence });
  const alerts = openAlerts(store, env, log);
  const budgets = new Budgets(budgetSettings(current, log, registry, alerts, store));
  const balances = openBalances(store, { positions, budgets, run, registry });
  const limits = new RateLimits();
  const shared = store.counts === null ? null : new LimitKeeper(store.counts, limits, systemClock, run);
  const rollUps = new RollUpKeeper(store, systemClock, (reason) =>
    log.warn('days that are over cannot be added up; reports read all their rows', { reason }),
  );
  const admission = new VirtualKeyAdmission({
    clock: systemClock,
    directory: () => directory.roster,
    catalog: catalogOf(current),
    priceBound: (model, request) => priceBoundOf(current(), model, request, inferProvider),
    limits,
    budgets,
    known: (chain) => balances.known(chain),
    cover: (chain, estimate) => balances.cover(chain, estimate),
    position: () => positions.next,
    leaseTime: LEASE_TIME,
  });
  directory.start();
  balances.start();
  presence?.announce();
  shared?.start();
  rollUps.start();
  observe(registry, { store, directory, balances, budgets, limits, admission });
  return {
    ...{ store, directory, keys, ledger, admission },
    entries: requestEntries(ledger, positions),
    async close(patience) {
      alerts.close();
      rollUps.close();
      await balances.close();
      shared?.close();
      directory.close();
      const left = await ledger.close(patience);
      if (left.entries > 0 || left.journalBytes > 0)
        log.warn('entries stay in the journal; the next start writes them', { ...left });
      await presence?.close(left.journalBytes === 0);
      await store.close();
    },
  };
}

function openDirectory(store: Store, { current, log }: BookOptions): DirectoryKeeper {
  const tell = {
    loaded: (keys: number) => log.debug('the directory was read', { keys }),
    failed: (reason: string) => log.warn('the directory cannot be read; what is known goes on', { reason }),
  };
  return new DirectoryKeeper(store, systemClock, tell, () => current().server.budgets);
}

interface LedgerParts extends BookOptions {
  readonly run: string;
  readonly presence: Presence | null;
}

/** The journal of this process and its writer, and those who hear of them. */
async function openBooksLedger(
  store: Store,
  positions: AppliedPositions,
  { dataDir, log, registry, run, presence }: LedgerParts,
): Promise<Ledger> {
  const metrics = new LedgerMetrics(registry);
  const tell = ledgerObserver(log, metrics);
  const ledger = await openLedger({
    folder: join(dataDir, 'ledger'),
    store: positions,
    deadLetter: async (entry, reason) => {
      await store.bury(entry, reason);
      positions.buried(entry.requestId);
    },
    clock: systemClock,
    random: Math.random,
    run,
    observe(event) {
      tell(event);
      if (event.kind === 'emptied') void presence?.gone(event.run);
    },
  });
  // The writer would come back by itself, but it may be in the middle of a long pause.
  store.onHealth(({ kind }) => {
    if (kind === 'up') void ledger.drained();
  });
  metrics.observe(registry, () => ledger.status(), systemClock.wall);
  return ledger;
}

interface BalanceParts {
  readonly positions: AppliedPositions;
  readonly budgets: Budgets;
  readonly run: string;
  readonly registry: MetricsRegistry;
}

/** Budgets in step with the store; where others may share them, by exchanges. */
function openBalances(store: Store, { positions, budgets, run, registry }: BalanceParts): BalanceKeeper {
  const asks = registry.counter('tollgate_budget_asks_total', 'Requests that waited for a part of a shared budget.', [
    'answer',
  ]);
  const { holds } = store;
  const exchanges =
    holds === null
      ? null
      : new Exchanges({
          ...{ holds, store, positions, budgets, clock: systemClock, instance: run },
          onAsked: (answer) => asks.add({ answer }),
        });
  return new BalanceKeeper(store, positions, budgets, systemClock, exchanges);
}

function requestEntries(ledger: Ledger, positions: AppliedPositions): RequestEntries {
  return {
    canAccept: () => ledger.canAccept(),
    begin: (request: BegunRequest) => ledger.begin(request),
    record(entry: LedgerEntry) {
      if (!hasRow(ledger, entry)) return;
      positions.record(entry.requestId);
      ledger.record(entry);
    },
  };
}

/**
 * Whether a request is a row. Those whose sender nobody knows are not, or anybody could fill the database; nor are those
 * that were refused because no record could be kept. Neither used anything.
 */
function hasRow(ledger: Ledger, { principal, attempts }: LedgerEntry): boolean {
  return principal !== 'unknown' && (attempts.length > 0 || ledger.canAccept() === null);
}

function budgetSettings(
  current: () => Snapshot,
  log: Logger,
  registry: MetricsRegistry,
  alerts: Alerts,
  { holds }: Store,
): BudgetSettings {
  const counter = registry.counter('tollgate_budget_alerts_total', 'Marks of budgets that were passed.', [
    ...['scope', 'mark'],
  ]);
  return {
    // Asked for each request, so that a reload reaches it.
    get unknownSpend() {
      return current().server.failClosedBudgets ? ('refuse' as const) : ('admit' as const);
    },
    isShared: (period) => holds !== null && isStored(period),
    onAlert(alert: BudgetAlert) {
      const { rule, mark, spent } = alert;
      alerts.tell(alert);
      counter.add({ scope: rule.scope, mark: String(mark) });
      const { limit } = rule.budget;
      log.warn('a budget passed a mark', {
        ...{ scope: rule.scope, whose: rule.shown, mark, spent_usd: usd(spent) },
        limit_usd: limit === null ? null : usd(limit),
      });
    },
  };
}

/** The catalog of the configuration in use, made when it was swapped. */
function catalogOf(current: () => Snapshot): () => ModelCatalog {
  let snapshot = current();
  let catalog = modelCatalog(snapshot, inferProvider);
  return () => {
    if (snapshot !== current()) {
      snapshot = current();
      catalog = modelCatalog(snapshot, inferProvider);
    }
    return catalog;
  };
}

function tellOfDatabase(store: Store, log: Logger): void {
  const health = store.health();
  if (health.kind === 'down')
    log.error('the database does not answer; the gateway works without it and goes on trying', {
      reason: health.reason,
    });
  store.onHealth((state) => {
    if (state.kind === 'up') log.info('the database answers again');
    else log.error('the database does not answer; known keys go on working', { reason: state.reason });
  });
}

interface Observed {
  readonly store: Store;
  readonly directory: DirectoryKeeper;
  readonly balances: BalanceKeeper;
  readonly budgets: Budgets;
  readonly limits: RateLimits;
  readonly admission: VirtualKeyAdmission;
}

function observe(registry: MetricsRegistry, observed: Observed): void {
  const { store, directory, balances, budgets, limits, admission } = observed;
  const { roster } = directory;
  registry.observed('tollgate_database_up', 'Whether the database answers.', () =>
    store.health().kind === 'up' ? 1 : 0,
  );
  registry.observed(
    'tollgate_directory_version',
    'Grows whenever keys, teams and the like are read.',
    () => roster.version,
  );
  registry.observed('tollgate_directory_keys', 'Virtual keys in memory.', () => roster.keys.size);
  registry.observed('litellm_total_users', 'Users in memory.', () => roster.users.size);
  registry.observed('litellm_teams_count', 'Teams in memory.', () => roster.teams.size);
  observeTenants(registry, { roster, budgets, limits, clock: systemClock });
  registry.observed('tollgate_budget_accounts', 'Budgets in use, kept in step with the database.', () => balances.size);
  registry.observed(
    'tollgate_budget_spare_usd',
    'What this instance holds of shared budgets beyond what it needs.',
    () => Number(budgets.spare) / 1e9,
  );
  registry.observed(
    'tollgate_budget_leases',
    'Requests of virtual keys that hold limits and budgets.',
    () => admission.open,
  );
}
