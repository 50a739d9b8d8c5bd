import { describe, expect, test } from 'bun:test';
import { deploymentOf, outcomeOf, SETTINGS } from '../../test/support/routing.ts';
import { millis, seconds } from '../core/units.ts';
import { LoadTable } from './load.ts';

const { id } = deploymentOf('d');
const OK = { outcome: outcomeOf('ok'), elapsed: seconds(1), firstToken: null, completionTokens: 1, totalTokens: 10 };

describe('what a deployment carries', () => {
  test('in-flight goes up and down and is never negative', () => {
    const load = new LoadTable();
    load.begin(id, millis(0));
    load.begin(id, millis(0));
    expect(load.inFlight(id)).toBe(2);
    for (let i = 0; i < 3; i += 1) load.end(id, OK, SETTINGS, millis(1));
    expect(load.inFlight(id)).toBe(0);
  });

  test('requests count in the minute in which they begin, tokens in that in which they end', () => {
    const load = new LoadTable();
    load.begin(id, seconds(59));
    load.end(id, OK, SETTINGS, seconds(61));
    const at = (now: number) => [load.requestsThisMinute(id, seconds(now)), load.tokensThisMinute(id, seconds(now))];
    expect(at(61)).toEqual([0, 10]);
    expect(at(121)).toEqual([0, 0]);
  });

  test('prune forgets what left the configuration once it is idle', () => {
    const load = new LoadTable();
    load.begin(id, seconds(1));
    load.prune([]);
    expect(load.inFlight(id)).toBe(1);
    load.end(id, OK, SETTINGS, seconds(2));
    load.prune([]);
    expect(load.requestsThisMinute(id, seconds(2))).toBe(0);
  });

  test('a thousand samples keep no more than configured', () => {
    const load = new LoadTable();
    const settings = { ...SETTINGS, strategy: 'latency-based-routing', latencySamples: 2 } as const;
    for (let i = 1; i <= 1000; i += 1) load.end(id, { ...OK, elapsed: seconds(i) }, settings, seconds(1));
    expect(load.latency(id, 'reply', settings, seconds(1))).toBe(999.5);
  });
});
