import type { Clock } from '../core/clock.ts';
import type { LedgerEntry } from '../core/ledger-entry.ts';
import type { LedgerStore } from '../core/ledger-store.ts';
import type { EpochMillis } from '../core/units.ts';
import { AlertBook } from './alert-book.ts';
import { type Actor, ChangeLog } from './change-log.ts';
import type { Engine } from './engine.ts';
import { ChangeFeed, type FeedListener } from './feed.ts';
import type { HealthState } from './health.ts';
import type { Account } from './ledger/accounts.ts';
import { type AccountPeriod, type Balance, balanceOf, balancesOf } from './ledger/balance.ts';
import { DatabaseLedger } from './ledger/database-ledger.ts';
import { HoldBook } from './ledger/hold-book.ts';
import { type Pruned, prune, type Retention } from './ledger/prune.ts';
import { rollUp } from './ledger/roll-up.ts';
import { type Difference, verify } from './ledger/verify.ts';
import { LimitBook } from './limit-book.ts';
import { openPostgres, type PostgresOptions } from './postgres/open.ts';
import { type Readers, readersOf, type Writers, writersOf } from './resources/resources.ts';
import { withRetries } from './retry.ts';
import type { Session } from './session.ts';
import { SpendLogs } from './spend-logs.ts';
import { SpendReports } from './spend-reports.ts';
import { openSqlite } from './sqlite/open.ts';

/** Which database, and the time. */
export interface StoreOptions {
  readonly clock: Clock;
  /** A PostgreSQL database, or null for the embedded one. */
  readonly postgres: PostgresOptions | null;
  /** Folder of the embedded database; created when it is not there. */
  readonly dataDir: string;
}

/**
 * Everything that Tollgate keeps: keys, tenants, models, the ledger and the audit log, in one database.
 *
 * Reads throw `StoreUnavailable` while the database is away. Changes go through `change`, which writes the audit log and
 * tells every instance in the same transaction; there is no other way to change a row.
 */
export interface Store {
  readonly kind: Engine['kind'];
  /** Every resource, to be read. */
  readonly read: Readers;
  /** Sums of spend by day, model, key, tag and so on. */
  readonly reports: SpendReports;
  /** The log of requests, in pages. */
  readonly logs: SpendLogs;
  readonly ledger: LedgerStore;
  /** Alerts about budgets, each once. */
  readonly alerts: AlertBook;
  /** What instances hold of the budgets that they share; null on the embedded database, which has one instance. */
  readonly holds: HoldBook | null;
  /** What instances have counted under limits; null on the embedded database. */
  readonly counts: LimitBook | null;
  /** Whether the database answers at the moment. */
  health(): HealthState;
  onHealth(listener: (state: HealthState) => void): () => void;
  /** Changes committed by any instance, within a second and in order. */
  onChange(listener: FeedListener): () => void;
  /**
   * Makes changes in one transaction: all of them, their audit rows and their notification, or none.
   *
   * `work` may run again when another transaction stood in its way, so it must touch nothing but the writers.
   *
   * @throws Conflict, Unstorable: nothing was changed. StoreUnavailable: not known.
   */
  change<T>(actor: Actor, work: (writers: Writers) => Promise<T>): Promise<T>;
  /** What an account spent since a moment; `balance.ts` says which moments are exact. */
  balance(account: Account, since: EpochMillis | null): Promise<Balance>;
  /** The same for many, in their order, and what was set by hand for those of which all spend is asked. */
  balances(asked: readonly AccountPeriod[]): Promise<readonly Balance[]>;
  /** Keeps an entry that the ledger's `write` cannot take, for a person to look at. */
  bury(entry: LedgerEntry, reason: string): Promise<void>;
  /** Compares every total with the rows it was summed from. */
  verify(): Promise<readonly Difference[]>;
  /** Adds up days that are over, for reports; gives those that it added up. */
  rollUp(): Promise<readonly string[]>;
  /** Removes what is older than is to be kept. */
  prune(retention: Retention): Promise<Pruned>;
  close(): Promise<void>;
}

/**
 * Opens the store: connects, brings the tables up to date, and starts to watch for changes.
 *
 * @throws StoreRefused when that is not possible, with a message for the operator
 */
export async function openStore({ clock, postgres, dataDir }: StoreOptions): Promise<Store> {
  const engine = postgres === null ? await openSqlite(dataDir, clock) : await openPostgres(postgres, clock);
  const feed = await startFeed(engine, clock);
  const session: Session = { ...engine, now: () => new Date(clock.wall()) };
  const patient: Session = { ...session, queries: engine.patient };
  const ledger = new DatabaseLedger(session, clock);
  const reports = new SpendReports(session);
  return {
    kind: engine.kind,
    read: readersOf(session),
    reports,
    logs: new SpendLogs(session, reports),
    ledger,
    alerts: new AlertBook(session),
    holds: engine.kind === 'postgres' ? new HoldBook(session, clock) : null,
    counts: engine.kind === 'postgres' ? new LimitBook(session) : null,
    health: () => engine.health.state,
    onHealth: (listener) => engine.health.onChange(listener),
    onChange: (listener) => feed.subscribe(listener),
    async change(actor, work) {
      const result = await withRetries(clock, () => changeOnce(session, actor, work));
      await feed.wake();
      return result;
    },
    balance: (account, since) => balanceOf(session, account, since),
    balances: (asked) => balancesOf(session, asked),
    bury: (entry, reason) => ledger.bury(entry, reason),
    verify: () => verify(patient),
    rollUp: () => rollUp(patient),
    prune: (retention) => prune(patient, retention),
    async close() {
      feed.close();
      await engine.close();
    },
  };
}

async function startFeed(engine: Engine, clock: Clock): Promise<ChangeFeed> {
  try {
    return await ChangeFeed.start(engine, clock);
  } catch (error) {
    await engine.close();
    throw error;
  }
}

function changeOnce<T>(session: Session, actor: Actor, work: (writers: Writers) => Promise<T>): Promise<T> {
  return session.queries.transaction().execute(async (queries) => {
    const inside = { ...session, queries };
    const log = new ChangeLog();
    const result = await work(writersOf(inside, log, actor.id));
    await log.write(inside, actor);
    return result;
  });
}
