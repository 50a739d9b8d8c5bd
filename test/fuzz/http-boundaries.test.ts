import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { RequestParser } from '../../src/transport/request-parser.ts';
import type { ServerRequest } from '../../src/transport/server.ts';
import { cutAt, damaged, fuzzed, fuzzTimeout, Tally } from '../support/fuzz.ts';
import { httpBench, text } from '../support/http-bench.ts';
import type { RawClient } from '../support/raw-client.ts';
import { readAnswers } from '../support/read-answers.ts';
import { type ReadRequest, readRequests } from './reference-http.ts';
import { REQUESTS, TOKENS } from './request-samples.ts';

const { connect, serveThat, reports } = httpBench();

const sent = fc.tuple(damaged(REQUESTS, TOKENS), fc.array(fc.nat(), { maxLength: 6 }));
const latin1 = (bytes: string): Buffer => Buffer.from(bytes, 'latin1');

/** What the parser of the server takes for requests, and whether it refused what followed. */
function parsed(packets: readonly Buffer[]): { requests: ReadRequest[]; isRefused: boolean } {
  const requests: ReadRequest[] = [];
  let head: Omit<ReadRequest, 'body'> | null = null;
  let body = '';
  const parser = new RequestParser(65_536, {
    onHead({ method, target, minor }) {
      head = { method, target, minor };
    },
    onData(bytes) {
      body += bytes.toString('latin1');
    },
  });
  parser.begin();
  for (const packet of packets) {
    for (let at = 0; at < packet.length; ) {
      const end = parser.push(packet.subarray(at));
      if (typeof end !== 'number') return { requests, isRefused: true };
      at += end;
      if (!parser.isDone || head === null) continue;
      requests.push({ ...(head as Omit<ReadRequest, 'body'>), body });
      head = null;
      body = '';
      if (!parser.canReuse) return { requests, isRefused: false };
      parser.begin();
    }
  }
  return { requests, isRefused: false };
}

test(
  'the request parser sees the requests that a strict second reader sees, and refuses what that refuses',
  () => {
    const tally = new Tally('request boundaries, parser');
    fc.assert(
      fc.property(sent, ([bytes, cuts]) => {
        tally.count();
        const expected = readRequests(bytes);
        const found = parsed(cutAt(latin1(bytes), cuts));
        expect(found.requests).toEqual([...expected.requests]);
        // What is not whole may be refused early, or be waited for.
        if (expected.ending !== 'open') expect(found.isRefused).toBe(expected.ending === 'refused');
      }),
      fuzzed(4000),
    );
    tally.print();
  },
  fuzzTimeout(),
);

/** What the handler must have been told of a request, its path taken from an absolute URL as well. */
function asHandled({ method, target, body }: ReadRequest): string {
  const own = target.replace(/^https?:\/\/[^/?]*/i, '');
  const [path = '', ...query] = own.split('?');
  return JSON.stringify([method, path === '' ? '/' : path, query.join('?'), body]);
}

/** Resolves when the client has so many answers, or the connection has ended. */
async function untilAnswered(client: RawClient, methods: readonly string[]): Promise<void> {
  const hasEnded = Promise.withResolvers<void>();
  const look = () => {
    if (readAnswers(client.received(), methods).answers.length >= methods.length) hasEnded.resolve();
  };
  client.socket.on('data', look);
  void client.closed.then(() => hasEnded.resolve());
  look();
  await hasEnded.promise;
  client.socket.off('data', look);
}

test(
  'over sockets: every request is handed on once and answered once, in order, and what is refused ends the connection',
  async () => {
    let seen: string[] = [];
    const server = serveThat(async (request: ServerRequest) => {
      const body = await request.readBody();
      if (!(body instanceof Uint8Array)) return text(`fault ${body.kind}`, 400);
      const handled = JSON.stringify([request.method, request.path, request.query, latin1OfBytes(body)]);
      seen.push(handled);
      return text(`${seen.length}`);
    });
    const tally = new Tally('request boundaries, sockets');
    await fc.assert(
      fc.asyncProperty(sent, async ([bytes, cuts]) => {
        tally.count();
        seen = [];
        const expected = readRequests(bytes);
        const methods = expected.requests.map(({ method }) => method);
        const client = connect(server);
        for (const packet of cutAt(latin1(bytes), cuts)) {
          client.send(packet);
          await new Promise((resolve) => setImmediate(resolve));
        }
        if (expected.ending === 'open') await untilAnswered(client, methods);
        else await client.closed;
        client.socket.destroy();
        expect(seen).toEqual(expected.requests.map(asHandled));
        const { answers, rest } = readAnswers(client.received(), methods);
        expect(rest).toBe('');
        expect(answers.slice(0, methods.length).map(({ status }) => status)).toEqual(methods.map(() => 200));
        const more = answers.slice(methods.length);
        expect(more.length).toBeLessThan(expected.ending === 'closed' ? 1 : 2);
        for (const { status } of more) expect([400, 431, 505]).toContain(status);
      }),
      fuzzed(400),
    );
    tally.print();
    expect(reports).toEqual([]);
  },
  fuzzTimeout(),
);

const latin1OfBytes = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
