import { describe, expect, test } from 'bun:test';
import { arrayMember, type JsonObject, numberMember, objectMember } from '../../src/core/json.ts';
import type { Usage } from '../../src/core/usage.ts';
import { testHead } from '../support/call.ts';
import { play } from '../support/play.ts';
import { loadRecordings, type Recording, sha256, staged } from '../support/recordings.ts';

// Hosts that speak the client's dialect: their bytes reach the client as they were recorded.

/** Successes by their status that are errors; `errors.test.ts` has them. */
const ERRORS = ['openrouter/error-in-200-body', 'groq/error-mid-stream', 'openrouter/error-mid-stream'];

/** Hosts that count reasoning beside the output. */
const REASONING_BESIDE = ['xai'];

const recordings = loadRecordings().filter(({ name, provider, family, status }) => {
  const facet = provider === null || family === null ? undefined : provider[family];
  return facet !== undefined && facet.speaks !== null && status < 300 && !ERRORS.includes(name);
});
const named = (all: readonly Recording[]) => all.map((recording) => [recording.name, recording] as const);

describe('a recorded answer', () => {
  test.each(named(recordings.filter(({ isStream }) => !isStream)))(
    '%s reaches the client byte for byte',
    (_name, recording) => {
      const { facet, context } = staged(recording);
      const reply = facet.reply(testHead(recording.status, recording.headers), recording.body, context);
      if (reply.kind !== 'bytes') throw new Error(JSON.stringify(reply));
      expect(sha256(reply.body)).toBe(recording.sha256 as string);
      expect(counts(reply.usage)).toEqual(expectedCounts(recording, parse(recording.body.toString())));
      expect(reply.finish).toBe('normal');
    },
  );
});

describe('a recorded stream', () => {
  const streams = named(recordings.filter(({ isStream }) => isStream));

  test.each(streams)('%s reaches the client event for event', (_name, recording) => {
    const { facet, context } = staged(recording, { wantsUsage: true });
    const { client, usage, end, failure } = play(facet.stream(context), [recording.body]);
    expect({ end, failure }).toEqual({ end: 'complete', failure: null });
    const events = eventsOf(recording.body);
    expect(sha256(client)).toBe(sha256(joined(events)));
    const last = events
      .map(({ json }) => json)
      .findLast((json) => json !== null && objectMember(json, 'usage') !== null);
    expect(counts(usage)).toEqual(expectedCounts(recording, last ?? null));
  });

  test.each(streams)('%s hides the usage that nobody asked for, and nothing else', (_name, recording) => {
    const { facet, context } = staged(recording, { wantsUsage: false });
    const { client, end } = play(facet.stream(context), [recording.body]);
    expect(end).toBe('complete');
    expect(sha256(client)).toBe(sha256(joined(eventsOf(recording.body).filter((event) => !isUsageOnly(event)))));
  });
});

interface RecordedEvent {
  readonly text: string;
  readonly payload: string;
  readonly json: JsonObject | null;
}

/** The events of a recording, cut with a regular expression; comments between them are no events. */
function eventsOf(body: Buffer): readonly RecordedEvent[] {
  return [...body.toString('latin1').matchAll(/(?:[^\r\n]+(?:\r\n|\n))+(?:\r\n|\n)/g)].flatMap(([block]) => {
    const text = block.replace(/^(?::[^\r\n]*(?:\r\n|\n))+/, '');
    const payload = Buffer.from(/^data: ?(.*?)\r?$/m.exec(text)?.[1] ?? '', 'latin1').toString();
    return payload === '' ? [] : [{ text, payload, json: parse(payload) }];
  });
}

/** What the client reads: the events, and the end when the host sends none. */
function joined(events: readonly RecordedEvent[]): Buffer {
  const done = events.at(-1)?.payload === '[DONE]' ? '' : 'data: [DONE]\n\n';
  return Buffer.from(events.map(({ text }) => text).join('') + done, 'latin1');
}

function isUsageOnly({ json }: RecordedEvent): boolean {
  if (json === null || json.choices === undefined) return false;
  return arrayMember(json, 'choices').length === 0 && objectMember(json, 'usage') !== null;
}

function parse(text: string): JsonObject | null {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return null;
  }
}

type Counts = Pick<Usage, 'input' | 'output' | 'cacheRead'>;

const counts = (usage: Usage | null): Counts | null =>
  usage && { input: usage.input, output: usage.output, cacheRead: usage.cacheRead };

/** The host's own numbers, by its own arithmetic. */
function expectedCounts({ name }: Recording, json: JsonObject | null): Counts | null {
  const usage = json === null ? null : objectMember(json, 'usage');
  if (usage === null) return null;
  const count = (object: JsonObject | null, key: string) => (object === null ? 0 : (numberMember(object, key) ?? 0));
  const isBeside = REASONING_BESIDE.includes(name.split('/')[0] as string);
  const reasoning = isBeside ? count(objectMember(usage, 'completion_tokens_details'), 'reasoning_tokens') : 0;
  const cached = count(objectMember(usage, 'prompt_tokens_details'), 'cached_tokens');
  return {
    input: count(usage, 'prompt_tokens'),
    output: count(usage, 'completion_tokens') + reasoning,
    cacheRead: cached,
  };
}
