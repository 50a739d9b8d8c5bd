import { describe, expect, test } from 'bun:test';
import { loadText, valid } from './load.fixture.ts';

const load = (text: string, env: Readonly<Record<string, string>> = {}) => {
  const { snapshot, findings } = valid(loadText(`model_list: []\n${text}`, { env }));
  return { telemetry: snapshot.telemetry, warnings: findings.map(({ message }) => message) };
};

/** Addresses and headers, revealed. */
const callbacks = (text: string, env: Readonly<Record<string, string>> = {}) =>
  load(text, env).telemetry.callbacks.map((each) =>
    each.kind === 'objects'
      ? { name: each.name, wants: each.wants }
      : {
          ...{ name: each.name, wants: each.wants, url: each.url.reveal() },
          headers: Object.fromEntries(each.headers.map(([name, value]) => [name, value.reveal()])),
        },
  );

describe('spans', () => {
  test('go nowhere unless somebody says so', () => {
    expect(load('')).toMatchObject({ telemetry: { callbacks: [], sampling: null }, warnings: [] });
  });

  test.each([
    [
      'an address for all signals gets the path',
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/' },
      'http://c:4318/v1/traces',
    ],
    ['LiteLLM’s name for it does too', { OTEL_ENDPOINT: 'http://c:4318/v1/traces' }, 'http://c:4318/v1/traces'],
    [
      'an address for traces is taken as it is, and wins',
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://t/x' },
      'http://t/x',
    ],
  ])('%s', (_, env, url) => {
    expect(callbacks('', env as Record<string, string>)).toEqual([{ name: 'otel', wants: 'all', url, headers: {} }]);
  });

  test.each([
    ['OTEL_SDK_DISABLED', { OTEL_SDK_DISABLED: 'true' }],
    ['OTEL_TRACES_EXPORTER', { OTEL_TRACES_EXPORTER: 'none' }],
  ])('%s turns an address of the environment off without a word', (_, env) => {
    const more = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', ...env } as Record<string, string>;
    expect(load('', more)).toMatchObject({ telemetry: { callbacks: [] }, warnings: [] });
  });

  test('headers are decoded, their values are secrets', () => {
    const env = {
      OTEL_EXPORTER_OTLP_HEADERS: 'X-A=1, authorization=Basic%20YTpi',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c',
    };
    expect(callbacks('', env)[0]).toMatchObject({ headers: { 'x-a': '1', authorization: 'Basic YTpi' } });
    expect(JSON.stringify(load('', env).telemetry)).not.toContain('YTpi');
  });

  test.each([
    [{ OTEL_EXPORTER: 'otlp_grpc' }, 'OTEL_EXPORTER is otlp_grpc'],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL is grpc'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }, 'OTEL_EXPORTER_OTLP_ENDPOINT is no address'],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'nonsense' }, 'OTEL_EXPORTER_OTLP_HEADERS is no list of headers'],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'a=b%0d%0ac' }, 'OTEL_EXPORTER_OTLP_HEADERS is no list of headers'],
  ])('%p cannot be used: a warning, and nothing is sent', (env, warning) => {
    const { telemetry, warnings } = load('litellm_settings: {callbacks: [otel]}\n', env as Record<string, string>);
    expect([telemetry.callbacks.length, telemetry.sampling]).toEqual([0, null]);
    expect(warnings).toEqual([expect.stringContaining(warning)]);
  });

  test.each([
    [{}, { ratio: 1, isParentBased: true }],
    [{ OTEL_TRACES_SAMPLER: 'always_off' }, { ratio: 0, isParentBased: false }],
    [
      { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' },
      { ratio: 0.1, isParentBased: false },
    ],
    [
      { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' },
      { ratio: 1, isParentBased: true },
    ],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_always_off' }, { ratio: 0, isParentBased: true }],
  ])('%p samples as OpenTelemetry says', (env, sampling) => {
    expect(
      load('', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', ...(env as Record<string, string>) }).telemetry.sampling,
    ).toEqual(sampling);
  });
});

describe('callbacks', () => {
  const generic = { GENERIC_LOGGER_ENDPOINT: 'http://g/' };

  test('of both lists hear of both ends', () => {
    const text = 'litellm_settings: {success_callback: [generic_api], failure_callback: [generic_api]}\n';
    expect(callbacks(text, generic)).toEqual([{ name: 'generic_api', wants: 'all', url: 'http://g/', headers: {} }]);
  });

  test('otel of one list hears of that end alone, although its address is in the environment', () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' };
    expect(callbacks('litellm_settings: {failure_callback: [otel]}\n', env)[0]?.wants).toBe('failure');
  });

  test('may be one name that is no list', () => {
    expect(callbacks('litellm_settings: {success_callback: generic_api}\n', generic)[0]?.wants).toBe('success');
  });

  test('that are two names of one receiver send once', () => {
    const text = 'litellm_settings: {callbacks: [s3, s3_v2], s3_callback_params: {s3_bucket_name: b}}\n';
    expect(callbacks(text, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 's' })).toEqual([
      { name: 's3', wants: 'all' },
    ]);
  });

  test.each([
    ['langsmith', {}, 'The callback langsmith is not honoured: nothing is sent to it.'],
    ['my_module.my_logger', {}, 'The callback my_module.my_logger is not honoured: nothing is sent to it.'],
    ['generic_api', {}, 'generic_api: GENERIC_LOGGER_ENDPOINT is not set; nothing is sent to it.'],
    ['langfuse', {}, 'langfuse: LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not both set; nothing is sent to it.'],
    ['s3', {}, 's3: s3_callback_params.s3_bucket_name is not set; nothing is sent to it.'],
  ])('%s that cannot be served is a warning and keeps nothing from starting', (name, env, warning) => {
    expect(load(`litellm_settings: {callbacks: [${name}, prometheus]}\n`, env).warnings).toEqual([warning]);
  });

  test('are another configuration when only a credential differs', () => {
    const text = 'litellm_settings: {callbacks: [generic_api]}\n';
    const prints = ['A=1', 'A=2', 'A=1'].map(
      (headers) => load(text, { ...generic, GENERIC_LOGGER_HEADERS: headers }).telemetry.fingerprint,
    );
    expect(prints[0]).toBe(prints[2]);
    expect(prints[0]).not.toBe(prints[1]);
  });
});
