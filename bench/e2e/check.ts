import { CHECK_SUFFIX, CLIENT_MODEL, chatBody, SIZES, UPSTREAM_MODEL } from './bodies.ts';
import { REQUEST_HEADERS } from './native.ts';

/**
 * Looks at one answer of each kind before anything is measured: speed of wrong answers is worth nothing.
 *
 * @returns what was wrong, a sentence each; empty when all is well
 */
export async function check(port: number, renamesModel: boolean): Promise<readonly string[]> {
  const faults = await Promise.all([
    plainAnswer(port),
    ...Object.entries(SIZES).map(([name, size]) => bodyArrives(port, name, size, renamesModel)),
    streamedAnswer(port, 'usage-asked'),
    streamedAnswer(port, 'usage-not-asked'),
  ]);
  return faults.filter((fault) => fault !== null);
}

async function plainAnswer(port: number): Promise<string | null> {
  const text = await post(port, chatBody(CLIENT_MODEL, SIZES.small));
  const isRight =
    text.includes('Only the first of these is always safe to repeat.') && text.includes('"total_tokens": 407');
  return isRight ? null : `the plain answer is not the upstream's: ${text.slice(0, 300)}`;
}

/** The upstream must get the client's bytes; a gateway may change the model's name and nothing else. */
async function bodyArrives(port: number, name: string, size: number, renamesModel: boolean): Promise<string | null> {
  const sent = chatBody(CLIENT_MODEL + CHECK_SUFFIX, size);
  const wanted = Buffer.from(renamesModel ? sent.replace(CLIENT_MODEL, UPSTREAM_MODEL) : sent);
  const expected = `${wanted.length} ${Bun.hash.crc32(wanted).toString(16).padStart(8, '0')}`;
  const text = await post(port, sent);
  const got = /"content": "([^"]*)"/.exec(text)?.[1] ?? text.slice(0, 300);
  return got === expected ? null : `the ${name} body changed on its way: expected ${expected}, upstream got ${got}`;
}

async function streamedAnswer(port: number, usage: 'usage-asked' | 'usage-not-asked'): Promise<string | null> {
  const asked = usage === 'usage-asked' ? { stream_options: { include_usage: true } } : {};
  const text = await post(port, chatBody(CLIENT_MODEL, SIZES.small, { stream: true, ...asked }));
  const order = [...text.matchAll(/@\d{16};(\d\d)/g)].map((match) => Number(match[1]));
  if (order.length !== 60 || order.some((value, index) => value !== index))
    return `stream (${usage}): events ${order.length}, or out of order: ${text.slice(0, 300)}`;
  if (!text.trimEnd().endsWith('data: [DONE]')) return `stream (${usage}): does not end with [DONE]`;
  if (text.includes('"total_tokens":346') !== (usage === 'usage-asked')) return `stream (${usage}): usage is wrong`;
  return null;
}

async function post(port: number, body: string): Promise<string> {
  try {
    const headers = REQUEST_HEADERS.map((line) => line.split(': ') as [string, string]); // each holds one ': '
    const answer = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: 'POST',
      headers,
      body,
      signal: AbortSignal.timeout(10_000),
    });
    return `${answer.status === 200 ? '' : answer.status}${await answer.text()}`;
  } catch (error) {
    return String(error);
  }
}
