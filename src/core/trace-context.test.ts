import { describe, expect, test } from 'bun:test';
import { continueTrace, type Sampling, spanIdOf, traceparentOf } from './trace-context.ts';

const ID = '019ab0c1d2e3f4a5b6c7d8e9f0a1b2c3';
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const ALL: Sampling = { ratio: 1, isParentBased: true };

const traced = (traceparent: string | null, sampling = ALL, state: string | null = null) =>
  continueTrace(ID, traceparent, state, sampling);

describe('a caller’s trace', () => {
  test.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    // Only the last bit says sampled.
    [`00-${TRACE}-${SPAN}-03`, true],
    [`00-${TRACE}-${SPAN}-02`, false],
    // A version to come may say more.
    [`01-${TRACE}-${SPAN}-01-more`, true],
  ])('%s is continued', (header, isSampled) => {
    expect(traced(header)).toMatchObject({ traceId: TRACE, parentId: SPAN, isSampled });
  });

  test.each([
    null,
    '',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `ff-${TRACE}-${SPAN}-01`,
    // What a server makes of two headers.
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
  ])('%p is none: a trace begins under the request’s own id', (header) => {
    expect(traced(header, ALL, 'a=b')).toMatchObject({ traceId: ID, parentId: null, isSampled: true, state: null });
  });

  test('has a state that goes on as it came, unless it is no header text or too long', () => {
    const header = `00-${TRACE}-${SPAN}-01`;
    expect(traced(header, ALL, 'a=b,c=d').state).toBe('a=b,c=d');
    expect(traced(header, ALL, `a=${'b'.repeat(600)}`).state).toBeNull();
    expect(traced(header, ALL, 'a=\u0000').state).toBeNull();
  });
});

describe('sampling', () => {
  test('by ratio keeps about that share, and the same traces everywhere', () => {
    const ids = Array.from({ length: 4000 }, (_, index) =>
      new Bun.CryptoHasher('md5').update(`${index}`).digest('hex'),
    );
    const kept = () =>
      ids.filter((id) => continueTrace(id, null, null, { ratio: 0.25, isParentBased: true }).isSampled);
    expect(kept().length).toBeGreaterThan(900);
    expect(kept().length).toBeLessThan(1100);
    expect(kept()).toEqual(kept());
  });

  test('follows the caller when it is based on it, and else decides itself', () => {
    const wanted = `00-${TRACE}-${SPAN}-01`;
    expect(traced(wanted, { ratio: 0, isParentBased: true }).isSampled).toBe(true);
    expect(traced(wanted, { ratio: 0, isParentBased: false }).isSampled).toBe(false);
    expect(traced(`00-${TRACE}-${SPAN}-00`, { ratio: 1, isParentBased: false }).isSampled).toBe(true);
  });
});

test('spans of one request have ids of their own, also in a trace that several requests share', () => {
  const header = `00-${TRACE}-${SPAN}-01`;
  const ids = [ID, ID.replace('f4a5', 'a4f5')].flatMap((id) =>
    [0, 1, 2].map((attempt) => spanIdOf(continueTrace(id, header, null, ALL), attempt)),
  );
  expect(new Set(ids).size).toBe(6);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}$/);
  expect(traceparentOf(traced(header), 1)).toBe(`00-${TRACE}-${ids[1]}-01`);
});
