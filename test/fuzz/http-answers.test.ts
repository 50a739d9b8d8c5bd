import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { ResponseParser } from '../../src/transport/response-parser.ts';
import { cutAt, damaged, fuzzed, fuzzTimeout, Tally } from '../support/fuzz.ts';
import { type ReadResponse, readResponse } from './reference-http.ts';
import { TOKENS } from './request-samples.ts';

const CHUNKED = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
const RESPONSES = [
  'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello',
  `${CHUNKED}5\r\nhello\r\n6;a="b"\r\n world\r\n0\r\nx-trailer: 1\r\n\r\n`,
  `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 H\r\nlink: a\r\n\r\n${CHUNKED}0\r\n\r\n`,
  'HTTP/1.0 429 Too Many\r\nretry-after: 3\r\n\r\nuntil the end',
  'HTTP/1.1 204 No Content\r\n\r\n',
];

/** What the parser hands over of a connection's bytes and its end. */
function parsed(packets: readonly Buffer[]): ReadResponse | 'open' | 'refused' {
  let status = 0;
  let body = '';
  const parser = new ResponseParser(65_536, {
    onHead: (head) => {
      status = head;
    },
    onData: (bytes) => {
      body += bytes.toString('latin1');
    },
  });
  parser.begin('body');
  let fault = null;
  for (const packet of packets) fault ??= parser.push(packet);
  fault ??= parser.finish();
  if (fault !== null) return fault.kind === 'closed' ? 'open' : 'refused';
  return { status, body };
}

test(
  'an answer of an upstream is whole for the parser only if it is whole for a strict second reader, with the same body',
  () => {
    const tally = new Tally('upstream answers');
    const sent = fc.tuple(damaged(RESPONSES, TOKENS), fc.array(fc.nat(), { maxLength: 6 }));
    fc.assert(
      fc.property(sent, ([text, cuts]) => {
        tally.count();
        const expected = readResponse(text);
        const found = parsed(cutAt(Buffer.from(text, 'latin1'), cuts));
        // What was cut short may have been refused before: neither is an answer.
        if (expected === 'open') expect(['open', 'refused']).toContain(found as string);
        else expect(found).toEqual(expected);
      }),
      fuzzed(4000),
    );
    tally.print();
  },
  fuzzTimeout(),
);
