import type { HeaderPair } from '../core/http.ts';

/** How the end of an answer's body is told. */
export type AnswerFraming =
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunks' }
  /** The body ends with the connection, or there is none by definition (204, 304). */
  | { readonly kind: 'none' };

/** The beginnings of lines, `name: `: names come again and again, so they are checked and joined once. */
const starts = new Map<string, string>();
const MOST_STARTS = 1000;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Reasons are for people who read along; a status without one is as good (RFC 9112 §4). */
const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  304: 'Not Modified',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
};
const STATUS_LINES = Array.from({ length: 600 }, (_, status) => `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n`);

/**
 * The head of an answer as latin-1 text.
 *
 * @param date the `date` line's value
 * @throws for a status that is none, and for a header that would be another header or no header: whoever made it is in
 *   error, and the client must not be
 */
export function writeAnswerHead(
  status: number,
  headers: readonly HeaderPair[],
  framing: AnswerFraming,
  { date, isLast }: { readonly date: string; readonly isLast: boolean },
): string {
  const line = status >= 200 ? STATUS_LINES[status] : undefined;
  if (line === undefined) throw new Error(`no answer has the status ${status}`);
  let head = line;
  for (const header of headers) {
    const start = starts.get(header[0]) ?? startOf(header[0]);
    const value = header[1];
    if (!VALUE.test(value)) throw new Error(`an answer cannot have this value in the header ${header[0]}`);
    head += `${start}${value}\r\n`;
  }
  if (framing.kind === 'length') head += `content-length: ${framing.length}\r\n`;
  else if (framing.kind === 'chunks') head += 'transfer-encoding: chunked\r\n';
  if (isLast) head += 'connection: close\r\n';
  return `${head}date: ${date}\r\n\r\n`;
}

function startOf(name: string): string {
  if (!NAME.test(name)) throw new Error(`an answer cannot have the header ${JSON.stringify(name)}`);
  if (starts.size >= MOST_STARTS) starts.clear();
  const start = `${name}: `;
  starts.set(name, start);
  return start;
}
