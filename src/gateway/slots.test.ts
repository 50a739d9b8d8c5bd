import { describe, expect, test } from 'bun:test';
import { testDeployment } from '../../test/support/call.ts';
import { SETTINGS as settings } from '../../test/support/routing.ts';
import { VirtualClock } from '../../test/support/virtual-clock.ts';
import { seconds } from '../core/units.ts';
import { Slots, slotLimit } from './slots.ts';

const limited = testDeployment('openai', 'm', {}, { maxParallel: 1 });

describe('the slots of a deployment', () => {
  test('without a limit are free', () => {
    const slots = new Slots(new VirtualClock());
    for (let count = 0; count < 100; count += 1)
      expect(slots.take(testDeployment('openai', 'm'), settings, seconds(1)).kind).toBe('slot');
  });

  test('over the limit wait for one that is released, first come first served', async () => {
    const slots = new Slots(new VirtualClock());
    const first = slots.take(limited, settings, seconds(1));
    const order: string[] = [];
    const waiting = async (name: string) => {
      const ticket = slots.take(limited, settings, seconds(1));
      const slot = ticket.kind === 'ticket' ? await ticket.slot : ticket;
      order.push(name);
      return slot;
    };
    const second = waiting('second');
    const third = waiting('third');
    if (first.kind === 'ticket') throw new Error('the first is free');
    first.release();
    (await second)?.release();
    await third;
    expect(order).toEqual(['second', 'third']);
  });

  test('are given up by who waited too long', async () => {
    const clock = new VirtualClock();
    const slots = new Slots(clock);
    void slots.take(limited, settings, seconds(1));
    const waiting = slots.take(limited, settings, seconds(1));
    clock.advanceTo(seconds(1));
    expect(waiting.kind === 'ticket' && (await waiting.slot)).toBeNull();
  });

  test('are not kept for who left the queue, whose wait is over at once', async () => {
    const slots = new Slots(new VirtualClock());
    const first = slots.take(limited, settings, seconds(1));
    const left = slots.take(limited, settings, seconds(1));
    const next = slots.take(limited, settings, seconds(1));
    if (first.kind === 'ticket' || left.kind === 'slot' || next.kind === 'slot') throw new Error('one place only');
    left.leave();
    expect(await left.slot).toBeNull();
    first.release();
    expect((await next.slot)?.kind).toBe('slot');
  });

  test('released twice count once', () => {
    const slots = new Slots(new VirtualClock());
    const slot = slots.take(limited, settings, seconds(1));
    if (slot.kind === 'ticket') throw new Error('the first is free');
    slot.release();
    slot.release();
    expect(slots.take(limited, settings, seconds(1)).kind).toBe('slot');
    expect(slots.take(limited, settings, seconds(1)).kind).toBe('ticket');
  });
});

test.each([
  [{ maxParallel: 3, rpm: 10 }, 3],
  [{ rpm: 10, tpm: 60_000 }, 10],
  [{ tpm: 60_000 }, 10],
  [{ tpm: 100 }, 1],
  [{}, null],
])('the limit of %p is %p, as LiteLLM derives it', (overrides, limit) => {
  expect(slotLimit(testDeployment('openai', 'm', {}, overrides), settings)).toBe(limit);
});
