import { describe, expect, test } from 'bun:test';
import type { HeaderPair } from '../core/http.ts';
import { credentialOf, type Dialect, targetOf } from './dialect.ts';

describe('the dialect and operation of', () => {
  const version: HeaderPair = ['anthropic-version', '2023-06-01'];
  const rows: readonly (readonly [request: string, expected: string, headers?: readonly HeaderPair[]])[] = [
    ['POST /v1/chat/completions', 'openai chat'],
    ['POST /any/prefix/v1/chat/completions', 'openai chat'],
    ['POST /v1/completions', 'openai completions'],
    ['POST /v1/embeddings', 'openai embeddings'],
    ['GET /v1/models', 'openai models'],
    ['GET /v1/models/org%2Fm', 'openai model org/m'],
    ['GET /v1/models/org/m', 'openai model org/m'],
    ['GET /v1/models', 'anthropic models', [version]],
    ['GET /v1/models/claude', 'anthropic model claude', [version]],
    ['POST /v1/messages', 'anthropic messages'],
    ['POST /v1/messages?beta=true', 'anthropic messages'],
    ['POST /openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21', 'azure chat my gpt'],
    ['POST /openai//deployments/d/embeddings?api-version=1', 'azure embeddings d'],
    ['POST /openai/deployments/d/chat/completions', 'azure not-found'],
    ['POST /openai/v1/chat/completions', 'azure chat'],
    ['GET /openai/v1/models', 'azure models'],
    ['GET /v1/chat/completions', 'openai not-found'],
    ['POST /v1/nothing', 'openai not-found'],
    ['POST /v1/nothing', 'anthropic not-found', [version]],
  ];
  for (const [request, expected, headers = []] of rows) {
    test(`${request}${headers.length > 0 ? ' with anthropic-version' : ''} is ${expected}`, () => {
      const [, method = '', path = '', query = ''] = /^(\S+) ([^?]+)\??(.*)$/.exec(request) ?? [];
      const target = targetOf(method, path, query, headers);
      const words = target.kind === 'operation' ? [target.operation, target.name] : ['not-found'];
      expect([target.dialect, ...words].filter((word) => word !== null).join(' ')).toBe(expected);
    });
  }
});

describe('the credential', () => {
  const rows: readonly (readonly [dialect: Dialect, headers: readonly HeaderPair[], expected: string | null])[] = [
    ['openai', [['authorization', 'Bearer sk-1']], 'sk-1'],
    ['openai', [['authorization', 'bearer  sk-1']], 'sk-1'],
    ['openai', [['authorization', 'Basic sk-1']], null],
    ['openai', [['api-key', 'sk-1']], null],
    ['azure', [['api-key', 'a']], 'a'],
    ['azure', [['authorization', 'Bearer entra']], 'entra'],
    ['azure', [['x-api-key', 'a']], null],
    [
      'anthropic',
      [
        ['authorization', 'Bearer b'],
        ['x-api-key', 'a'],
      ],
      'a',
    ],
    ['anthropic', [['authorization', 'Bearer b']], 'b'],
    ['anthropic', [['x-api-key', '']], null],
  ];
  for (const [dialect, headers, expected] of rows) {
    test(`of ${dialect} in ${headers.map((pair) => pair.join(': ')).join(', ')} is ${expected}`, () => {
      expect(credentialOf(dialect, headers)).toBe(expected);
    });
  }
});
