import type { JsonObject } from '../core/json.ts';
import type { Encoder } from '../endpoints/endpoint.ts';
import type { Facet, Reply } from '../providers/provider.ts';
import { completionToChunks } from '../wire/openai/synthetic.ts';

const DATA = Buffer.from('data: ');
const EVENT_END = Buffer.from('\n\n');

/**
 * A whole answer as the events of a stream, for hosts that ignore `stream`.
 *
 * @throws SyntaxError for a long answer that turns out to be no JSON: it is parsed here for the first time
 */
export function wholeAsEvents(
  reply: Exclude<Reply, { kind: 'failed' }>,
  facet: Facet,
  encoder: Encoder,
  usage: 'with-usage' | 'without-usage',
): Uint8Array {
  // The legacy dialect's whole answer has the shape of its only chunk.
  if (reply.kind === 'bytes' && facet.speaks !== 'openai-chat') return Buffer.concat([DATA, flat(reply), EVENT_END]);
  // A parsed or translated answer is JSON, whatever members it has.
  const chat = (reply.kind === 'chat' ? reply.chat : JSON.parse(textOf(reply))) as unknown as JsonObject;
  const wanted = completionToChunks(chat).filter((chunk) => chunk.choices.length > 0 || usage === 'with-usage');
  return Buffer.concat(wanted.flatMap((chunk) => encoder.chunk(chunk) ?? []));
}

/** JSON on one line, as an event needs it; raw line ends cannot stand inside JSON strings. */
function flat(reply: Extract<Reply, { kind: 'bytes' }>): Uint8Array {
  return Buffer.from(
    textOf(reply)
      .replace(/[\r\n]+/g, ' ')
      .trim(),
  );
}

function textOf({ body }: Extract<Reply, { kind: 'bytes' }>): string {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
}
