import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { fold } from '../support/fold.ts';
import { cut, type Played, play } from '../support/play.ts';
import { loadRecordings, type Recording, staged } from '../support/recordings.ts';

// A stream means the same however the network cuts it, and an answer that was cut off does not look whole.

/** Split at every single byte: small ones, with what makes splitting hard beside the name. */
const EVERY_BYTE = [
  'anthropic/messages-parallel-tools-stream', // fragments of JSON inside JSON
  'anthropic/messages-stream', // pings, named events
  'anthropic/messages-stream-network-chunks', // payloads padded with blanks
  'azure/chat-model-router-stream', // chunks without choices at both ends
  'mistral/chat-stream', // text, end and usage in one chunk
  'openai/chat-reasoning-stream', // usage in a chunk of its own
  'openai/chat-tools-stream', // no usage at all
  'openrouter/chat-stream', // comments, and the end twice
  'openrouter/error-mid-stream', // an error after the end
  'perplexity/chat-stream', // CRLF, no [DONE]
];

const SPLITS = 50;
/** Twenty thousand splits take two seconds, and longer beside other work. */
const PATIENCE = 120_000;
const SEED = 20_261_123;

const streams = loadRecordings().filter(
  ({ provider, family, status, isStream }) => provider !== null && family !== null && status < 300 && isStream,
);
const small = streams.filter(({ name }) => EVERY_BYTE.includes(name));
const named = (all: readonly Recording[]) => all.map((recording) => [recording.name, recording] as const);

function played(recording: Recording, reads: readonly Buffer[]): Played {
  const { facet, context } = staged(recording);
  return play(facet.stream(context), reads);
}

if (streams.length > 0) {
  test('the ten streams that are split at every byte are there', () => {
    expect(small.map(({ name }) => name)).toEqual(EVERY_BYTE);
  });
}

describe('a recorded stream gives the same calls', () => {
  test.each(named(small))(
    '%s, split at any byte',
    (_name, recording) => {
      const expected = played(recording, [recording.body]).calls;
      for (let offset = 1; offset < recording.body.length; offset++) {
        const { calls } = played(recording, cut(recording.body, [offset]));
        if (!Bun.deepEquals(calls, expected)) expect(calls, `split at byte ${offset}`).toEqual(expected);
      }
    },
    PATIENCE,
  );

  test.each(named(streams))(
    '%s, split at random',
    (_name, recording) => {
      const { body } = recording;
      const expected = played(recording, [body]).calls;
      const places = fc.uniqueArray(fc.nat(body.length), { minLength: 1, maxLength: 40, size: 'max' });
      for (const offsets of fc.sample(places, { seed: SEED, numRuns: SPLITS })) {
        expect(
          played(
            recording,
            cut(
              body,
              offsets.toSorted((a, b) => a - b),
            ),
          ).calls,
        ).toEqual(expected);
      }
    },
    PATIENCE,
  );

  test.each(named(streams))(
    '%s, byte by byte',
    (_name, recording) => {
      const expected = played(recording, [recording.body]).calls;
      const offsets = Array.from(recording.body, (_, offset) => offset);
      expect(played(recording, cut(recording.body, offsets)).calls).toEqual(expected);
    },
    PATIENCE,
  );

  test.each(named(streams.filter(({ reads }) => reads !== null)))(
    '%s, as the network cut it',
    (_name, recording) => {
      let end = 0;
      const offsets = (recording.reads as readonly number[]).map((length) => (end += length));
      expect(end).toBe(recording.body.length);
      const expected = played(recording, [recording.body]).calls;
      expect(played(recording, cut(recording.body, offsets)).calls).toEqual(expected);
    },
    PATIENCE,
  );
});

describe('a recorded stream that is cut off', () => {
  test.each(named(small))(
    '%s completes only if nothing of the answer is missing',
    (_name, recording) => {
      const { body } = recording;
      const whole = played(recording, [body]);
      const answer = fold(whole.client).choices;
      let incomplete = 0;
      for (let length = 0; length < body.length; length++) {
        const { client, end, calls } = played(recording, [body.subarray(0, length)]);
        expect(end).not.toBe('open');
        if (end === 'failed') incomplete++;
        else expect(fold(client).choices, `cut at byte ${length}`).toEqual(answer);
        if (end === 'failed') expect(calls.includes('complete')).toBe(false);
      }
      // The answer itself is most of the bytes.
      expect(incomplete).toBeGreaterThan(body.length / 3);
    },
    PATIENCE,
  );
});
