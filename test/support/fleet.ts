import { AppliedPositions } from '../../src/control/balances/applied-positions.ts';
import { BalanceKeeper } from '../../src/control/balances/balance-keeper.ts';
import { Exchanges } from '../../src/control/balances/exchanges.ts';
import type { LedgerEntry } from '../../src/core/ledger-entry.ts';
import { type LedgerStore, StoreUnavailable, type WriteReport } from '../../src/core/ledger-store.ts';
import { type EpochMillis, epochMillis, type Millis, millis, nanoUsd } from '../../src/core/units.ts';
import { type Asked, type BudgetLease, type BudgetRule, Budgets } from '../../src/metering/budget.ts';
import type { Estimate } from '../../src/metering/estimate.ts';
import type { HealthState } from '../../src/store/health.ts';
import { type Account, accountId, accountsOf } from '../../src/store/ledger/accounts.ts';
import type { AccountPeriod, Balance } from '../../src/store/ledger/balance.ts';
import type { Hold, Holding } from '../../src/store/ledger/hold-book.ts';
import { entryOf } from './ledger.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** Lets everything run that waits for nothing but its turn. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** How the next statement fares: `refused` before it did anything, `unheard` after it was committed. */
type Mishap = 'refused' | 'unheard';

const nameOf = (account: Account): string => `${account.type} ${accountId(account)}`;

interface HeldRow extends Hold {
  readonly expiresAt: number;
}

/**
 * What PostgreSQL does with entries and holds, in memory and on a virtual clock: each transaction takes a while before
 * and after its commit, and those of one account run one after the other.
 */
export class SharedStore {
  readonly #clock: VirtualClock;
  readonly entries = new Map<string, LedgerEntry>();
  readonly #holds = new Map<string, Map<string, HeldRow>>();
  #lock: Promise<unknown> = Promise.resolve();
  /** Milliseconds that a statement takes, half of them before its commit. */
  pace = 4;
  readonly mishaps: Mishap[] = [];
  /** Those whose connections broke: what they had not committed then is rolled back. */
  readonly gone = new Set<string>();
  /** Instances that said that they are alive. */
  readonly alive = new Set<string>();
  exchanges = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** What is held of an account, of all instances or of one. */
  heldOf(account: Account, instance: string | null = null): bigint {
    let sum = 0n;
    for (const [name, { held, expiresAt }] of this.#holds.get(nameOf(account)) ?? [])
      if (expiresAt > this.#clock.wall() && (instance === null || instance === name)) sum += held;
    return sum;
  }

  get rows(): number {
    return [...this.#holds.values()].reduce((sum, rows) => sum + rows.size, 0);
  }

  spentOf(account: Account, since: EpochMillis | null): bigint {
    let sum = 0n;
    for (const entry of this.entries.values())
      if (entry.startedAt >= (since ?? 0) && accountsOf(entry).some((each) => nameOf(each) === nameOf(account)))
        sum += amountOf(entry);
    return sum;
  }

  /** Whether nobody can reach it, and everybody knows. */
  isDown = false;

  readonly health = (): HealthState =>
    this.isDown ? { kind: 'down', since: this.#clock.wall(), reason: 'connection refused' } : { kind: 'up' };

  async balances(asked: readonly AccountPeriod[]): Promise<readonly Balance[]> {
    return this.#statement(() => asked.map((each) => this.#balance(each)));
  }

  exchange(
    instance: string,
    asked: readonly AccountPeriod[],
    divide: (found: readonly Holding[]) => readonly Hold[],
    lease: Millis,
  ): Promise<readonly Holding[]> {
    const done = this.#lock.then(() =>
      this.#statement(() => {
        if (this.gone.has(instance)) throw new StoreUnavailable('connection reset');
        this.exchanges += 1;
        const found = asked.map((each) => this.#holding(each, instance));
        divide(found).forEach((hold, index) => {
          const name = nameOf((asked[index] as AccountPeriod).account); // as many as were asked for
          const rows = this.#holds.get(name) ?? new Map<string, HeldRow>();
          this.#holds.set(name, rows);
          if (hold.held <= 0n && !hold.isWanting && !hold.isShort) rows.delete(instance);
          else rows.set(instance, { ...hold, expiresAt: this.#clock.wall() + lease });
        });
        return found;
      }),
    );
    this.#lock = done.catch(() => undefined);
    return done;
  }

  drop(instance: string): void {
    for (const rows of this.#holds.values()) rows.delete(instance);
    this.alive.delete(instance);
  }

  /** The ledger's writer does not wait for the locks of holds. */
  readonly ledger: LedgerStore = {
    write: (entries) =>
      this.#statement((): WriteReport => {
        const fresh = entries.filter(({ requestId }) => !this.entries.has(requestId));
        for (const entry of fresh) this.entries.set(entry.requestId, entry);
        return { written: fresh.length, duplicates: entries.length - fresh.length, rejected: [] };
      }),
  };

  #holding(asked: AccountPeriod, instance: string): Holding {
    const others = [...(this.#holds.get(nameOf(asked.account)) ?? [])].flatMap(([owner, row]) =>
      owner !== instance && row.expiresAt > this.#clock.wall() ? [row] : [],
    );
    return {
      balance: this.#balance(asked),
      others: nanoUsd(others.reduce((sum, { held }) => sum + held, 0n)),
      isWanted: others.some(({ isWanting }) => isWanting),
      isOtherShort: others.some(({ isShort }) => isShort),
      isAlone: this.alive.size === 1,
    };
  }

  #balance({ account, since }: AccountPeriod): Balance {
    return { spend: nanoUsd(this.spentOf(account, since)), assumed: nanoUsd(0n) };
  }

  async #statement<T>(commit: () => T): Promise<T> {
    const mishap = this.mishaps.shift();
    await this.#pause();
    if (mishap === 'refused') throw new StoreUnavailable('connection refused');
    const result = commit();
    await this.#pause();
    if (mishap === 'unheard') throw new StoreUnavailable('connection reset');
    return result;
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#clock.after(millis(this.pace / 2), resolve);
    return promise;
  }
}

const amountOf = ({ cost }: LedgerEntry): bigint => {
  if (cost === null) return 0n;
  return cost.kind === 'known' ? cost.total : cost.assumed;
};

interface Running {
  readonly lease: BudgetLease;
  readonly estimate: bigint;
  readonly entry: LedgerEntry;
}

let requests = 0;

/** One gateway of a fleet, as far as its budgets go. */
export class Instance {
  readonly name: string;
  readonly #clock: VirtualClock;
  readonly #positions: AppliedPositions;
  readonly #budgets: Budgets;
  readonly #keeper: BalanceKeeper;
  readonly running = new Set<Running>();
  /** Recorded, and not confirmed by the store. */
  journal: LedgerEntry[] = [];
  readonly asked: Asked[] = [];
  isDead = false;

  constructor(name: string, store: SharedStore, clock: VirtualClock, unknownSpend: 'admit' | 'refuse') {
    this.name = name;
    this.#clock = clock;
    this.#positions = new AppliedPositions(store.ledger, 100);
    this.#budgets = new Budgets({ unknownSpend, onAlert() {}, isShared: () => true });
    const parts = { holds: store, store, positions: this.#positions, budgets: this.#budgets, clock };
    const exchanges = new Exchanges({ ...parts, instance: name, onAsked: (answer) => this.asked.push(answer) });
    this.#keeper = new BalanceKeeper(store, this.#positions, this.#budgets, clock, exchanges);
    this.#keeper.start();
    store.alive.add(name);
  }

  /** Admits a request as `gateway/admission.ts` does. @returns null when it is refused */
  async admit(chain: readonly BudgetRule[], estimate: Estimate): Promise<Running | null> {
    await this.#keeper.known(chain);
    let taken = this.#budgets.reserve(chain, estimate, this.#clock.wall());
    if (taken.kind === 'uncovered') {
      const answer = await this.#keeper.cover(chain, estimate);
      taken = this.#budgets.reserve(chain, estimate, this.#clock.wall(), answer);
    }
    if (taken.kind !== 'held' || this.isDead) return null;
    requests += 1;
    const [key, team] = chain.map(({ id }) => id);
    const { payer } = entryOf(0);
    const entry = entryOf(requests, {
      startedAt: epochMillis(this.#clock.wall()),
      payer: { ...payer, keyId: (key ?? null) as never, teamId: (team ?? null) as never },
    });
    const running = { lease: taken, estimate: estimate.cost, entry };
    this.running.add(running);
    return running;
  }

  /** A request ends; one of a dead instance has ended with it. */
  end(running: Running, cost: bigint): void {
    if (this.isDead || !this.running.delete(running)) return;
    running.lease.settle(nanoUsd(cost), this.#positions.next, this.#clock.wall());
    this.#positions.record(running.entry.requestId);
    this.journal.push({ ...running.entry, cost: { kind: 'known', total: nanoUsd(cost) } });
  }

  /** Writes the oldest entries of a journal, its own or that of a dead one, until the store has them. */
  async write(most = 1_000, journal: Instance = this): Promise<void> {
    const batch = journal.journal.slice(0, most);
    if (batch.length === 0) return;
    try {
      await this.#positions.write(batch);
      journal.journal = journal.journal.filter((entry) => !batch.includes(entry));
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }

  /** The process is killed: its requests are lost, and cost what was reserved for them at most. */
  die(): void {
    this.isDead = true;
    void this.#keeper.close();
    for (const { entry, estimate } of this.running)
      this.journal.push({ ...entry, end: 'lost', cost: { kind: 'unknown', assumed: nanoUsd(estimate) } });
    this.running.clear();
  }

  stop(): void {
    void this.#keeper.close();
  }

  /** What may have been spent without the store knowing, since a moment. */
  outstanding(account: Account, since: EpochMillis | null, store: SharedStore): bigint {
    let sum = 0n;
    const charge = (entry: LedgerEntry, amount: bigint): void => {
      if (entry.startedAt < (since ?? 0)) return;
      if (accountsOf(entry).some((each) => nameOf(each) === nameOf(account))) sum += amount;
    };
    for (const { entry, estimate } of this.running) charge(entry, estimate);
    for (const entry of this.journal) if (!store.entries.has(entry.requestId)) charge(entry, amountOf(entry));
    return sum;
  }
}

/** Runs the clock in small steps, and what becomes due. */
export async function pass(clock: VirtualClock, time: number, step = 2): Promise<void> {
  const end = clock.now() + time;
  while (clock.now() < end) {
    clock.advanceTo(millis(Math.min(end, clock.now() + step)));
    await breathe();
  }
}
