import { describe, expect, test } from 'bun:test';
import { VirtualClock } from '../../../test/support/virtual-clock.ts';
import { millis, seconds } from '../../core/units.ts';
import { ExportQueue, type Receipt } from './export-queue.ts';

const taken: Receipt = { status: 200, retryAfter: null };
const busy: Receipt = { status: 503, retryAfter: null };

/** A queue of numbers, three together, ten waiting, whose receiver answers what the test says. */
class Bench {
  readonly clock = new VirtualClock();
  readonly bodies: string[] = [];
  readonly told: string[] = [];
  sent = 0;
  lost = 0;
  answer: () => Promise<Receipt> = () => Promise.resolve(taken);
  readonly queue = new ExportQueue<number>({
    encode: (items) => ({ method: 'POST', url: 'http://x/', headers: {}, body: items.join(' ') }),
    mayRetry: (status) => status >= 500,
    send: ({ body }) => {
      this.bodies.push(body);
      return this.answer();
    },
    clock: this.clock,
    random: () => 1,
    observe: {
      sent: (items) => {
        this.sent += items;
      },
      retried: (reason) => void this.told.push(`again: ${reason}`),
      lost: (items, reason) => {
        this.lost += items;
        this.told.push(`lost ${items}: ${reason}`);
      },
    },
    limits: { together: 3, most: 10, atOnce: 1, delay: seconds(1) },
  });

  push(count: number): void {
    for (let item = 1; item <= count; item++) this.queue.push(item);
  }

  async pass(time: number): Promise<void> {
    this.clock.advanceTo(millis(this.clock.now() + time));
    await settled();
  }
}

/** Lets every promise that is due come true. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
};

describe('a queue', () => {
  test('sends a batch that is full at once, outside the caller’s stack, and the rest after a while', async () => {
    const bench = new Bench();
    bench.push(7);
    expect(bench.bodies).toEqual([]);
    await bench.pass(0);
    expect(bench.bodies).toEqual(['1 2 3', '4 5 6']);
    await bench.pass(1000);
    expect(bench.bodies).toEqual(['1 2 3', '4 5 6', '7']);
    expect([bench.sent, bench.lost]).toEqual([7, 0]);
  });

  test('lets a single item wait for company, but not for ever', async () => {
    const bench = new Bench();
    bench.push(1);
    await bench.pass(999);
    expect(bench.bodies).toEqual([]);
    await bench.pass(1);
    expect(bench.bodies).toEqual(['1']);
  });

  test('holds no more than it may: what comes then is lost and counted', async () => {
    const bench = new Bench();
    bench.answer = () => new Promise(() => {});
    bench.push(3);
    await bench.pass(0);
    bench.push(12);
    expect(bench.told).toEqual(['lost 1: too many wait', 'lost 1: too many wait']);
  });

  test('asks again later each time, and in between sends nothing else', async () => {
    const bench = new Bench();
    const answers = [busy, busy, busy, taken];
    bench.answer = () => Promise.resolve(answers.shift() ?? taken);
    bench.push(3);
    await bench.pass(0);
    for (const [wait, tries] of [
      [999, 1],
      [1, 2],
      [1999, 2],
      [1, 3],
      [3999, 3],
      [1, 4],
    ] as const) {
      await bench.pass(wait);
      expect([wait, bench.bodies.length]).toEqual([wait, tries]);
    }
    expect([bench.sent, bench.lost]).toEqual([3, 0]);
  });

  test.each([
    ['seconds', '7', 7000],
    ['a date', new Date(Date.UTC(2026, 0, 1) + 9000).toUTCString(), 9000],
  ])('waits as long as the receiver asks for, in %s', async (_, retryAfter, wait) => {
    const bench = new Bench();
    const answers: Receipt[] = [{ status: 503, retryAfter }];
    bench.answer = () => Promise.resolve(answers.shift() ?? taken);
    bench.push(3);
    await bench.pass(0);
    await bench.pass(wait - 1);
    expect(bench.sent).toBe(0);
    await bench.pass(1);
    expect(bench.sent).toBe(3);
  });

  test('gives a batch up after two minutes, so that the next gets its turn', async () => {
    const bench = new Bench();
    bench.answer = () => Promise.reject(new Error('http://user:canary@host refused'));
    bench.push(3);
    for (let second = 0; second < 130; second++) await bench.pass(1000);
    expect(bench.told.at(-1)).toBe('lost 3: the receiver gave no answer');
    expect(bench.told.join()).not.toContain('canary');
    bench.answer = () => Promise.resolve(taken);
    bench.push(3);
    await bench.pass(0);
    expect([bench.sent, bench.lost]).toEqual([3, 3]);
  });

  test('loses at once what will never be taken', async () => {
    const bench = new Bench();
    bench.answer = () => Promise.resolve({ status: 400, retryAfter: '1' });
    bench.push(3);
    await bench.pass(0);
    expect(bench.told).toEqual(['lost 3: the receiver answered 400']);
  });
});

describe('a queue that closes', () => {
  test('sends what is left, also what waits for another try, and takes nothing more', async () => {
    const bench = new Bench();
    const answers = [busy];
    bench.answer = () => Promise.resolve(answers.shift() ?? taken);
    bench.push(5);
    await bench.pass(0);
    await bench.queue.close(seconds(2));
    expect(bench.bodies).toEqual(['1 2 3', '1 2 3', '4 5']);
    bench.queue.push(6);
    expect([bench.sent, bench.lost]).toEqual([5, 1]);
    expect(bench.clock.pending).toBe(0);
  });

  test('waits no longer than it is told, and counts the rest once', async () => {
    const bench = new Bench();
    let answer = (_: Receipt) => {};
    bench.answer = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    bench.push(5);
    await bench.pass(0);
    const closed = bench.queue.close(seconds(2));
    await bench.pass(2000);
    await closed;
    expect(bench.told).toEqual(['lost 5: the gateway ended']);
    answer(taken);
    await settled();
    expect([bench.sent, bench.lost, bench.bodies.length]).toEqual([0, 5, 1]);
  });

  test('that holds nothing is closed at once', async () => {
    const bench = new Bench();
    await bench.queue.close(seconds(2));
    expect(bench.clock.pending).toBe(0);
  });
});
