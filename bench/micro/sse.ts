/** What does it cost to cut a stream into events: one event a read, many events a read, events split between reads? */
import { type SseEvent, SseSplitter } from '../../src/wire/sse.ts';
import { compare, printMachine } from './compare.ts';

const EVENTS = 200;
const events = Array.from({ length: EVENTS }, (_, index) => Buffer.from(`data: ${chunk(` word${index}`)}\n\n`));
const whole = Buffer.concat(events);
const SHAPES = {
  'one event a read': events,
  'eight events a read': pieces((events[0]?.length ?? 0) * 8),
  'reads of 100 bytes, each event in three or four': pieces(100),
};
let seen = 0;

for (const [name, reads] of Object.entries(SHAPES)) {
  compare(`A stream of ${EVENTS} OpenAI events of ${events[0]?.length} bytes, ${name}; per event:`, [
    { name: 'SseSplitter', run: (times) => perEvent(times, () => split(reads, count)) },
    { name: 'SseSplitter, and JSON.parse of each payload', run: (times) => perEvent(times, () => split(reads, parse)) },
    { name: 'TextDecoder, split on blank lines, JSON.parse', run: (times) => perEvent(times, () => naive(reads)) },
  ]);
}
printMachine();

function count(event: SseEvent): void {
  if (event.dataStart >= 0) seen++;
}

function parse(event: SseEvent): void {
  if ((JSON.parse(event.data()) as { choices: unknown[] }).choices.length === 1) seen++;
}

function split(reads: readonly Buffer[], onEvent: (event: SseEvent) => void): number {
  seen = 0;
  const splitter = new SseSplitter();
  for (const read of reads) splitter.push(read, onEvent);
  if (seen !== EVENTS) throw new Error(`saw ${seen} events`);
  return seen;
}

function naive(reads: readonly Buffer[]): number {
  const decoder = new TextDecoder();
  let text = '';
  let parsed = 0;
  for (const read of reads) {
    text += decoder.decode(read, { stream: true });
    const parts = text.split('\n\n');
    text = parts.pop() ?? '';
    for (const part of parts) parsed += (JSON.parse(part.slice(6)) as { choices: unknown[] }).choices.length;
  }
  if (parsed !== EVENTS) throw new Error(`saw ${parsed} events`);
  return parsed;
}

/** Runs whole streams until `times` events have passed, so that the time is that of one event. */
function perEvent(times: number, stream: () => number): number {
  let sum = 0;
  while (sum < times) sum += stream();
  return sum;
}

function pieces(size: number): readonly Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < whole.length; at += size) found.push(whole.subarray(at, at + size));
  return found;
}

function chunk(content: string): string {
  return JSON.stringify({
    id: 'chatcmpl-BenchA1b2C3d4E5f6G7h8I9j0K',
    object: 'chat.completion.chunk',
    created: 1763856000,
    model: 'upstream-model',
    service_tier: 'default',
    system_fingerprint: 'fp_bench_answer',
    choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason: null }],
    obfuscation: 'kX3vQ9',
  });
}
