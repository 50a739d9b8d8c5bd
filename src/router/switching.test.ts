import { describe, expect, test } from 'bun:test';
import { type Answer, deploymentOf } from '../../test/support/routing.ts';
import { Story } from '../../test/support/story.ts';

const pair = [deploymentOf('a', { order: 1, group: 'g' }), deploymentOf('b', { order: 2, group: 'g' })];
const chain = new Map([['g', ['z']]]);

describe('B9: what makes a request switch at once', () => {
  test.each<[string, Answer]>([
    ['429', 429],
    ['500', 500],
    ['502', 502],
    ['503', 503],
    ['504', 504],
    ['529', 529],
    ['408', 408],
    ['a timeout', 'timeout'],
    ['a refused connection', 'refused'],
    ['a stream that dies before its first content', 'cut'],
    ['a refused credential', 401],
    ['a forbidden one', 403],
    ['a missing model', 404],
  ])('%s', (_name, answer) => {
    const within = new Story({ deployments: pair, script: { a: [answer] } }).ask('g');
    expect([within.lines.length, within.lines[1], within.delays[1]]).toEqual([2, '0 b ok', 0]);
    expect([within.decisions[1]?.retries, within.decisions[1]?.fallbacks]).toEqual([1, 0]);
    const across = new Story({
      deployments: [deploymentOf('g'), deploymentOf('z')],
      settings: { fallbacks: chain },
      script: { g: [answer] },
    }).ask('g');
    expect(across.lines[1]).toBe('0 z ok');
    expect([across.decisions[1]?.retries, across.decisions[1]?.fallbacks]).toEqual([0, 1]);
  });
});

describe('B10: what never does', () => {
  test.each<[string, Answer]>([
    ['400', 400],
    ['402', 402],
    ['413', 413],
    ['422', 422],
    ['a context-length error without a chain', 'context'],
    ['a content-policy error without a chain', 'content'],
    ['a client that left', 'gone'],
    ['a stream that broke after its first content', 'cut-after-commit'],
  ])('%s returns at once', (_name, answer) => {
    const story = new Story({
      deployments: [...pair, deploymentOf('z')],
      settings: { fallbacks: chain },
      script: { a: [answer] },
    });
    const telling = story.ask('g');
    expect(telling.lines.length).toBe(1);
    expect([telling.end, telling.endedAt]).toEqual(['final-outcome', 0]);
  });

  test("the request's own deadline ends it", () => {
    const story = new Story({ deployments: pair, script: { a: [{ answer: 'out-of-time', after: 600 }] } });
    expect([story.ask('g').end, story.health.state(pair[0]!.id, story.clock.now()).kind]).toEqual([
      'deadline',
      'available',
    ]);
  });

  test.each<[Answer, string[]]>([
    [400, ['0 a 400', '0 z ok']],
    [402, ['0 a 402', '0 z ok']],
    ['context', ['0 a context', '0 z ok']],
    ['content', ['0 a content', '0 z ok']],
    ['gone', ['0 a gone']],
    ['cut-after-commit', ['0 a cut-after-commit']],
  ])('fallback_on with the word any makes %p leave the group when it can be taken back', (answer, lines) => {
    const story = new Story({
      deployments: [...pair, deploymentOf('z')],
      settings: { fallbacks: chain, fallbackOn: ['any'] },
      script: { a: [answer] },
    });
    expect(story.ask('g').lines).toEqual(lines);
  });

  test.each<[string, Answer, (number | 'timeout' | 'connection' | 'any')[]]>([
    ['a status', 429, [429]],
    ['a status of many', 503, [429, 503]],
    ['timeouts', 'timeout', ['timeout']],
    ['408 as a timeout', 408, ['timeout']],
    ['connections', 'refused', ['connection']],
    ['a broken stream as a connection', 'cut', ['connection']],
    ['everything', 401, ['any']],
  ])('no_fallback_on makes %s final, whatever fallback_on says', (_name, answer, noFallbackOn) => {
    const settings = { fallbackOn: ['any'], noFallbackOn } as const;
    const telling = new Story({ deployments: pair, settings, script: { a: [answer] } }).ask('g');
    expect([telling.lines.length, telling.end]).toEqual([1, 'final-outcome']);
  });

  test('a refusal that left its group and found nothing is the answer', () => {
    const settings = { fallbackOn: [400] } as const;
    const telling = new Story({ deployments: pair, settings, script: { a: [400] } }).ask('g');
    expect([telling.lines, telling.end]).toEqual([['0 a 400'], 'final-outcome']);
  });
});

describe('the chains for context and content errors', () => {
  const deployments = ['g', 'long', 'longer', 'mild', 'plain'].map((id) => deploymentOf(id));
  const settings = {
    fallbacks: new Map([
      ['g', ['plain']],
      ['long', ['plain']],
    ]),
    contextWindowFallbacks: new Map([
      ['g', ['long']],
      ['long', ['longer']],
      ['plain', ['longer']],
    ]),
    contentPolicyFallbacks: new Map([['g', ['mild']]]),
  };

  test.each<[string, Record<string, Answer[]>, string[]]>([
    ['a context error goes to its chain', { g: ['context'] }, ['0 g context', '0 long ok']],
    ['and along it', { g: ['context'], long: ['context'] }, ['0 g context', '0 long context', '0 longer ok']],
    [
      'a failure inside the chain goes on, to the fallbacks of its groups at last',
      { g: ['context'], long: [500], longer: [500] },
      ['0 g context', '0 long 500', '0 longer 500', '0 plain ok'],
    ],
    ['a content error goes to its own', { g: ['content'] }, ['0 g content', '0 mild ok']],
    [
      'a fallback group has its own chain',
      { g: [500], plain: ['context'] },
      ['0 g 500', '0 plain context', '0 longer ok'],
    ],
    ['a content error without an entry is final', { g: [500], plain: ['content'] }, ['0 g 500', '0 plain content']],
    ['there is no second chain', { g: ['context'], long: ['content'] }, ['0 g context', '0 long content']],
  ])('%s', (_name, script, lines) => {
    expect(new Story({ deployments, settings, script }).ask('g').lines).toEqual(lines);
  });

  test('a context chain is not shut by no_fallback_on: [400], only by name', () => {
    const with400 = { ...settings, noFallbackOn: [400] } as const;
    expect(new Story({ deployments, settings: with400, script: { g: ['context'] } }).ask('g').lines.length).toBe(2);
    const named = { ...settings, noFallbackOn: ['context-window'] } as const;
    expect(new Story({ deployments, settings: named, script: { g: ['context'] } }).ask('g').lines.length).toBe(1);
  });

  test('context_window_fallbacks: true sends context errors to the next group of the ordinary chain', () => {
    const ordinary = { fallbacks: chain, contextUsesOrdinaryChain: true };
    const story = new Story({
      deployments: [...pair, deploymentOf('z')],
      settings: ordinary,
      script: { a: ['context'] },
    });
    expect(story.ask('g').lines).toEqual(['0 a context', '0 z ok']);
  });
});
