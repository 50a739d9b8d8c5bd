import { describe, expect, test } from 'bun:test';
import { type JsonBody, scanObject } from '../../src/wire/json-splice.ts';
import { testCall } from '../support/call.ts';
import { loadRecordings, type Recording, staged } from '../support/recordings.ts';

// Recorded requests, sent by a client with odd white space, to hosts that speak its dialect: they go on byte for byte,
// but for the members named here.

/** Usage is always asked for, since the gateway has to count it. */
const ASKED = ['stream_options'];

/** Members that a host would refuse or that mean nothing to it. */
const CHANGED: Readonly<Record<string, readonly string[]>> = {
  // `n` is refused, and 1 is what it would be anyway.
  'groq/error-400-tool-use-failed': ['n'],
  'groq/error-404-model': ['n'],
  'groq/error-mid-stream': ['n', ...ASKED],
  // Reasoning models refuse `max_tokens`: the recording is OpenAI saying so.
  'openai/error-400-unsupported-parameter': ['max_tokens', 'max_completion_tokens'],
  // `strict` inside tools.
  'xai/chat-reasoning-stream': ['tools'],
  'xai/chat-tool-stream': ['tools'],
  // The client named no model, for the path names the deployment.
  'azure/chat-parallel-tools': ['model'],
  'azure/chat-tools-stream': ['model'],
};

const REFUSED = ['xai/error-400'];

const recordings = loadRecordings().filter(({ provider, family, requestBody }) => {
  const facet = provider === null || family === null ? undefined : provider[family];
  return facet !== undefined && facet.speaks !== null && Object.keys(requestBody).length > 0;
});
const named = (all: readonly Recording[]) => all.map((recording) => [recording.name, recording] as const);

describe('a recorded request', () => {
  test.each(named(recordings.filter(({ name }) => !REFUSED.includes(name))))(
    '%s goes on as it came',
    (name, recording) => {
      const { request, text } = requested(recording);
      if (request.kind === 'refused') throw new Error(request.message);
      const changed = changedMembers(scanned(Buffer.from(text)), scanned(Buffer.concat(request.body)));
      expect(changed).toEqual(CHANGED[name] ?? (asksForUsage(recording) ? ASKED : []));
      if (changed.length === 0) expect(Buffer.concat(request.body).toString()).toBe(text);
      expect(request.dropped).toEqual([]);
    },
  );

  test.each(named(recordings.filter(({ name }) => REFUSED.includes(name))))(
    '%s is refused before it is sent',
    (_name, recording) => {
      expect(requested(recording).request).toMatchObject({ kind: 'refused', reason: 'unsupported-parameters' });
    },
  );

  // Azure's and Foundry's paths name the resource, and are tested with the provider.
  const elsewhere = recordings.filter(({ name }) => !name.startsWith('azure/') && !REFUSED.includes(name));

  test.each(named(elsewhere))('%s goes to the path it was recorded at', (_name, recording) => {
    const { request } = requested(recording);
    expect(request.kind === 'request' && new URL(request.url).pathname).toBe(recording.path);
  });
});

function asksForUsage({ provider, requestBody }: Recording): boolean {
  // Mistral answers 422 to `stream_options`, and tells usage anyway.
  return requestBody.stream === true && requestBody.stream_options === undefined && provider?.id !== 'mistral';
}

function requested(recording: Recording) {
  const text = JSON.stringify(recording.requestBody, null, 1).replace('{\n', '{ \t\r\n');
  const call = testCall(Buffer.from(text));
  const { facet, context } = staged(recording, { isStreaming: call.isStreaming });
  const baseUrl = recording.provider?.defaults.baseUrl ?? 'https://example-resource.openai.azure.com';
  const upstream = { ...context.deployment.upstream, baseUrl, apiVersion: '2024-10-21' };
  const request = facet.request(call, { ...context, deployment: { ...context.deployment, upstream } });
  return { request, text };
}

/** Top-level members whose bytes are not the same on both sides. */
function changedMembers(before: JsonBody, after: JsonBody): readonly string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  const bytes = (body: JsonBody, name: string) => Buffer.from(body.raw(name) ?? []).toString();
  return [...names].filter(
    (name) => before.has(name) !== after.has(name) || bytes(before, name) !== bytes(after, name),
  );
}

function scanned(bytes: Uint8Array): JsonBody {
  const body = scanObject(bytes);
  if (body.kind === 'fault') throw new Error(body.message);
  return body;
}
