import { join } from 'node:path';

/** Model names clients send and the mock sees; `check` makes the mock answer with size and CRC-32 of what it got. */
export const CLIENT_MODEL = 'bench-model';
export const UPSTREAM_MODEL = 'upstream-model';
export const DELAY_SUFFIX = '-delay-50ms';
export const CHECK_SUFFIX = '-check';

const PARAGRAPH =
  'The proxy in front of the model answered "503 Service Unavailable" twice this morning, at 09:14 and 09:15, and then\n' +
  'recovered by itself. Between the two, clients that waited got an answer; clients that retried at once did not – a naïve\n' +
  'retry made it worse. Each try cost about 1.3¢; the log says {"retries": 4, "path": "C:\\\\logs\\\\gateway"} and nothing else.\n\n';

/** A chat completion request of about `bytes` bytes: parameters and one long user message, as clients with documents send. */
export function chatBody(model: string, bytes: number, more: Record<string, unknown> = {}): string {
  const render = (content: string) =>
    JSON.stringify({
      model,
      messages: [
        {
          role: 'system',
          content: 'You are a careful reviewer. Answer in at most five sentences and name what you do not know.',
        },
        { role: 'user', content },
      ],
      temperature: 0.2,
      max_tokens: 512,
      user: 'user-7f3a9be0',
      ...more,
    });
  const room = bytes - Buffer.byteLength(render(''));
  const unit = Buffer.byteLength(JSON.stringify(PARAGRAPH)) - 2;
  return render(PARAGRAPH.repeat(Math.max(1, Math.round(room / unit))));
}

/** Sizes of the plain bodies in bytes. */
export const SIZES = { small: 1300, '100k': 100_000, '1m': 1_000_000 } as const;

/** Writes one file per kind of body for the load generator. */
export async function writeBodies(folder: string): Promise<void> {
  const files = {
    small: chatBody(CLIENT_MODEL, SIZES.small),
    '100k': chatBody(CLIENT_MODEL, SIZES['100k']),
    '1m': chatBody(CLIENT_MODEL, SIZES['1m']),
    stream: chatBody(CLIENT_MODEL, SIZES.small, { stream: true }),
    delay: chatBody(CLIENT_MODEL + DELAY_SUFFIX, SIZES.small),
  };
  for (const [name, text] of Object.entries(files)) await Bun.write(join(folder, `${name}.json`), text);
}
