import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { arrayMember, type Json, type JsonObject, numberMember, objectMember } from '../../src/core/json.ts';
import { fold } from '../support/fold.ts';
import type { Recording } from '../support/recordings.ts';
import { sha256 } from '../support/recordings.ts';
import { anthropicRecordings, translated } from './anthropic-answers.ts';

// Anthropic's recorded answers, translated: the exact bytes by their hash, and the facts counted here a second way, so
// that a hash of something wrong does not pass.
//
// After a change that is meant to change answers: TOLLGATE_RECORDINGS=… bun test/recorded/write-hashes.ts

const recordings = anthropicRecordings();
const hashes = (await Bun.file(join(import.meta.dir, 'expected-hashes.json')).json()) as Record<string, string>;

if (recordings.length > 0) {
  test('every translated answer has its hash', () => {
    expect(recordings.map(({ name }) => name)).toEqual(Object.keys(hashes));
  });
}

describe('a translated answer', () => {
  test.each(recordings.map((recording) => [recording.name, recording] as const))('%s', (name, recording) => {
    const { client, usage, end } = translated(recording);
    expect(end).toBe('complete');
    const facts = countedFacts(recording);
    expect(clientFacts(recording, client)).toEqual(facts);
    expect({
      input: usage?.input,
      output: usage?.output,
      cacheRead: usage?.cacheRead,
      cacheWrite: usage?.cacheWrite,
    }).toEqual(facts.usage);
    expect(sha256(client)).toBe(hashes[name] as string);
  });
});

/** What a user gets to see, whatever the dialect. */
interface Facts {
  readonly text: string;
  readonly reasoning: string;
  readonly signatures: readonly Json[];
  readonly toolCalls: readonly (readonly [id: Json, name: Json, input: unknown])[];
  readonly finish: Json;
  readonly usage: {
    readonly input: number;
    readonly output: number;
    readonly cacheRead: number;
    readonly cacheWrite: number;
  };
}

/** specs/translation.md §2, the table of finish reasons. */
const FINISH: Readonly<Record<string, string>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  refusal: 'content_filter',
};

/** The facts of Anthropic's own bytes. */
function countedFacts(recording: Recording): Facts {
  const message = recording.isStream
    ? assembled(recording.body)
    : (JSON.parse(recording.body.toString()) as JsonObject);
  const blocks = arrayMember(message, 'content') as readonly JsonObject[];
  const ofType = (type: string) => blocks.filter((block) => block.type === type);
  const usage = objectMember(message, 'usage') ?? {};
  const count = (key: string) => numberMember(usage, key) ?? 0;
  const cacheRead = count('cache_read_input_tokens');
  const cacheWrite = count('cache_creation_input_tokens');
  return {
    text: ofType('text')
      .map((block) => block.text)
      .join(''),
    reasoning: ofType('thinking')
      .map((block) => block.thinking)
      .join(''),
    signatures: [
      ...ofType('thinking').map((block) => block.signature),
      ...ofType('redacted_thinking').map((block) => block.data),
    ] as Json[],
    toolCalls: ofType('tool_use').map((block) => [block.id as Json, block.name as Json, block.input] as const),
    finish: FINISH[message.stop_reason as string] as string,
    usage: {
      input: count('input_tokens') + cacheRead + cacheWrite,
      output: count('output_tokens'),
      cacheRead,
      cacheWrite,
    },
  };
}

/** The message that a stream of events builds, without any of the gateway's code. */
function assembled(stream: Buffer): JsonObject {
  const blocks: Record<string, Json>[] = [];
  const inputs: string[] = [];
  let message: Record<string, Json | undefined> = {};
  for (const line of stream.toString().split(/\r?\n/)) {
    if (!line.startsWith('data:')) continue;
    const event = JSON.parse(line.slice(5)) as Record<string, JsonObject> & { index: number; type: string };
    if (event.type === 'message_start') message = { ...event.message };
    if (event.type === 'content_block_start') {
      blocks[event.index] = { ...(event.content_block as Record<string, Json>) };
      inputs[event.index] = '';
    }
    if (event.type === 'content_block_delta') {
      const block = blocks[event.index] as Record<string, Json>;
      const { type, ...pieces } = event.delta as Record<string, Json>;
      if (type === 'input_json_delta') inputs[event.index] += pieces.partial_json as string;
      else if (type !== 'citations_delta') {
        for (const [name, piece] of Object.entries(pieces)) block[name] = `${block[name] ?? ''}${piece}`;
      }
    }
    if (event.type === 'message_delta') {
      message = { ...message, ...event.delta, usage: { ...(message.usage as JsonObject), ...event.usage } };
    }
  }
  blocks.forEach((block, index) => {
    if (inputs[index]) block.input = JSON.parse(inputs[index]);
  });
  return { ...message, content: blocks };
}

/** The facts of what the client reads. */
function clientFacts({ isStream }: Recording, client: Buffer): Facts {
  const answer = isStream ? fold(client) : (JSON.parse(client.toString()) as JsonObject);
  const choice = (answer.choices as readonly JsonObject[])[0] as JsonObject;
  const message = (choice.message ?? {}) as JsonObject;
  const blocks = arrayMember(message, 'thinking_blocks') as readonly JsonObject[];
  const usage = answer.usage as JsonObject;
  const details = objectMember(usage, 'prompt_tokens_details') ?? {};
  expect(usage.total_tokens).toBe((usage.prompt_tokens as number) + (usage.completion_tokens as number));
  return {
    text: (message.content as string | null) ?? '',
    reasoning: (message.reasoning_content as string | undefined) ?? '',
    signatures: [
      ...blocks.filter((block) => block.type === 'thinking').map((block) => block.signature),
      ...blocks.filter((block) => block.type === 'redacted_thinking').map((block) => block.data),
    ] as Json[],
    toolCalls: (arrayMember(message, 'tool_calls') as readonly JsonObject[]).map((call) => {
      const called = objectMember(call, 'function') ?? {};
      return [call.id as Json, called.name as Json, JSON.parse(called.arguments as string)] as const;
    }),
    finish: choice.finish_reason as Json,
    usage: {
      input: usage.prompt_tokens as number,
      output: usage.completion_tokens as number,
      cacheRead: details.cached_tokens as number,
      cacheWrite: details.cache_write_tokens as number,
    },
  };
}
