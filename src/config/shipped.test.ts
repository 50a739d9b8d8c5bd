import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { loadText, valid } from './load.fixture.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const CONFIG = read('config/litellm-config.yaml');
const EXAMPLE = read('.env.example');

const ENV = {
  LITELLM_MASTER_KEY: 'sk-0123456789abcdef0123',
  OPENAI_API_KEY: 'o',
  ANTHROPIC_API_KEY: 'a',
  AZURE_API_KEY: 'z',
  AZURE_API_BASE: 'https://r.openai.azure.com',
  AZURE_API_VERSION: '2024-10-21',
  DATABASE_URL: 'postgresql://localhost/ai_agents',
};

describe('config/litellm-config.yaml', () => {
  const { snapshot, findings, report } = valid(loadText(CONFIG, { env: ENV, strict: true }));

  test('is without a finding, even under --strict', () => {
    expect(findings).toEqual([]);
  });

  test('tries OpenAI, Azure, Anthropic in this order', () => {
    const group = [...snapshot.groups.values()].find(({ name }) => name === 'gpt-4');
    expect(group?.deployments.map(({ configuredModel, order }) => [configuredModel, order])).toEqual([
      ['openai/gpt-4', 1],
      ['azure/gpt-4', 2],
      ['anthropic/claude-3-5-sonnet-20241022', 3],
    ]);
  });

  test('has the groups and settings that the brief asks for', () => {
    expect([...snapshot.groups.keys()] as string[]).toEqual(['gpt-4', 'azure-gpt-4', 'claude-3-5-sonnet']);
    expect(snapshot.routing as unknown).toMatchObject({
      strategy: 'simple-shuffle',
      numRetries: 3,
      timeout: 30_000,
      allowedFails: 3,
      fallbacks: new Map([['gpt-4', ['azure-gpt-4', 'claude-3-5-sonnet']]]),
    });
    expect(snapshot.routing.contextWindowFallbacks?.get('gpt-4')).toEqual(['claude-3-5-sonnet']);
    expect(snapshot.server.dropParams).toBe(true);
    expect(snapshot.server.masterKey?.reveal()).toBe(ENV.LITELLM_MASTER_KEY);
  });

  test('holds only keys that LiteLLM has', () => {
    expect(report.filter(({ reason }) => reason.includes('(Tollgate)'))).toEqual([]);
  });

  test('starts without any variable, every deployment out of use with the names to set', () => {
    const bare = valid(loadText(CONFIG)).snapshot;
    const missing = [...bare.deployments.values()].map(({ disabled }) => disabled?.missingVariables);
    expect(missing).toEqual([
      ['OPENAI_API_KEY'],
      ['AZURE_API_KEY', 'AZURE_API_BASE'],
      ['ANTHROPIC_API_KEY'],
      ['AZURE_API_KEY', 'AZURE_API_BASE'],
      ['ANTHROPIC_API_KEY'],
    ]);
  });

  test('names its schema for editors in the first line', () => {
    expect(CONFIG.split('\n')[0]).toBe('# yaml-language-server: $schema=./tollgate-config.schema.json');
  });
});

describe('.env.example', () => {
  const lines = EXAMPLE.split('\n');
  const variables = lines.flatMap((line) => /^([A-Z_]+)=(.*)$/.exec(line)?.slice(1, 3) ?? []);
  const names = variables.filter((_, index) => index % 2 === 0);

  test('lists every variable of the brief and of docker-compose.yml, each below a comment', () => {
    expect(names.toSorted()).toEqual(
      [
        'ANTHROPIC_API_KEY',
        'AZURE_API_BASE',
        'AZURE_API_KEY',
        'AZURE_API_VERSION',
        'DATABASE_URL',
        'GRAFANA_ADMIN_PASSWORD',
        'LITELLM_BUDGET_ALERT_WEBHOOK',
        'LITELLM_HOST_PORT',
        'LITELLM_LOG_LEVEL',
        'LITELLM_MASTER_KEY',
        'LITELLM_SALT_KEY',
        'LITELLM_TELEMETRY_DISABLED',
        'OPENAI_API_KEY',
        'POSTGRES_PASSWORD',
        'STORE_MODEL_IN_DB',
      ].toSorted(),
    );
    for (const name of names) {
      const above = lines[lines.findIndex((line) => line.startsWith(`${name}=`)) - 1] ?? '';
      expect(above, name).toMatch(/^(#|AZURE_API_KEY=)/);
    }
  });

  test('holds no key, not even a weak one', () => {
    for (const name of names.filter((each) => /KEY|URL|BASE|WEBHOOK/.test(each)))
      expect(EXAMPLE).toContain(`\n${name}=\n`);
  });

  test('warns that the salt key protects stored credentials', () => {
    expect(EXAMPLE).toMatch(/WARNING: it encrypts the provider credentials that are stored in the database/);
  });
});
