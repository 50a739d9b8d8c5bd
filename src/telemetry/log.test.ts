import { expect, test } from 'bun:test';
import { Secret } from '../core/secret.ts';
import { createLogger, type LogLevel } from './log.ts';

/** A logger, and what it has written. */
function loggerAt(level: LogLevel) {
  let lines = '';
  const log = createLogger(
    level,
    (text) => {
      lines += text;
    },
    () => 0,
  );
  return {
    log,
    written() {
      log.flush();
      return lines;
    },
  };
}

function written(fields: Record<string, unknown>): string {
  const logger = loggerAt('debug');
  logger.log.error('failed with sk-canary-in-a-message', fields);
  return logger.written();
}

test('an error is written with its stack: an internal fault must be findable', () => {
  const line = JSON.parse(written({ error: new Error('odd') })) as { error: { message: string; stack: string } };
  expect(line.error.message).toBe('odd');
  expect(line.error.stack).toContain('log.test');
});

test('no credential gets out, wherever it stands', () => {
  const lines = written({
    error: new Error('refused: sk-canary-in-an-error'),
    nested: { list: ['Bearer canary-in-a-list'] },
    secret: new Secret('canary-as-a-secret'),
    url: 'http://x/?key=canary-in-a-url',
  });
  expect(lines).not.toContain('canary');
  expect(lines.trimEnd().split('\n')).toHaveLength(1);
});

test('a message below the level is not written', () => {
  const { log, written } = loggerAt('warn');
  log.info('quiet');
  log.warn('loud');
  const lines = written();
  expect(lines).not.toContain('quiet');
  expect(lines).toContain('loud');
});

test('a level that is set later counts from then on', () => {
  const { log, written } = loggerAt('warn');
  log.line('info', () => '"before":1}');
  log.setLevel('debug');
  log.debug('between');
  log.setLevel('error');
  log.warn('after');
  const lines = written();
  expect(lines).not.toContain('before');
  expect(lines).toContain('between');
  expect(lines).not.toContain('after');
});

test('lines of any size and any script arrive whole and in order', () => {
  const chunks: Buffer[] = [];
  const log = createLogger(
    'info',
    (bytes) => chunks.push(bytes),
    () => 0,
  );
  const texts = [10, 30_000, 30_000, 70_000, 10, 200_000, 5].map(
    (size, index) => `${index}${'ü漢😀'.repeat(size / 4)}`,
  );
  for (const text of texts) log.info(text);
  log.flush();
  const lines = Buffer.concat(chunks).toString().trimEnd().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual(texts);
});

test('a line of the hot path tells the same time as Date does', () => {
  let lines = '';
  let now = 0;
  const log = createLogger(
    'info',
    (bytes) => {
      lines += bytes;
    },
    () => now,
  );
  const times = [0, 1, 999, 1000, 1_795_300_000_042, 1_795_300_000_999, 1_795_300_001_000, 951_782_399_005];
  for (now of times) log.line('info', () => '"x":1}');
  log.flush();
  const told = lines
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { time: string }).time);
  expect(told).toEqual(times.map((time) => new Date(time).toISOString()));
});
