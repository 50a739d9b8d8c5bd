import type { Usage } from '../../src/core/usage.ts';
import { testHead } from '../support/call.ts';
import { play } from '../support/play.ts';
import { loadRecordings, type Recording, staged } from '../support/recordings.ts';

/** Anthropic's recorded successes, in the order of their names. */
export function anthropicRecordings(): readonly Recording[] {
  return loadRecordings().filter(
    ({ name, family, status }) => name.startsWith('anthropic/') && family !== null && status < 300,
  );
}

/** What a client reads that asked for usage, with the ids and times that every test has. */
export interface Translated {
  readonly client: Buffer;
  readonly usage: Usage | null;
  readonly end: 'complete' | 'failed' | 'open';
}

/** One recorded answer, translated to the hub. */
export function translated(recording: Recording): Translated {
  const { facet, context } = staged(recording, { wantsUsage: true });
  if (recording.isStream) return play(facet.stream(context), [recording.body]);
  const reply = facet.reply(testHead(recording.status, recording.headers), recording.body, context);
  if (reply.kind !== 'chat') throw new Error(`${recording.name}: ${JSON.stringify(reply)}`);
  return { client: Buffer.from(JSON.stringify(reply.chat)), usage: reply.usage, end: 'complete' };
}
