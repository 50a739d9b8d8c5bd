import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { HeaderPair } from '../core/http.ts';
import { isObject, type Json, stringMember } from '../core/json.ts';
import type { Answer, StreamEvent } from './answer.ts';

/** One recorded exchange, ready to be replayed. */
export interface Recording {
  /** Folder name below the corpus: `openai/chat-basic`. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly model: string | null;
  readonly stream: boolean;
  readonly answer: Answer;
}

/** Headers that belong to the recorded connection, not to the answer. */
const CONNECTION_HEADERS = [
  'content-length',
  'transfer-encoding',
  'connection',
  'content-encoding',
  'keep-alive',
  'date',
];

/**
 * Loads every case below a corpus folder: each has `request.json`, `response.json` and the body it names.
 *
 * Cases without a request, or in a format that is not HTTP text, are left out.
 * @throws when the folder or a file named in it cannot be read
 */
export function loadCorpus(folder: string): Recording[] {
  const found: Recording[] = [];
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!entry.endsWith('request.json')) continue;
    const recording = loadCase(join(folder, entry, '..'), entry.replace(/[\\/]?request\.json$/, ''));
    if (recording !== null) found.push(recording);
  }
  return found.sort((one, other) => (one.name < other.name ? -1 : 1));
}

function loadCase(folder: string, name: string): Recording | null {
  const request = readJson(join(folder, 'request.json'));
  const response = readJson(join(folder, 'response.json'));
  const file = stringMember(response, 'bodyFile');
  const format = stringMember(response, 'bodyFormat');
  if (file === null || format === 'aws-eventstream') return null;
  const requestBody = isObject(request.body) ? request.body : {};
  const status = typeof response.status === 'number' ? response.status : 200;
  const headers = headersOf(response.headers);
  const body = readFileSync(join(folder, file));
  const answer: Answer =
    format === 'sse'
      ? { kind: 'stream', status, headers, events: splitEvents(body), reads: networkReads(folder) }
      : { kind: 'whole', status, headers, body };
  return {
    name: name.replaceAll('\\', '/'),
    method: stringMember(request, 'method') ?? 'POST',
    path: stringMember(request, 'path') ?? '',
    model: stringMember(requestBody, 'model'),
    stream: requestBody.stream === true,
    answer,
  };
}

function readJson(file: string): { readonly [key: string]: Json | undefined } {
  const value: Json = JSON.parse(readFileSync(file, 'utf8')) as Json;
  return isObject(value) ? value : {};
}

function headersOf(value: Json | undefined): HeaderPair[] {
  return Object.entries(isObject(value) ? value : {})
    .filter(([name]) => !CONNECTION_HEADERS.includes(name.toLowerCase()))
    .map(([name, text]): HeaderPair => [name.toLowerCase(), String(text)]);
}

function networkReads(folder: string): number[] | null {
  const file = join(folder, 'network-reads.json');
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return null;
  return JSON.parse(readFileSync(file, 'utf8')) as number[];
}

/** Cuts a recorded stream after each blank line; what follows the last one stands alone. Joined again: the same bytes. */
export function splitEvents(body: Uint8Array): StreamEvent[] {
  const events: StreamEvent[] = [];
  const text = Buffer.from(body).toString('latin1');
  for (const match of text.matchAll(/[\s\S]+?(?:\r\n\r\n|\n\n|$)(?![\r\n])/g)) {
    const piece = match[0];
    const isEnd = /^data: ?\[DONE\]/m.test(piece) || /^event: ?message_stop/m.test(piece);
    events.push({ role: isEnd ? 'end' : 'data', bytes: Buffer.from(piece, 'latin1') });
  }
  return events;
}

/**
 * The recording to replay: same method and path and whether it streams, the same model if there is such a one.
 *
 * Where several fit, `turn` (how often this was asked) goes round them. Null when none fits.
 */
export function findRecording(
  corpus: readonly Recording[],
  wanted: { method: string; path: string; model: string; stream: boolean; turn: number },
): Recording | null {
  const fitting = corpus.filter(
    (one) => one.method === wanted.method && samePath(one.path, wanted.path) && one.stream === wanted.stream,
  );
  const sameModel = fitting.filter((one) => one.model === wanted.model);
  const pool = sameModel.length > 0 ? sameModel : fitting.filter((one) => one.answer.status === 200);
  return pool[wanted.turn % Math.max(1, pool.length)] ?? null;
}

function samePath(recorded: string, asked: string): boolean {
  return recorded.replace(/\/{2,}/g, '/') === asked.replace(/\/{2,}/g, '/');
}
