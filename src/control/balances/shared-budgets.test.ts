import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { breathe, Instance, pass, SharedStore } from '../../../test/support/fleet.ts';
import { budgetOf } from '../../../test/support/identity.ts';
import { VirtualClock } from '../../../test/support/virtual-clock.ts';
import type { Budget } from '../../core/budget.ts';
import { type EpochMillis, epochMillis, nanoUsd } from '../../core/units.ts';
import type { BudgetRule } from '../../metering/budget.ts';
import type { Estimate } from '../../metering/estimate.ts';
import { periodAt } from '../../metering/period.ts';
import type { Account } from '../../store/ledger/accounts.ts';

const NOON = Date.UTC(2026, 5, 1, 12);
const cost = (amount: number, kind: Estimate['kind'] = 'bound'): Estimate => ({ cost: nanoUsd(BigInt(amount)), kind });
const KEY: Account = { type: 'key', id: ['k'] };
const TEAM: Account = { type: 'team', id: ['t'] };

const keyRule = (budget: Budget): BudgetRule => ({ scope: 'key', id: 'k', shown: 'k', budget });
const teamRule = (budget: Budget): BudgetRule => ({ scope: 'team', id: 't', shown: 't', budget });

interface Options {
  readonly limits?: readonly [key: number, team: number];
  readonly words?: Partial<Budget>;
  readonly unknownSpend?: 'admit' | 'refuse';
  readonly size?: number;
  readonly start?: number;
}

/** Some instances, a store, and one key of one team. */
class Fleet {
  readonly clock: VirtualClock;
  readonly store: SharedStore;
  readonly unknownSpend: 'admit' | 'refuse';
  readonly instances: Instance[] = [];
  readonly dead: Instance[] = [];
  chain: readonly BudgetRule[];
  #names = 0;

  constructor({ limits = [1_000, 1_000], words = {}, unknownSpend = 'admit', size = 2, start = NOON }: Options = {}) {
    this.clock = new VirtualClock(start);
    this.store = new SharedStore(this.clock);
    this.unknownSpend = unknownSpend;
    this.chain = [keyRule(budgetOf(limits[0], words)), teamRule(budgetOf(limits[1], words))];
    for (let index = 0; index < size; index++) this.add();
  }

  add(): Instance {
    this.#names += 1;
    const instance = new Instance(`instance-${this.#names}`, this.store, this.clock, this.unknownSpend);
    this.instances.push(instance);
    return instance;
  }

  at(index: number): Instance {
    return this.instances[index % this.instances.length] as Instance; // never empty
  }

  /** Kills an instance and puts another in its place, which has yet to find the journal. */
  kill(index: number): void {
    const victim = this.at(index);
    victim.die();
    this.store.gone.add(victim.name);
    this.dead.push(victim);
    this.instances.splice(this.instances.indexOf(victim), 1);
    this.add();
  }

  /** Somebody writes what the dead have left, and says so. */
  async adopt(by: Instance): Promise<void> {
    for (const victim of [...this.dead]) {
      await by.write(1_000, victim);
      if (victim.journal.length > 0) return;
      this.store.drop(victim.name);
      if (this.dead.includes(victim)) this.dead.splice(this.dead.indexOf(victim), 1);
    }
  }

  /** Spent in a period, for certain or at most, on all instances and by the dead. */
  used(account: Account, since: EpochMillis | null = null): bigint {
    const everybody = [...this.instances, ...this.dead];
    return everybody.reduce(
      (sum, instance) => sum + instance.outstanding(account, since, this.store),
      this.store.spentOf(account, since),
    );
  }

  /** Nothing runs, everything is written, nobody has asked for anything in a while. */
  async rest(): Promise<void> {
    this.store.mishaps.length = 0;
    for (const instance of this.instances) for (const running of instance.running) instance.end(running, 0n);
    for (let round = 0; round < 3; round++) {
      const written = this.instances.map((instance) => instance.write());
      await pass(this.clock, 50, 2);
      await Promise.all(written);
      const adopted = this.adopt(this.at(0));
      await pass(this.clock, 50, 2);
      await adopted;
    }
    await pass(this.clock, 16_000, 100);
  }

  stop(): void {
    for (const instance of this.instances) instance.stop();
  }

  /** A request on an instance, with the time that its answers take. */
  async call(index: number, estimate: Estimate) {
    let isThere = false;
    const answer = this.at(index).admit(this.chain, estimate);
    void answer.finally(() => {
      isThere = true;
    });
    await breathe();
    while (!isThere) await pass(this.clock, 1);
    return answer;
  }
}

/** One thing that happens. */
type Act =
  | { readonly kind: 'call'; readonly on: number; readonly cost: number; readonly part: number; readonly lasts: number }
  | { readonly kind: 'write'; readonly on: number; readonly most: number }
  | { readonly kind: 'pass'; readonly time: number }
  | { readonly kind: 'kill'; readonly on: number }
  | { readonly kind: 'adopt'; readonly on: number }
  | { readonly kind: 'mishap'; readonly how: 'refused' | 'unheard' };

const on = fc.nat(5);
const callOf = (most: number) =>
  fc.record({
    kind: fc.constant('call' as const),
    on,
    cost: fc.integer({ min: 1, max: most }),
    part: fc.double({ min: 0, max: 1, noNaN: true }),
    lasts: fc.integer({ min: 1, max: 3_000 }),
  });
const others = [
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('write' as const), on, most: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('pass' as const), time: fc.integer({ min: 1, max: 200 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass' as const), time: fc.constant(2_500) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill' as const), on }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('adopt' as const), on }) },
] as const;
const mishap = {
  weight: 2,
  arbitrary: fc.record({
    kind: fc.constant('mishap' as const),
    how: fc.constantFrom('refused' as const, 'unheard' as const),
  }),
};

/** Lets a fleet live through a story; `check` is called after everything that happens. */
async function live(fleet: Fleet, acts: readonly Act[], kind: Estimate['kind'], check: () => void): Promise<void> {
  const pending: Promise<unknown>[] = [];
  const ends: { readonly at: number; readonly end: () => void }[] = [];
  const step = async (time: number): Promise<void> => {
    await pass(fleet.clock, time, time > 500 ? 25 : 3);
    for (const { at, end } of ends) if (at <= fleet.clock.now()) end();
    check();
  };
  for (const act of acts) {
    switch (act.kind) {
      case 'call': {
        const instance = fleet.at(act.on);
        const answer = instance.admit(fleet.chain, cost(act.cost, kind)).then((running) => {
          if (running === null) return;
          const at = fleet.clock.now() + act.lasts;
          ends.push({ at, end: () => instance.end(running, BigInt(Math.floor(act.cost * act.part))) });
        });
        pending.push(answer);
        await breathe();
        break;
      }
      case 'write':
        pending.push(fleet.at(act.on).write(act.most));
        break;
      case 'pass':
        await step(act.time);
        break;
      case 'kill':
        fleet.kill(act.on);
        break;
      case 'adopt':
        pending.push(fleet.adopt(fleet.at(act.on)));
        break;
      case 'mishap':
        fleet.store.mishaps.push(act.how);
        break;
    }
    check();
  }
  await step(3_000);
  await Promise.all(pending);
}

/** Small stories that all weigh on the limit. */
const story = (most: number, ...more: readonly (typeof mishap)[]) =>
  fc.array(fc.oneof({ weight: 12, arbitrary: callOf(most) }, ...others, ...more), { minLength: 20, maxLength: 120 });

const RUNS = Number(process.env.FLEET_RUNS ?? 60);

describe('instances that share budgets', () => {
  test('never pass them together, whatever they do at once and whoever dies, and hold nothing when all is over', async () => {
    await fc.assert(
      fc.asyncProperty(story(300), fc.integer({ min: 1, max: 4 }), async (acts, size) => {
        const fleet = new Fleet({ limits: [900, 1_000], size });
        await live(fleet, acts, 'bound', () => {
          expect(fleet.used(KEY)).toBeLessThanOrEqual(900n);
          expect(fleet.used(TEAM)).toBeLessThanOrEqual(1_000n);
        });
        await fleet.rest();
        expect([fleet.store.heldOf(KEY), fleet.store.heldOf(TEAM), fleet.store.rows]).toEqual([0n, 0n, 0]);
        // Whoever is asked next gets all that is left, to the last nano-dollar.
        const left = 900n - fleet.used(KEY);
        if (left > 0n) expect(await fleet.call(size, cost(Number(left)))).not.toBeNull();
        expect(await fleet.call(size + 1, cost(1))).toBeNull();
        fleet.stop();
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  test('never pass them while the store refuses statements, or commits what nobody hears of, when certainty is wanted', async () => {
    await fc.assert(
      fc.asyncProperty(story(300, mishap), fc.integer({ min: 2, max: 3 }), async (acts, size) => {
        const fleet = new Fleet({ limits: [900, 1_000], size, unknownSpend: 'refuse' });
        await live(fleet, acts, 'bound', () => {
          expect(fleet.used(KEY)).toBeLessThanOrEqual(900n);
          expect(fleet.used(TEAM)).toBeLessThanOrEqual(1_000n);
        });
        await fleet.rest();
        expect(fleet.store.rows).toBe(0);
        fleet.stop();
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  test('pass them by less than one answer when nobody bounds the answers', async () => {
    await fc.assert(
      fc.asyncProperty(story(700), fc.integer({ min: 2, max: 3 }), async (acts, size) => {
        const fleet = new Fleet({ limits: [900, 1_000], size });
        const withoutKills = acts.filter(({ kind }) => kind !== 'kill');
        await live(fleet, withoutKills, 'guess', () => {
          expect(fleet.used(KEY)).toBeLessThan(900n + 700n);
          expect(fleet.used(TEAM)).toBeLessThan(1_000n + 700n);
        });
        fleet.stop();
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  test('begin a period with the whole limit, and pass it in no period', async () => {
    const words: Partial<Budget> = {
      period: { kind: 'recurring', length: { count: 1, unit: 'd' }, anchor: epochMillis(NOON) },
    };
    await fc.assert(
      fc.asyncProperty(story(300), async (acts) => {
        // Two seconds before midnight.
        const fleet = new Fleet({ limits: [900, 1_000], words, size: 3, start: Date.UTC(2026, 5, 2) - 2_000 });
        await live(fleet, acts, 'bound', () => {
          const { start } = periodAt(words.period as Budget['period'], fleet.clock.wall());
          for (const since of [start, epochMillis(start - 86_400_000)])
            expect(fleet.used(KEY, since) - (since === start ? 0n : fleet.used(KEY, start))).toBeLessThanOrEqual(900n);
        });
        fleet.stop();
      }),
      { numRuns: RUNS },
    );
  }, 120_000);
});

describe('an instance', () => {
  const spent = async (fleet: Fleet, index: number, amount: number) => {
    const running = await fleet.call(index, cost(amount));
    if (running === null) throw new Error('refused');
    fleet.at(index).end(running, BigInt(amount));
    return running;
  };

  test('asks nobody in the ordinary case: a thousand requests cost one exchange every two seconds', async () => {
    const fleet = new Fleet({ limits: [1_000_000, 1_000_000] });
    await fleet.call(0, cost(10));
    const before = fleet.store.exchanges;
    for (let count = 0; count < 1_000; count++) {
      const running = await fleet.at(0).admit(fleet.chain, cost(10));
      expect(running).not.toBeNull();
      if (running !== null) fleet.at(0).end(running, 10n);
      if (count % 100 === 0) await pass(fleet.clock, 400);
    }
    expect(fleet.at(0).asked).toEqual([]);
    expect(fleet.store.exchanges - before).toBeLessThanOrEqual(2);
    fleet.stop();
  });

  test('that is alone spends a budget to the last with one question at most for each request', async () => {
    const fleet = new Fleet({ limits: [100, 100], size: 1 });
    for (let count = 0; count < 10; count++) await spent(fleet, 0, 10);
    expect(await fleet.call(0, cost(1))).toBeNull();
    expect(fleet.at(0).asked.length).toBeLessThanOrEqual(10);
    fleet.stop();
  });

  test('that comes new finds room beside one that is busy', async () => {
    const fleet = new Fleet({ limits: [1_000, 1_000], size: 1 });
    for (let count = 0; count < 5; count++) await spent(fleet, 0, 10);
    fleet.add();
    expect(await fleet.call(1, cost(200))).not.toBeNull();
    fleet.stop();
  });

  test('gives back what another lacks, within one round of readings', async () => {
    const fleet = new Fleet();
    await spent(fleet, 0, 10);
    const isBusy = async () => {
      await spent(fleet, 0, 1);
      await pass(fleet.clock, 500, 5);
    };
    await isBusy();
    expect(await fleet.call(1, cost(700))).toBeNull();
    for (let round = 0; round < 5; round++) await isBusy();
    expect(await fleet.call(1, cost(700))).not.toBeNull();
    fleet.stop();
  });

  test('answers a caller who is refused again and again without asking each time', async () => {
    const fleet = new Fleet();
    expect(await fleet.call(0, cost(900))).not.toBeNull();
    const before = fleet.store.exchanges;
    const answers: Promise<unknown>[] = [];
    for (let count = 0; count < 500; count++) {
      answers.push(fleet.at(1).admit(fleet.chain, cost(200)));
      await pass(fleet.clock, 1, 1);
    }
    await pass(fleet.clock, 100);
    expect(new Set(await Promise.all(answers))).toEqual(new Set([null]));
    // One for the first use of each budget, then one in 100 ms.
    expect(fleet.store.exchanges - before).toBeLessThan(16);
    fleet.stop();
  });

  test('that was killed holds its part until its lease is over, where nobody finds its journal', async () => {
    const fleet = new Fleet();
    expect(await fleet.call(0, cost(900))).not.toBeNull();
    fleet.kill(0);
    expect(await fleet.call(0, cost(200))).toBeNull();
    await pass(fleet.clock, 299_000, 1_000);
    expect(await fleet.call(0, cost(200))).toBeNull();
    await pass(fleet.clock, 2_000, 100);
    expect(await fleet.call(0, cost(200))).not.toBeNull();
    fleet.stop();
  });

  test('asks about all budgets of a chain at once, and gives back what it held of one whose length was changed', async () => {
    const fleet = new Fleet();
    await spent(fleet, 0, 10);
    expect([fleet.store.exchanges, fleet.store.heldOf(KEY), fleet.store.heldOf(TEAM)]).toEqual([1, 500n, 500n]);
    const daily = { kind: 'recurring', length: { count: 1, unit: 'd' }, anchor: epochMillis(NOON) } as const;
    fleet.chain = [keyRule(budgetOf(1_000, { period: daily })), teamRule(budgetOf(1_000))];
    await spent(fleet, 0, 10);
    fleet.chain = [];
    await pass(fleet.clock, 20_000, 100);
    expect(fleet.store.heldOf(KEY)).toBe(20n);
    fleet.stop();
  });

  test('goes on holding what a request of many minutes may cost, and nothing else of that budget', async () => {
    const fleet = new Fleet();
    expect(await fleet.call(0, cost(700))).not.toBeNull();
    await pass(fleet.clock, 3_600_000, 2_000);
    expect([fleet.store.heldOf(KEY), fleet.store.heldOf(TEAM)]).toEqual([700n, 700n]);
    expect(await fleet.call(1, cost(301))).toBeNull();
    expect(await fleet.call(1, cost(300))).not.toBeNull();
    fleet.stop();
  });

  test('that hears nothing of the store stops before its lease is over, when certainty is wanted', async () => {
    for (const unknownSpend of ['refuse', 'admit'] as const) {
      const fleet = new Fleet({ unknownSpend, size: 1 });
      await spent(fleet, 0, 10);
      fleet.store.isDown = true;
      // What is held may be spent while the store is away.
      expect(await fleet.call(0, cost(100))).not.toBeNull();
      // Beyond it nobody can say.
      expect((await fleet.call(0, cost(600))) === null).toBe(unknownSpend === 'refuse');
      let last = 0;
      for (let second = 0; second < 250; second++) {
        if ((await fleet.call(0, cost(1))) !== null) last = second;
        await pass(fleet.clock, 1_000, 500);
      }
      if (unknownSpend === 'refuse') expect(last).toBeWithin(230, 241);
      else expect(last).toBe(249);
      fleet.stop();
    }
  });

  test('waits for a store that is slow or fails now and then, and passes nothing meanwhile', async () => {
    const fleet = new Fleet();
    await spent(fleet, 0, 10);
    fleet.store.pace = 1_500;
    fleet.store.mishaps.push('refused', 'refused');
    const answers = [0, 1, 0, 1].map((index) => fleet.at(index).admit(fleet.chain, cost(600)));
    await pass(fleet.clock, 60_000, 100);
    expect((await Promise.all(answers)).filter((running) => running !== null).length).toBeLessThanOrEqual(1);
    expect(fleet.used(KEY)).toBeLessThanOrEqual(1_000n);
    fleet.stop();
  });

  test('spends no part twice when the exchange after a write fails', async () => {
    const fleet = new Fleet({ unknownSpend: 'refuse' });
    for (let count = 0; count < 30; count++) await spent(fleet, 0, 10);
    // The other takes all that the first does not hold, and then the spend of the first is written.
    expect(await fleet.call(1, cost(500))).not.toBeNull();
    const written = fleet.at(0).write();
    await pass(fleet.clock, 50);
    await written;
    fleet.store.mishaps.push(...Array.from({ length: 100 }, () => 'refused' as const));
    await pass(fleet.clock, 2_500, 50);
    fleet.store.isDown = true;
    while ((await fleet.call(0, cost(10))) !== null);
    expect(fleet.used(KEY)).toBe(1_000n);
    fleet.stop();
  });

  test('lets no second request hold less than its estimate while it tells the store that the first has ended', async () => {
    const fleet = new Fleet();
    const first = await fleet.call(0, cost(2_000, 'guess'));
    if (first === null) throw new Error('refused');
    fleet.at(0).end(first, 0n);
    await spent(fleet, 0, 10);
    fleet.store.pace = 400;
    await pass(fleet.clock, 2_100, 10);
    const both = [0, 1].map((index) => fleet.at(index).admit(fleet.chain, cost(2_000, 'guess')));
    await pass(fleet.clock, 8_000, 10);
    expect((await Promise.all(both)).filter((running) => running !== null)).toHaveLength(1);
    fleet.stop();
  });

  test('asks anew when the limit was lowered, and when a temporary increase is over', async () => {
    const fleet = new Fleet();
    await spent(fleet, 0, 10);
    await spent(fleet, 1, 10);
    fleet.chain = [keyRule(budgetOf(100)), teamRule(budgetOf(1_000))];
    const running = await Promise.all([fleet.call(0, cost(60)), fleet.call(1, cost(60))]);
    // Each had more than that to spare under the old limit.
    expect(running.filter((each) => each !== null).length).toBeLessThanOrEqual(1);
    const until = epochMillis(fleet.clock.wall() + 10_000);
    fleet.chain = [keyRule(budgetOf(100, { increase: { amount: nanoUsd(900n), until } })), teamRule(budgetOf(1_000))];
    await pass(fleet.clock, 3_000, 50);
    await spent(fleet, 0, 200);
    await pass(fleet.clock, 10_000, 50);
    expect(await fleet.call(0, cost(1))).toBeNull();
    fleet.stop();
  });

  test('counts a cost beyond its estimate against what it holds, and so do the others', async () => {
    const fleet = new Fleet();
    const running = await fleet.call(0, cost(100));
    if (running === null) throw new Error('refused');
    fleet.at(0).end(running, 950n);
    await pass(fleet.clock, 3_000, 50);
    expect(await fleet.call(1, cost(51))).toBeNull();
    expect(await fleet.call(1, cost(50))).not.toBeNull();
    fleet.stop();
  });
});
