import { expect, test } from 'bun:test';
import { modeOf, withoutBlanks } from './body-mode.ts';

test.each([
  ['data: x', 'events'],
  ['event: x', 'events'],
  ['id: 1', 'events'],
  ['retry: 1', 'events'],
  [': comment', 'events'],
  ['\n\n data:', 'events'],
  ['\ufeffdata: x', 'events'],
  ['', 'undecided'],
  ['\n ', 'undecided'],
  ['d', 'undecided'],
  ['even', 'undecided'],
  ['{"choices":[]}', 'whole'],
  ['<html>', 'whole'],
  ['dataset', 'whole'],
  ['\ufeff{', 'whole'],
] as const)('a body that begins with %j is read as %s', (text, mode) => {
  expect(modeOf(Buffer.from(text))).toBe(mode);
});

test('a byte order mark that is not whole decides nothing', () => {
  expect(modeOf(Buffer.from([0xef, 0xbb]))).toBe('undecided');
  expect(modeOf(Buffer.from([0xef, 0xbb, 0xbf]))).toBe('undecided');
});

test('blanks at the start are no part of an event', () => {
  expect(withoutBlanks(Buffer.from(' \r\n\tdata: x ')).toString()).toBe('data: x ');
  expect(withoutBlanks(Buffer.from(' ')).length).toBe(0);
});
