import type { Clock } from '../../core/clock.ts';
import { type EpochMillis, type Millis, millis, nanoUsd, seconds } from '../../core/units.ts';
import { type Claim, type Standing, share } from '../../metering/allowance.ts';
import type { Asked, BudgetRule, Budgets } from '../../metering/budget.ts';
import type { Estimate } from '../../metering/estimate.ts';
import type { Hold, HoldBook, Holding } from '../../store/ledger/hold-book.ts';
import type { Store } from '../../store/store.ts';
import { askedOf, storedFrom } from './accounts.ts';
import type { AppliedPositions } from './applied-positions.ts';

/**
 * How long what an instance holds outlives its last word: time for a restart to write what the journal has. This
 * instance believes it for less, so that no step of a clock makes it spend what others have got.
 */
export const LEASE: Millis = seconds(300);
const BELIEVED: Millis = seconds(240);
/** Longest wait of a request for an answer of a database that is up: longer than its statements may take. */
const PATIENCE: Millis = seconds(15);
/** Before an exchange that failed is tried again. */
const PAUSE: Millis = millis(50);
/** Accounts in one transaction, each of which is a lock. */
const MOST_ACCOUNTS = 100;

/** What the exchanges of one instance are made of. */
export interface ExchangeParts {
  readonly holds: Pick<HoldBook, 'exchange'>;
  readonly store: Pick<Store, 'health'>;
  readonly positions: AppliedPositions;
  readonly budgets: Budgets;
  readonly clock: Clock;
  /** Names this instance, and the run of its journal. */
  readonly instance: string;
  /** Told of every request that had to ask. */
  onAsked(asked: Asked): void;
}

/** A budget to exchange, and whether nobody has used it for a while. */
export interface Due {
  readonly rule: BudgetRule;
  readonly isIdle: boolean;
}

interface Waiting {
  readonly chain: readonly BudgetRule[];
  readonly estimate: Estimate;
  readonly answer: (asked: Asked) => void;
  /** It was answered, or waits no longer. */
  isOver: boolean;
}

/** One account of an exchange. */
interface Turn {
  readonly rule: BudgetRule;
  readonly start: EpochMillis;
  readonly claim: Claim;
  readonly waiting: readonly Estimate[];
}

/**
 * Exchanges with the store what this instance holds of shared budgets.
 *
 * 1. One exchange at a time, and none while a batch of the ledger is written: what is in the store is then known.
 * 2. Requests that wait are asked for together, in the order in which they came, and answered in it.
 */
export class Exchanges {
  readonly #parts: ExchangeParts;
  #waiting: Waiting[] = [];
  #isServing = false;
  #isClosed = false;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
  }

  /**
   * Asks for what a request needs on every shared budget of its chain.
   *
   * While the database is away the answer is there at once: nobody answers. A database that is merely slow is waited for,
   * since whoever goes on without its answer may pass the budget. Never rejects.
   */
  cover(chain: readonly BudgetRule[], estimate: Estimate): Promise<Asked> {
    const { promise, resolve } = Promise.withResolvers<Asked>();
    const waiting: Waiting = {
      chain,
      estimate,
      isOver: false,
      answer: (asked) => {
        if (waiting.isOver) return;
        waiting.isOver = true;
        timer.cancel();
        this.#parts.onAsked(asked);
        resolve(asked);
      },
    };
    const timer = this.#parts.clock.after(PATIENCE, () => waiting.answer('unanswered'));
    this.#waiting.push(waiting);
    if (!this.#isServing) void this.#serve();
    return promise;
  }

  /** Reads what was spent of budgets, and changes what is held of them to what is due. Never rejects. */
  async exchange(due: readonly Due[]): Promise<void> {
    for (let from = 0; from < due.length; from += MOST_ACCOUNTS) {
      const some = due.slice(from, from + MOST_ACCOUNTS);
      const turns = await this.#exchange((position) => some.flatMap((each) => this.#turn(each, [], position)));
      if (turns === null) return;
      // Another instance lacks what is spare here: now it can be given back.
      const wanted = turns.filter(({ standing, claim }) => standing.isWanted && claim.kept > 0n);
      if (wanted.length === 0) continue;
      const again = wanted.map(({ rule }) => ({ rule, isIdle: false }));
      await this.#exchange((position) => again.flatMap((each) => this.#turn(each, [], position)));
    }
  }

  /** Begins no exchange any more; resolves when none runs, so that nothing is held anew. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#parts.positions.alone(() => Promise.resolve());
  }

  async #serve(): Promise<void> {
    this.#isServing = true;
    while (this.#waiting.length > 0) {
      let asked: readonly Waiting[] = [];
      const turns = await this.#exchange((position) => {
        const { taken, byRule } = this.#take();
        asked = taken;
        return [...byRule].flatMap(([rule, waiting]) => this.#turn({ rule, isIdle: false }, waiting, position));
      });
      if (turns !== null) for (const { answer } of asked) answer('answered');
      else await this.#disappoint(asked);
    }
    this.#isServing = false;
  }

  /** Nobody answered: those who wait go on without an answer, or, where there may be one yet, ask again. */
  async #disappoint(asked: readonly Waiting[]): Promise<void> {
    this.#waiting = [...asked, ...this.#waiting].filter(({ isOver }) => !isOver);
    if (this.#isClosed || this.#parts.store.health().kind === 'down') {
      for (const { answer } of this.#waiting.splice(0)) answer('unanswered');
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#parts.clock.after(PAUSE, resolve);
    await promise;
  }

  /** The requests that have waited longest, as many as one transaction takes, and what they want of each budget. */
  #take(): { readonly taken: readonly Waiting[]; readonly byRule: ReadonlyMap<BudgetRule, readonly Estimate[]> } {
    const byAccount = new Map<string, { rule: BudgetRule; waiting: Estimate[] }>();
    let count = 0;
    for (; count < this.#waiting.length && byAccount.size < MOST_ACCOUNTS; count += 1) {
      const { chain, estimate } = this.#waiting[count] as Waiting; // below the length
      for (const rule of chain) {
        const key = `${rule.scope} ${rule.id}`;
        const entry = byAccount.get(key) ?? { rule, waiting: [] };
        byAccount.set(key, { rule, waiting: entry.waiting });
        entry.waiting.push(estimate);
      }
    }
    const taken = this.#waiting.splice(0, count);
    return { taken, byRule: new Map([...byAccount.values()].map(({ rule, waiting }) => [rule, waiting])) };
  }

  /** An account's turn, or nothing when it has no part in the exchange. */
  #turn({ rule, isIdle }: Due, waiting: readonly Estimate[], position: number | null): readonly Turn[] {
    const { budgets, clock } = this.#parts;
    const wall = clock.wall();
    const start = storedFrom(rule, wall);
    const claim = start === null ? null : budgets.claim(rule, position, isIdle, wall);
    return start === null || claim === null ? [] : [{ rule, start, claim, waiting }];
  }

  /** @returns null when the store did not answer */
  async #exchange(
    turnsAt: (position: number | null) => readonly Turn[],
  ): Promise<readonly (Turn & { readonly standing: Standing })[] | null> {
    const { holds, store, positions, instance } = this.#parts;
    if (this.#isClosed || store.health().kind === 'down') return null;
    try {
      const { found } = await positions.alone(async (position) => {
        if (this.#isClosed) return null;
        const began = this.#parts.clock.wall();
        const turns = turnsAt(position);
        if (turns.length === 0) return [];
        const asked = turns.map(({ rule, start }) => askedOf(rule, start));
        const divide = (found: readonly Holding[]): readonly Hold[] =>
          found.map((each, index) => {
            const { claim, waiting } = turns[index] as Turn; // as many as were asked for
            return share(claim, standingOf(each), waiting);
          });
        const holdings = await holds.exchange(instance, asked, divide, LEASE);
        return turns.map((turn, index) => this.#settle(turn, standingOf(holdings[index] as Holding), position, began));
      });
      return found;
    } catch {
      return null;
    }
  }

  #settle(turn: Turn, standing: Standing, position: number | null, began: EpochMillis) {
    const { rule, start, claim, waiting } = turn;
    const { budgets, clock } = this.#parts;
    if (position !== null) {
      const stored = { periodStart: start, spent: nanoUsd(standing.spent), position };
      budgets.rebase(rule, stored, clock.wall());
    }
    const given = { claim, standing, share: share(claim, standing, waiting), periodStart: start };
    budgets.grant(rule, given, { began, believed: BELIEVED });
    return { ...turn, standing };
  }
}

function standingOf({ balance, others, isWanted, isOtherShort, isAlone }: Holding): Standing {
  return { spent: balance.spend + balance.assumed, others, isWanted, isOtherShort, isAlone };
}
