import { describe, expect, test } from 'bun:test';
import { loadRecordings, RECORDINGS_FOLDER, sha256 } from '../support/recordings.ts';

// The recorded corpus: real traffic of providers, read from the folder that TOLLGATE_RECORDINGS names.

const recordings = loadRecordings();

/** Successful answers that nothing here serves yet. A new provider or endpoint takes its cases out of this list. */
const NOT_YET = [
  'anthropic/count-tokens',
  'azure/responses-stream',
  'bedrock/converse-basic',
  'bedrock/converse-guardrail',
  'bedrock/converse-stream',
  'bedrock/converse-stream-thinking',
  'bedrock/converse-stream-tool',
  'bedrock/converse-tool',
  'bedrock/error-400-context',
  'bedrock/error-400-model',
  'bedrock/error-403',
  'bedrock/error-503-throttled',
  'bedrock/invoke-claude-stream',
  'cohere/chat-basic',
  'cohere/chat-stream',
  'cohere/chat-tool-stream',
  'cohere/embeddings',
  'cohere/error-400-too-many-tokens',
  'cohere/error-401',
  'gemini/embeddings',
  'gemini/error-400-api-key',
  'gemini/error-404-model',
  'gemini/error-429-quota',
  'gemini/generate-basic',
  'gemini/generate-json-schema',
  'gemini/generate-max-tokens-empty',
  'gemini/generate-safety',
  'gemini/generate-stream',
  'gemini/generate-thinking-signature-stream',
  'gemini/generate-tools-stream',
  'gemini/openai-compat-tools-without-id',
  'ollama/native-chat',
  'ollama/native-chat-stream',
  'ollama/native-chat-tools',
  'openai/responses-basic',
  'openai/responses-error-stream',
  'openai/responses-incomplete-stream',
  'openai/responses-json-schema',
  'openai/responses-logprobs-stream',
  'openai/responses-reasoning',
  'openai/responses-reasoning-summary-stream',
  'openai/responses-reasoning-tool-stream',
  'openai/responses-stream',
  'openai/responses-tool',
  'openai/responses-tool-result-stream',
  'openai/responses-tool-stream',
  'openai/responses-web-search-stream',
  'vertex/claude-stream',
  'vertex/error-400-context',
  'vertex/error-404',
  'vertex/generate-basic',
  'vertex/generate-stream',
  'vertex/prompt-blocked',
];

if (RECORDINGS_FOLDER === null) {
  test('recorded corpus: not run, TOLLGATE_RECORDINGS is not set', () => {
    console.warn('\n*** recorded corpus: not run, TOLLGATE_RECORDINGS is not set ***\n');
  });
} else {
  describe('the corpus', () => {
    test('is there, and is what it says it is', () => {
      expect(recordings.length).toBeGreaterThanOrEqual(176);
      for (const { name, body, sha256: expected } of recordings)
        expect([name, sha256(body)]).toEqual([name, String(expected)]);
    });

    test('is tested but for what has no provider yet, case by case', () => {
      // Error answers are classified whatever path they are from; a success needs the endpoint.
      const unserved = recordings.filter(
        ({ provider, family, status }) => provider === null || (status < 300 && family === null),
      );
      expect(unserved.map(({ name }) => name)).toEqual(NOT_YET);
    });
  });
}
