/** Sound requests, and pieces of what attackers put between them. */

const GET = 'GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-A:  1 \t\r\n\r\n';
const POST = 'POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello';
const CHUNKED = 'PUT /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n';

export const REQUESTS: readonly string[] = [
  GET,
  POST,
  `${CHUNKED}5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nx-t: 1\r\n\r\n`,
  `${CHUNKED}00a\r\n0123456789\r\n0\r\n\r\n`,
  `\r\n${GET}`,
  'HEAD http://other/a?b HTTP/1.1\r\nhost: x\r\n\r\n',
  'GET /old HTTP/1.0\r\n\r\n',
  'GET /last HTTP/1.1\r\nhost: x\r\nconnection: keep-alive, Close\r\n\r\n',
  `POST /smuggle HTTP/1.1\r\nhost: x\r\ncontent-length: ${GET.length}\r\n\r\n${GET}`,
  'POST /none HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n',
];

export const TOKENS: readonly string[] = [
  ...['\r\n', '\n', '\r', '\r\n\r\n', '\n\n', ' ', '\t', ':', ';', ',', '\0', '\x0b', '\x7f', '\x80', '\xa0', '\xff'],
  ...['content-length: 5\r\n', 'Content-Length: 0\r\n', 'content-length : 5\r\n', 'content-length: +5\r\n'],
  ...['content-length: 5, 5\r\n', 'content-length: 99999999999999999999\r\n', 'content-length:\r\n'],
  ...['transfer-encoding: chunked\r\n', 'Transfer-Encoding: Chunked\r\n', 'transfer-encoding: gzip, chunked\r\n'],
  ...['transfer-encoding: identity\r\n', 'transfer-encoding:\x0bchunked\r\n', 'transfer-encoding:\r\n chunked\r\n'],
  ...[
    'connection: close\r\n',
    'connection: upgrade\r\n',
    'connection:\xa0close\r\n',
    'host: y\r\n',
    'expect: 100-continue\r\n',
    ' folded\r\n',
  ],
  ...['0\r\n\r\n', '5\r\n', 'fffffffffffffffff\r\n', '0x5\r\n', '5 \r\n', '5;\r\n', '-1\r\n', 'HTTP/1.1', 'HTTP/1.0'],
  ...['HTTP/2.0', 'GET / HTTP/1.1\r\nhost: x\r\n\r\n', 'x'.repeat(300), '\u00e9'],
];
