import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCorpus } from '../../src/simulator/corpus.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';

/** A recording in the shape of the corpus, made up here. */
function ownCorpus(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-corpus-'));
  const at = join(folder, 'openai/chat-stream');
  mkdirSync(at, { recursive: true });
  const request = { method: 'POST', path: '/v1/chat/completions', body: { model: 'm', stream: true } };
  const response = {
    status: 200,
    headers: { 'content-type': 'text/event-stream' },
    bodyFormat: 'sse',
    bodyFile: 'response.sse',
  };
  writeFileSync(join(at, 'request.json'), JSON.stringify(request));
  writeFileSync(join(at, 'response.json'), JSON.stringify(response));
  writeFileSync(join(at, 'response.sse'), 'data: {"x":"ü",   "y": 12345678901234567890}\n\ndata: [DONE]\n\n');
  writeFileSync(join(at, 'network-reads.json'), '[13, 20, 31]');
  return folder;
}

const own = ownCorpus();
const folder = process.env.TOLLGATE_RECORDINGS || own;
const corpus = loadCorpus(folder);
let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({ corpus: folder });
});
afterAll(async () => {
  await simulator.stop();
  rmSync(own, { recursive: true });
});

describe('a corpus over the wire', () => {
  test.each(corpus.map((one) => [one.name, one] as const))('%s comes back byte for byte', async (name, recording) => {
    const answer = await fetch(simulator.url + recording.path, {
      method: 'POST',
      headers: { authorization: 'Bearer k', 'x-api-key': 'k', 'api-key': 'k' },
      body: JSON.stringify({ model: name, stream: recording.stream }),
    });
    const { answer: recorded } = recording;
    const bytes =
      recorded.kind === 'whole' ? recorded.body : Buffer.concat(recorded.events.map((event) => event.bytes));
    expect(answer.status).toBe(recorded.status);
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
    const type = recorded.headers.find(([key]) => key === 'content-type')?.[1];
    if (type !== undefined) expect(answer.headers.get('content-type')).toBe(type);
  });

  test('a request that a recording fits is answered with it, and without a credential refused', async () => {
    const small = await startSimulator({ corpus: own });
    const ask = (headers: Record<string, string>) =>
      fetch(`${small.url}/v1/chat/completions`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ model: 'm', stream: true }),
      });
    expect(await (await ask({ authorization: 'Bearer k' })).text()).toContain('12345678901234567890');
    expect((await ask({})).status).toBe(401);
    await small.stop();
  });
});
