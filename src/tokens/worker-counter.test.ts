import { beforeEach, describe, expect, test } from 'bun:test';
import { VirtualClock } from '../../test/support/virtual-clock.ts';
import { seconds } from '../core/units.ts';
import { type CountJob, type WorkerEvents, WorkerTokenCounter } from './worker-counter.ts';

/** A worker whose answers and end the test decides. */
interface FakeWorker {
  readonly events: WorkerEvents;
  readonly jobs: CountJob[];
  isEnded: boolean;
}

let clock: VirtualClock;
let workers: FakeWorker[];
let losses: string[];
let counter: WorkerTokenCounter;

beforeEach(() => {
  clock = new VirtualClock();
  workers = [];
  losses = [];
  counter = new WorkerTokenCounter({
    clock,
    start(events) {
      const worker: FakeWorker = { events, jobs: [], isEnded: false };
      workers.push(worker);
      return {
        send: (job) => void worker.jobs.push(job),
        end() {
          worker.isEnded = true;
          events.lost('it ended');
        },
      };
    },
    onLost: (reason) => losses.push(reason),
  });
});

const count = (text = 'abc') => counter.count([{ texts: [text], tokens: 0 }], ['gpt-4o'], 100);

function worker(index = -1): FakeWorker {
  const found = workers.at(index);
  if (found === undefined) throw new Error('no worker was started');
  return found;
}

function answer(job: number, tokens: number, from = worker()): void {
  const { id } = from.jobs[job] ?? { id: -1 };
  from.events.answered({ id, tokens });
}

describe('the worker', () => {
  test('starts with the first count and stays', async () => {
    expect(workers.length).toBe(0);
    const first = count();
    answer(0, 3);
    const second = count();
    answer(1, 4);
    expect([await first, await second, workers.length, clock.pending]).toEqual([3, 4, 1, 0]);
  });

  test('is told what to count and how', () => {
    void count('hello');
    expect(worker().jobs).toEqual([
      {
        id: 1,
        prompts: [{ texts: ['hello'], tokens: 0 }],
        measures: [{ encoding: 'o200k_base', factor: 1 }],
        enough: 100,
      },
    ]);
  });

  test('that is late costs the request its count and nothing else', async () => {
    const late = count();
    clock.advanceTo(seconds(5));
    expect(await late).toBeNull();
    answer(0, 3);
    const next = count();
    answer(1, 4);
    expect([await next, workers.length, losses, clock.pending]).toEqual([4, 1, [], 0]);
  });

  test('that hangs is ended, and after a rest there is another', async () => {
    void count();
    clock.advanceTo(seconds(30));
    expect([worker().isEnded, losses]).toEqual([true, ['it does not answer']]);
    clock.advanceTo(seconds(59));
    expect([await count(), workers.length]).toEqual([null, 1]);
    clock.advanceTo(seconds(60));
    const again = count();
    answer(0, 5);
    expect([await again, workers.length, clock.pending]).toEqual([5, 2, 0]);
  });

  test('that crashes leaves its counts unknown and is reported once', async () => {
    const lost = [count(), count()];
    worker().events.lost('out of memory');
    worker().events.lost('it ended');
    expect([await Promise.all(lost), losses, clock.pending]).toEqual([[null, null], ['out of memory'], 0]);
  });

  test('that was ended before harms the next one in no way', async () => {
    void count();
    counter.stop();
    const next = count();
    worker(0).events.lost('it ended');
    answer(0, 9);
    expect([await next, losses]).toEqual([9, []]);
  });
});

describe('what is with the worker is bounded', () => {
  test('in jobs, also when their requests went on', async () => {
    const some = Array.from({ length: 32 }, () => count());
    expect(await count()).toBeNull();
    clock.advanceTo(seconds(5));
    await Promise.all(some);
    expect([await count(), worker().jobs.length]).toEqual([null, 32]);
    answer(0, 1);
    const next = count();
    answer(32, 2);
    expect(await next).toBe(2);
  });

  test('in text', async () => {
    const text = 'x'.repeat(20 * 1024 * 1024);
    void count(text);
    expect([await count(text), worker().jobs.length]).toEqual([null, 1]);
  });
});

test('stopping settles what is open', async () => {
  const open = count();
  counter.stop();
  expect([await open, worker().isEnded, counter.isRunning, clock.pending]).toEqual([null, true, false, 0]);
});
