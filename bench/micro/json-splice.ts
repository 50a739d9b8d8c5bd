/** What does it cost to read `model` and `stream` of a request and replace the model, against parsing and writing the whole? */
import { scanObject } from '../../src/wire/json-splice.ts';
import { CLIENT_MODEL, chatBody, SIZES, UPSTREAM_MODEL } from '../e2e/bodies.ts';
import { compare, printMachine } from './compare.ts';

const EDIT = [{ kind: 'set', key: 'model', raw: JSON.stringify(UPSTREAM_MODEL) }] as const;

for (const [name, size] of Object.entries(SIZES)) {
  const bytes = Buffer.from(chatBody(CLIENT_MODEL, size));
  compare(`A chat request of ${name === 'small' ? '1.3k' : name}:`, [
    { name: 'scan, read two members, splice the model', run: (times) => repeat(times, () => splice(bytes)) },
    { name: 'scan only', run: (times) => repeat(times, () => scan(bytes)) },
    { name: 'JSON.parse, replace, JSON.stringify, bytes', run: (times) => repeat(times, () => rebuild(bytes)) },
    { name: 'copy of the bytes (the floor)', run: (times) => repeat(times, () => Buffer.from(bytes).length) },
  ]);
}
printMachine();

function scan(bytes: Buffer): number {
  return scanObject(bytes).kind.length;
}

function splice(bytes: Buffer): number {
  const body = scanObject(bytes);
  if (body.kind === 'fault') throw new Error(body.message);
  if (body.value('model') !== CLIENT_MODEL || body.has('stream')) throw new Error('read wrongly');
  return body.splice(EDIT).length;
}

function rebuild(bytes: Buffer): number {
  const body = JSON.parse(bytes.toString()) as Record<string, unknown>; // our own text
  return Buffer.from(JSON.stringify({ ...body, model: UPSTREAM_MODEL })).length;
}

function repeat(times: number, operation: () => number): number {
  let sum = 0;
  for (let i = 0; i < times; i++) sum += operation();
  return sum;
}
