/** A strict reader of what a server has sent back on one connection. */

export interface ReadAnswer {
  readonly status: number;
  readonly body: string;
  /** Whether the head said that no other answer follows. */
  readonly isLast: boolean;
}

/** The whole answers, and whether what follows them is the beginning of another; a string says what is malformed. */
export interface Answers {
  readonly answers: readonly ReadAnswer[];
  readonly rest: string;
}

const STATUS_LINE = /^HTTP\/1\.1 ([1-5][0-9]{2}) [\x20-\x7e]*$/;
const FIELD = /^([!#$%&'*+\-.^_`|~0-9a-z]+): ([\t\x20-\x7e\x80-\xff]*)$/;

/**
 * Reads answers, interim ones left out.
 *
 * @param methods of the requests, in order: an answer to HEAD has no body
 * @throws Error for anything that is no sound answer
 */
export function readAnswers(received: string, methods: readonly string[]): Answers {
  const answers: ReadAnswer[] = [];
  let rest = received;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return { answers, rest };
    const [first = '', ...lines] = rest.slice(0, end).split('\r\n');
    const status = Number(STATUS_LINE.exec(first)?.[1] ?? complain('a status line', first));
    const fields = new Map(lines.map((line) => fieldOf(line)));
    if (fields.size !== lines.length) complain('headers that are there once', lines.join('|'));
    const after = rest.slice(end + 4);
    if (status < 200) {
      rest = after;
      continue;
    }
    const isBare = methods[answers.length] === 'HEAD' || status === 204 || status === 304;
    const body = isBare ? { body: '', rest: after } : bodyOf(fields, after);
    if (body === null) return { answers, rest };
    answers.push({ status, body: body.body, isLast: fields.get('connection') === 'close' });
    rest = body.rest;
  }
}

function fieldOf(line: string): readonly [string, string] {
  const [, name = '', value = ''] = FIELD.exec(line) ?? complain('a header', line);
  return [name, value];
}

function bodyOf(fields: ReadonlyMap<string, string>, text: string): { body: string; rest: string } | null {
  if (fields.get('transfer-encoding') === 'chunked') return chunksOf(text);
  // Without either the connection's end is the end: only an HTTP/1.0 client gets such an answer.
  const length = Number(fields.get('content-length') ?? text.length);
  return text.length < length ? null : { body: text.slice(0, length), rest: text.slice(length) };
}

function chunksOf(text: string): { body: string; rest: string } | null {
  let body = '';
  let rest = text;
  for (;;) {
    const size = /^([0-9a-f]+)\r\n/.exec(rest);
    if (size === null) return rest.length < 10 ? null : complain('a chunk size', rest);
    const length = Number.parseInt(size[1] ?? '', 16);
    const start = size[0].length;
    if (rest.length < start + length + 2) return null;
    if (rest.slice(start + length, start + length + 2) !== '\r\n') complain('the end of a chunk', rest);
    body += rest.slice(start, start + length);
    rest = rest.slice(start + length + 2);
    if (length === 0) return { body, rest };
  }
}

function complain(wanted: string, found: string): never {
  throw new Error(`the server sent what is not ${wanted}: ${JSON.stringify(found.slice(0, 200))}`);
}
