import { describe, expect, test } from 'bun:test';
import { wildcardPattern } from './groups.ts';
import { loadText, valid } from './load.fixture.ts';

const ENV = { OPENAI_API_KEY: 'k', ANTHROPIC_API_KEY: 'k' };
const entry = (name: string, model = 'openai/x') =>
  `  - {model_name: "${name}", litellm_params: {model: "${model}"}, model_info: {id: "id of ${name}"}}\n`;
const file = (names: readonly string[], more = '') =>
  `model_list:\n${names.map((name) => entry(name)).join('')}${more}`;

describe('wildcards', () => {
  test.each([
    ['openai/*', 'openai/gpt-4o', ['gpt-4o']],
    ['openai/*', 'openai/', ['']],
    ['openai/*', 'xopenai/gpt', null],
    ['*', 'anything at\nall', ['anything at\nall']],
    ['a*c*', 'abcd', ['b', 'd']],
    ['gpt-4.*', 'gpt-4.1', ['1']],
    ['gpt-4.*', 'gpt-441', null],
    ['a**b', 'axxb', ['xx']],
    ['(x)*[y]', '(x)1[y]', ['1']],
    ['*-mini', 'gpt-mini-2', null],
    ['*-mini', 'gpt-mini', ['gpt']],
  ])('%s and %j', (name, model, captures) => {
    const match = wildcardPattern(name).exec(model);
    expect(match === null ? null : match.slice(1)).toEqual(captures);
  });

  test('stand apart from groups, the most specific first', () => {
    const { snapshot } = valid(
      loadText(file(['*', 'openai/*', 'openai/gpt-4*', 'gpt-4', 'openai/gpt-4']), { env: ENV }),
    );
    expect(snapshot.wildcards.map(({ name }) => name as string)).toEqual(['openai/gpt-4*', 'openai/*', '*']);
    expect([...snapshot.groups.keys()] as string[]).toEqual(['gpt-4', 'openai/gpt-4']);
    expect(snapshot.wildcards.every(({ deployments }) => deployments.every(({ isWildcard }) => isWildcard))).toBe(true);
  });
});

describe('groups', () => {
  test('hold their deployments in the file’s order, disabled ones too', () => {
    const text =
      'model_list:\n  - {model_name: g, litellm_params: {model: openai/a}}\n  - {model_name: g, litellm_params: {model: azure/b}}\n';
    const { snapshot } = valid(loadText(text, { env: ENV }));
    const [group] = [...snapshot.groups.values()];
    expect(group?.deployments.map(({ model, disabled }) => [model, disabled === null])).toEqual([
      ['a', true],
      ['b', false],
    ]);
  });
});

describe('deployments of teams', () => {
  const owned = (name: string, info: string) =>
    `  - {model_name: ${name}, litellm_params: {model: openai/x}, model_info: ${info}}\n`;

  test('are a group of the name that the team has for them, whatever model_name they have', () => {
    const one = owned('a', '{team_id: t, team_public_model_name: mine}');
    const other = owned('b', '{team_id: t, team_public_model_name: mine}');
    const { snapshot } = valid(loadText(`model_list:\n${one}${other}${entry('mine')}`, { env: ENV }));
    const groups = [...snapshot.groups.values()].map(({ name, deployments }) => [name as string, deployments.length]);
    expect(groups).toEqual([
      ['model_name_t_mine', 2],
      ['mine', 1],
    ]);
  });

  test('in a group of others are out of use, and leave the group to them', () => {
    const text = `model_list:\n${owned('g', '{team_id: t}')}${entry('g')}${owned('h', '{team_id: t}')}`;
    const { snapshot } = valid(loadText(text, { env: ENV }));
    const reasons = [...snapshot.deployments.values()].map(({ disabled }) => disabled?.message ?? null);
    expect(reasons).toEqual([expect.stringContaining('and its model_name to others as well'), null, null]);
  });
});

describe('aliases', () => {
  test('come from both sections, and router_settings wins', () => {
    const text = file(
      ['g', 'h'],
      'router_settings: {model_group_alias: {a: g, hidden: {model: g, hidden: true}}}\nlitellm_settings: {model_alias_map: {a: h, b: h}}\n',
    );
    const { snapshot, findings } = valid(loadText(text, { env: ENV }));
    expect([...snapshot.aliases] as unknown).toEqual([
      ['a', { target: 'g', isHidden: false }],
      ['b', { target: 'h', isHidden: false }],
      ['hidden', { target: 'g', isHidden: true }],
    ]);
    expect(findings).toEqual([]);
  });
});

describe('names that nothing defines', () => {
  test.each([
    ['a fallback target', 'router_settings: {fallbacks: [{gpt-4: [gpt-5x]}]}', 'router_settings.fallbacks[0].gpt-4[0]'],
    [
      'a group with fallbacks',
      'router_settings: {fallbacks: [{gpt-4o-mini-x: [gpt-4]}]}',
      'router_settings.fallbacks[0].gpt-4o-mini-x',
    ],
    [
      'a context fallback',
      'litellm_settings: {context_window_fallbacks: [{gpt-4: [zzz]}]}',
      'litellm_settings.context_window_fallbacks[0].gpt-4[0]',
    ],
    ['a default fallback', 'litellm_settings: {default_fallbacks: [zzz]}', 'litellm_settings.default_fallbacks[0]'],
    ['an alias', 'router_settings: {model_group_alias: {a: zzz}}', 'router_settings.model_group_alias.a'],
    ['a forced model', 'general_settings: {completion_model: zzz}', 'general_settings.completion_model'],
  ])('%s is one warning', (_, line, path) => {
    const { findings } = valid(loadText(file(['gpt-4'], `${line}\n`), { env: ENV }));
    expect(findings).toMatchObject([{ severity: 'warning', path }]);
  });

  test('the nearest name is the hint', () => {
    const { findings } = valid(
      loadText(file(['claude-3-5-sonnet'], 'litellm_settings: {default_fallbacks: [claude-35-sonet]}\n'), { env: ENV }),
    );
    expect(findings[0]).toMatchObject({ hint: 'claude-3-5-sonnet', found: 'claude-35-sonet' });
  });

  test.each(['gpt-4', 'an alias', 'openai/anything', 'id of gpt-4', '*'])('%s is known', (name) => {
    const more = `router_settings: {model_group_alias: {an alias: gpt-4}, fallbacks: [{"${name}": [gpt-4]}]}\n`;
    expect(valid(loadText(file(['gpt-4', 'openai/*'], more), { env: ENV })).findings).toEqual([]);
  });
});
