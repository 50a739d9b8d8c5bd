import { describe, expect, test } from 'bun:test';
import { testContext, testDeployment } from '../../../test/support/openai-call.ts';
import type { UpstreamSettings } from '../../core/snapshot.ts';
import { azureUrl, foundryUrl } from './url.ts';

const HOST = 'https://example.openai.azure.com';
const FOUNDRY = 'https://example.services.ai.azure.com';

const context = (upstream: Partial<UpstreamSettings>, model = 'my-gpt') =>
  testContext({ model, deployment: testDeployment({}, upstream) });

describe('an Azure OpenAI URL', () => {
  const rows: readonly (readonly [string, string, string | null, string])[] = [
    [
      'names the deployment and a version',
      HOST,
      '2024-10-21',
      `${HOST}/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21`,
    ],
    [
      'has a default version',
      HOST,
      null,
      `${HOST}/openai/deployments/my-gpt/chat/completions?api-version=2025-02-01-preview`,
    ],
    [
      'takes the version of the base',
      `${HOST}/?api-version=2024-06-01`,
      null,
      `${HOST}/openai/deployments/my-gpt/chat/completions?api-version=2024-06-01`,
    ],
    [
      'has no double slash',
      `${HOST}//`,
      '2024-10-21',
      `${HOST}/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21`,
    ],
    [
      'does not repeat /openai',
      `${HOST}/openai`,
      '2024-10-21',
      `${HOST}/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21`,
    ],
    [
      'keeps a deployment path of the base',
      `${HOST}/openai/deployments/other`,
      '2024-10-21',
      `${HOST}/openai/deployments/other/chat/completions?api-version=2024-10-21`,
    ],
    [
      'keeps a whole path of the base',
      `${HOST}/openai/deployments/other/chat/completions`,
      '2024-10-21',
      `${HOST}/openai/deployments/other/chat/completions?api-version=2024-10-21`,
    ],
    ['of the v1 family by its base', `${HOST}/openai/v1`, '2024-10-21', `${HOST}/openai/v1/chat/completions`],
    [
      'of the v1 family without the version of its base',
      `${HOST}/openai/v1?api-version=2024-10-21`,
      null,
      `${HOST}/openai/v1/chat/completions`,
    ],
    ['of the v1 family by its version', HOST, 'v1', `${HOST}/openai/v1/chat/completions`],
    ['of the v1 family by the version latest', `${HOST}/openai`, 'latest', `${HOST}/openai/v1/chat/completions`],
    ['of the v1 family with previews', HOST, 'preview', `${HOST}/openai/v1/chat/completions?api-version=preview`],
    [
      'of a front with its own host and path',
      'https://apim.example.com/llm',
      '2024-10-21',
      'https://apim.example.com/llm/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21',
    ],
  ];
  test.each(rows)('%s', (_name, baseUrl, apiVersion, expected) => {
    expect(azureUrl(context({ baseUrl, apiVersion }), 'openai-chat')).toBe(expected);
  });

  test('escapes the deployment name', () => {
    expect(azureUrl(context({ baseUrl: HOST, apiVersion: '1' }, 'a/b ?'), 'openai-embeddings')).toBe(
      `${HOST}/openai/deployments/a%2Fb%20%3F/embeddings?api-version=1`,
    );
  });

  test('needs a base, and says so', () => {
    expect(azureUrl(context({}), 'openai-chat')).toMatchObject({ kind: 'refused', reason: 'misconfigured' });
    expect(foundryUrl(context({}), 'openai-chat')).toMatchObject({ kind: 'refused', reason: 'misconfigured' });
  });
});

describe('an Azure AI Foundry URL', () => {
  test.each([
    [
      'has the inference path and a version',
      FOUNDRY,
      null,
      `${FOUNDRY}/models/chat/completions?api-version=2024-05-01-preview`,
    ],
    [
      'does not repeat /models',
      `${FOUNDRY}/models/`,
      '2025-01-01',
      `${FOUNDRY}/models/chat/completions?api-version=2025-01-01`,
    ],
    ['of the v1 family', `${FOUNDRY}/openai/v1`, null, `${FOUNDRY}/openai/v1/chat/completions`],
    [
      'of a serverless endpoint has paths as at OpenAI',
      'https://llama.eastus.models.ai.azure.com/v1',
      null,
      'https://llama.eastus.models.ai.azure.com/v1/chat/completions',
    ],
  ])('%s', (_name, baseUrl, apiVersion, expected) => {
    expect(foundryUrl(context({ baseUrl, apiVersion }), 'openai-chat')).toBe(expected);
  });
});
