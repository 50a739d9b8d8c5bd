import { describe, expect, test } from 'bun:test';
import { fixture, loadText, valid } from './load.fixture.ts';
import { placesOfErrors, renderFindings, renderReport } from './report.ts';

describe('findings', () => {
  const result = loadText('router_settings:\n  timeout: abc\n  num_retrys: 3\n');

  test('name place, path and reason, and mark the spot in the line', () => {
    expect(renderFindings(result.findings)).toBe(
      [
        'config.yaml:2:12: error: router_settings.timeout: timeout is "abc", but must be a number of seconds, 0.001 to 2000000',
        '  2 |   timeout: abc',
        '    |            ^',
        '  found:    "abc"',
        '  expected: a number of seconds, 0.001 to 2000000',
        '  hint:     Seconds for the first byte and between bytes of an attempt. Default 600; LiteLLM’s is 6000.',
        '',
        'config.yaml:3:3: warning: router_settings.num_retrys: num_retrys: did you mean num_retries?',
        '  3 |   num_retrys: 3',
        '    |   ^',
        '  found:    num_retrys',
        '  expected: num_retries',
        '  hint:     num_retries: 3',
        '',
      ].join('\n'),
    );
  });

  test('are places without a word of the file on pages that anybody may read', () => {
    expect(placesOfErrors(result.findings)).toBe(
      'config.yaml:2:12: router_settings.timeout; the log says what is wrong',
    );
    expect(placesOfErrors(loadText(fixture('mistakes')).findings)).toContain(' (and 14 more); ');
    expect(placesOfErrors(loadText('router_settings: [\n').findings)).toMatch(
      /^config\.yaml:\d+:\d+: the file cannot be read as a configuration( \(and \d+ more\))?; the log says what is wrong$/,
    );
    expect(placesOfErrors([])).toBe('no errors');
  });

  test('without a place have none', () => {
    const { findings } = valid(loadText('model_list: []\n', { env: { LITELLM_MASTER_KEY: 'weak' } }));
    expect(renderFindings(findings)).toStartWith('warning: general_settings.master_key: The master key');
  });

  test('are no text when there are none', () => {
    expect(renderFindings([])).toBe('');
  });
});

describe('the compatibility report', () => {
  test('lists each key under what becomes of it, keys of several entries once', () => {
    const text = [
      'model_list:',
      '  - {model_name: a, litellm_params: {model: openai/a, azure_ad_token: os.environ/T}}',
      '  - {model_name: b, litellm_params: {model: openai/b}}',
      'litellm_settings: {cache: true}',
      '',
    ].join('\n');
    expect(renderReport(valid(loadText(text)).report)).toBe(
      [
        'Compatibility report: 4 honoured, 1 approximated, 1 ignored',
        '',
        'honoured',
        '  model_list[].model_name (2)            Public name: the model group. `*` makes it a pattern. Required.',
        '  model_list[].litellm_params.model (2)  Provider and upstream model, as `azure/my-deployment`. Required.',
        '',
        'approximated',
        '  model_list[0].litellm_params.azure_ad_token  T is unset. Sent as a bearer token; it is not renewed.',
        '',
        'ignored',
        '  litellm_settings.cache  not yet honoured: the response cache',
        '',
      ].join('\n'),
    );
  });

  test('of an empty file says so', () => {
    expect(renderReport([])).toBe('Compatibility report: the file has no keys.\n');
  });
});
