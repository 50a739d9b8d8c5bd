import { expect, test } from 'bun:test';
import { epochMillis, millis } from '../core/units.ts';
import { publicRecord, type RecordedRequest, RequestLog } from './request-log.ts';

const record: Omit<RecordedRequest, 'id'> = {
  connection: 1,
  method: 'POST',
  path: '/v1/chat/completions',
  query: '',
  headers: [['authorization', 'Bearer sk-secret-1234']],
  body: Buffer.from('{}'),
  json: {},
  dialect: 'openai',
  model: 'm',
  credential: 'sk-secret-1234',
  at: millis(0),
  wall: epochMillis(0),
  rule: null,
  status: 200,
  bytesSent: 0,
  isStalled: false,
  ending: 'pending',
  endedAt: null,
};

test('the log keeps the newest records up to its limit, numbered on', () => {
  const log = new RequestLog(2);
  for (let index = 0; index < 5; index++) log.open(record);
  expect(log.records.map(({ id }) => id)).toEqual([4, 5]);
});

test('the log drops old records whose bodies grow too large together, never the newest', () => {
  const log = new RequestLog(100);
  const body = Buffer.allocUnsafe(100 * 1024 * 1024);
  for (let index = 0; index < 4; index++) log.open({ ...record, body });
  expect(log.records.map(({ id }) => id)).toEqual([3, 4]);
  log.open({ ...record, body: Buffer.allocUnsafe(300 * 1024 * 1024) });
  expect(log.records.map(({ id }) => id)).toEqual([5]);
});

test('who waits is told as soon as the test holds, and at once when it holds already', async () => {
  const log = new RequestLog(10);
  const open = log.open(record);
  await log.until((records) => records.length === 1);
  const ended = log.until((records) => records[0]?.ending === 'reset');
  open.ending = 'reset';
  log.changed();
  await ended;
});

test('a public record shows no credential', () => {
  const log = new RequestLog(1);
  const shown = JSON.stringify(publicRecord(log.open(record)));
  expect(shown).toContain('…1234');
  expect(shown).not.toContain('secret');
});
