/**
 * A second reader of HTTP/1.1 requests, written from RFC 9112 alone and for being read: all bytes at hand, one regular
 * expression a rule. What it and the server understand differently is a way to smuggle a request past one of them.
 */

/** A request with the bytes of its body, its framing taken off. */
export interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly body: string;
  readonly minor: number;
}

/** `open`: more would be needed; `refused`: no request; `closed`: the last one lets no other follow. */
export interface Reading {
  readonly requests: readonly ReadRequest[];
  readonly ending: 'open' | 'refused' | 'closed';
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]";
const REQUEST_LINE = new RegExp(`^(${TOKEN}{1,32}) ([\\x21-\\x7e]+) HTTP/1\\.([01])$`);
const FIELD = new RegExp(`^(${TOKEN}+):[ \\t]*([\\t\\x20-\\x7e\\x80-\\xff]*?)[ \\t]*$`);
const CHUNK_LINE = /^([0-9a-fA-F]{1,12})(;[\t\x20-\x7e\x80-\xff]*)?$/;
const MAX_HEAD = 65_536;
const MAX_CHUNK_LINE = 256;

/** Reads the requests of one connection from everything that was sent, as latin-1. */
export function readRequests(sent: string): Reading {
  const requests: ReadRequest[] = [];
  let rest = sent;
  while (rest !== '') {
    const next = readRequest(rest.startsWith('\r\n') ? rest.slice(2) : rest);
    if (typeof next === 'string') return { requests, ending: next };
    requests.push(next.request);
    rest = next.rest;
    if (!next.isPersistent) return { requests, ending: 'closed' };
  }
  return { requests, ending: 'open' };
}

interface Next {
  readonly request: ReadRequest;
  readonly rest: string;
  readonly isPersistent: boolean;
}

type Stop = 'open' | 'refused';

function readRequest(text: string): Next | Stop {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return text.length > MAX_HEAD ? 'refused' : 'open';
  if (end + 4 > MAX_HEAD) return 'refused';
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const start = REQUEST_LINE.exec(first);
  const fields = fieldsOf(lines);
  if (start === null || fields === null) return 'refused';
  const [, method = '', target = '', version = ''] = start;
  const minor = Number(version);
  const hosts = valuesOf(fields, 'host').length;
  if (hosts > 1 || (hosts === 0 && minor === 1)) return 'refused';
  const body = readBody(fields, minor, text.slice(end + 4));
  if (typeof body === 'string') return body;
  const options = valuesOf(fields, 'connection').flatMap((value) => value.toLowerCase().split(/[ \t]*,[ \t]*/));
  const isPersistent = minor === 1 && !options.includes('close');
  return { request: { method, target, minor, body: body.body }, rest: body.rest, isPersistent };
}

type Field = readonly [name: string, value: string];

function fieldsOf(lines: readonly string[]): readonly Field[] | null {
  const fields = lines.map((line) => FIELD.exec(line));
  return fields.every((each) => each !== null)
    ? fields.map(([, name = '', value = '']): Field => [name.toLowerCase(), value])
    : null;
}

const valuesOf = (fields: readonly Field[], name: string): readonly string[] =>
  fields.filter((field) => field[0] === name).map(([, value]) => value);

interface Body {
  readonly body: string;
  readonly rest: string;
}

function readBody(fields: readonly Field[], minor: number, text: string): Body | Stop {
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  if (codings.length > 0) {
    const isChunked = codings.length === 1 && codings[0]?.toLowerCase() === 'chunked';
    return isChunked && minor === 1 && lengths.length === 0 ? readChunks(text) : 'refused';
  }
  if (lengths.length === 0) return { body: '', rest: text };
  if (lengths.length > 1 || !/^[0-9]{1,15}$/.test(lengths[0] ?? '')) return 'refused';
  const length = Number(lengths[0]);
  return text.length < length ? 'open' : { body: text.slice(0, length), rest: text.slice(length) };
}

function readChunks(text: string): Body | Stop {
  let body = '';
  let rest = text;
  for (;;) {
    const end = rest.indexOf('\n');
    if (end < 0) return rest.length > MAX_CHUNK_LINE ? 'refused' : 'open';
    const line = rest.slice(0, end - 1);
    const size = rest[end - 1] === '\r' && line.length < MAX_CHUNK_LINE ? CHUNK_LINE.exec(line) : null;
    if (size === null) return 'refused';
    const length = Number.parseInt(size[1] ?? '', 16);
    rest = rest.slice(end + 1);
    if (length === 0) return readTrailers(body, rest);
    if (rest.length >= length + 2 && rest.slice(length, length + 2) !== '\r\n') return 'refused';
    if (rest.length < length + 2) return rest.length > length && rest[length] !== '\r' ? 'refused' : 'open';
    body += rest.slice(0, length);
    rest = rest.slice(length + 2);
  }
}

function readTrailers(body: string, text: string): Body | Stop {
  if (text.startsWith('\r\n')) return { body, rest: text.slice(2) };
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return text.length > MAX_HEAD ? 'refused' : 'open';
  const isSound = end + 4 <= MAX_HEAD && fieldsOf(text.slice(0, end).split('\r\n')) !== null;
  return isSound ? { body, rest: text.slice(end + 4) } : 'refused';
}

/** An answer to one request, the connection ended behind it. */
export interface ReadResponse {
  readonly status: number;
  readonly body: string;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const MOST_INTERIMS = 16;

/** Reads an answer; `open` when it was cut short, `refused` when it is none. */
export function readResponse(sent: string): ReadResponse | Stop {
  let rest = sent;
  for (let interims = 0; interims <= MOST_INTERIMS; interims += 1) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return 'open';
    const [first = '', ...lines] = rest.slice(0, end).split('\r\n');
    const start = STATUS_LINE.exec(first);
    const fields = fieldsOf(lines);
    if (start === null || fields === null || start[2] === '101') return 'refused';
    rest = rest.slice(end + 4);
    const status = Number(start[2]);
    if (status < 200) continue;
    const body = responseBody(fields, { status, minor: Number(start[1]) }, rest);
    return typeof body === 'string' ? body : { status, body: body.body };
  }
  return 'refused';
}

function responseBody(fields: readonly Field[], head: { status: number; minor: number }, text: string): Body | Stop {
  const isFramed = ['content-length', 'transfer-encoding'].some((name) => valuesOf(fields, name).length > 0);
  const isBodiless = [204, 304].includes(head.status);
  const body = isFramed ? readBody(fields, head.minor, isBodiless ? '' : text) : { body: text, rest: '' };
  // A length beside 204 and 304 tells of what is not sent; one that is none is refused there, too.
  return isBodiless && body !== 'refused' ? { body: '', rest: text } : body;
}
