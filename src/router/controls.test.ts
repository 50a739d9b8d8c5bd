import { describe, expect, test } from 'bun:test';
import { type Answer, deploymentOf } from '../../test/support/routing.ts';
import { Story } from '../../test/support/story.ts';
import type { RoutingControls } from './route.ts';

const deployments = ['a', 'b', 'c', 'd'].map((id) => deploymentOf(id));
const settings = {
  fallbacks: new Map([
    ['a', ['b']],
    ['c', ['b']],
  ]),
  numRetries: 0,
};

function lines(controls: Partial<RoutingControls>, script: Record<string, Answer[]> = { a: [500] }): readonly string[] {
  return new Story({ deployments, settings, script }).ask({ model: 'a', controls }).lines;
}

describe("a client's own fallbacks", () => {
  test('a list of names replaces the configured chain and that of its members', () => {
    const fallbacks = ['c', 'd'].map((model) => ({ model, overrides: null }));
    expect(lines({ fallbacks }, { a: [500], c: [500] })).toEqual(['0 a 500', '0 c 500', '0 d ok']);
  });

  test("LiteLLM's own form replaces the map", () => {
    const fallbacks = new Map([
      ['a', ['c']],
      ['c', ['d']],
    ]);
    expect(lines({ fallbacks }, { a: [500], c: [500] })).toEqual(['0 a 500', '0 c 500', '0 d ok']);
  });

  test('an empty list means none', () => {
    expect(lines({ fallbacks: [] })).toEqual(['0 a 500']);
  });

  test('an entry with a body of its own may name the same group again', () => {
    const overrides = { temperature: 0 };
    const story = new Story({ deployments, settings, script: { a: [500, 'ok'] } });
    const telling = story.ask({ model: 'a', controls: { fallbacks: [{ model: 'a', overrides }] } });
    expect(telling.delays).toEqual([0, 0]);
    expect(telling.decisions.map((each) => each.overrides)).toEqual([null, overrides]);
    expect(telling.decisions.map((each) => each.fallbacks)).toEqual([0, 1]);
  });

  test('names that nothing serves and repetitions are left out', () => {
    const fallbacks = ['nobody', 'a', 'c', 'c'].map((model) => ({ model, overrides: null }));
    expect(lines({ fallbacks }, { a: [500], c: [500] })).toEqual(['0 a 500', '0 c 500']);
  });

  test('a list is for context and content errors too, a map is not', () => {
    const fallbacks = [{ model: 'c', overrides: null }];
    expect(lines({ fallbacks }, { a: ['context'] })).toEqual(['0 a context', '0 c ok']);
    expect(lines({ fallbacks }, { a: ['content'] })).toEqual(['0 a content', '0 c ok']);
    expect(lines({ fallbacks: new Map([['a', ['c']]]) }, { a: ['context'] })).toEqual(['0 a context']);
  });

  test('a thousand entries are not a thousand attempts', () => {
    const many = Array.from({ length: 1000 }, () => ({ model: 'c', overrides: { n: 1 } }));
    expect(lines({ fallbacks: many }, { a: [500], c: [500] }).length).toBe(21);
  });

  test.each<[string, Partial<RoutingControls>, Answer]>([
    ['context_window_fallbacks', { contextWindowFallbacks: new Map([['a', ['d']]]) }, 'context'],
    ['content_policy_fallbacks', { contentPolicyFallbacks: new Map([['a', ['d']]]) }, 'content'],
  ])('%s of the body are used', (_name, controls, answer) => {
    expect(lines(controls, { a: [answer] })).toEqual([`0 a ${answer}`, '0 d ok']);
  });

  test('disable_fallbacks takes every chain away, not the rest of the group', () => {
    const group = [deploymentOf('a', { group: 'a', order: 1 }), deploymentOf('a2', { group: 'a', order: 2 })];
    const all = { ...settings, contextWindowFallbacks: new Map([['a', ['b']]]) };
    const ask = (answer: Answer) =>
      new Story({ deployments: [...group, deploymentOf('b')], settings: all, script: { a: [answer], a2: [500] } }).ask({
        model: 'a',
        controls: { disableFallbacks: true },
      }).lines;
    expect(ask(500)).toEqual(['0 a 500', '0 a2 500']);
    expect(ask('context')).toEqual(['0 a context']);
  });
});
