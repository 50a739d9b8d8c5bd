import { describe, expect, test } from 'bun:test';
import type { JsonObject } from '../../src/core/json.ts';
import type { Facet } from '../../src/providers/provider.ts';
import { testCall, testContext, testDeployment, testHead } from '../support/call.ts';
import { play } from '../support/play.ts';
import { loadDocumented, type Recording } from '../support/recordings.ts';

// Successes that are documented and of which there is no recording. Errors are in errors.test.ts.

const documented = new Map(loadDocumented().map((shape) => [shape.name.replace('documented/', ''), shape]));

function answered({ provider, status, headers, body }: Recording) {
  const call = testCall(Buffer.from('{"model":"m","messages":[]}'));
  const context = testContext(testDeployment(provider?.id ?? '', 'm'), call);
  const facet = provider?.chat as Facet;
  return { facet, context, reply: facet.reply(testHead(status, headers), body, context) };
}

if (documented.size > 0)
  describe('a documented answer', () => {
    test('of Anthropic that refuses is filtered, and says so', () => {
      const { reply } = answered(documented.get('anthropic/messages-refusal') as Recording);
      if (reply.kind !== 'chat') throw new Error(reply.kind);
      expect(reply.finish).toBe('content-filter');
      expect(reply.chat.choices[0]?.finish_reason).toBe('content_filter');
    });

    test('of Azure that was filtered reaches the client as it is', () => {
      const shape = documented.get('azure/chat-finish-content-filter') as Recording;
      const { reply } = answered(shape);
      if (reply.kind !== 'bytes') throw new Error(reply.kind);
      expect(reply.finish).toBe('content-filter');
      expect(Buffer.from(reply.body).equals(shape.body)).toBe(true);
    });

    test('of Anthropic with an error in its stream fails', () => {
      const shape = documented.get('anthropic/stream-error-event') as Recording;
      const { facet, context } = answered(shape);
      const { end, failure, client } = play(facet.stream(context), [shape.body]);
      expect(end).toBe('failed');
      expect(failure).toMatchObject({ kind: 'upstream-error', words: { status: 529 } as JsonObject as never });
      expect(client.toString()).not.toContain('[DONE]');
    });
  });
