import { redact, Secret } from '../core/secret.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };
/** Lines wait this long for company, so that a busy gateway writes seldom. */
const FLUSH_AFTER_MS = 100;
const BATCH_BYTES = 64 * 1024;
/** Most bytes of UTF-8 that one unit of a string can take. */
const MOST_BYTES_PER_UNIT = 3;

export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** A line of the hot path: JSON text that begins after level and time, made only when the level is logged. */
  line(level: LogLevel, rest: () => string): void;
  /** From now on lines below this level are left out. */
  setLevel(level: LogLevel): void;
  /** Writes what is waiting; called before the process ends. */
  flush(): void;
}

/**
 * JSON lines with level, time and message, written in batches.
 *
 * Every text field passes `redact`, so that a credential in a provider's words does not reach the log.
 *
 * A line becomes bytes at once: the many pieces that it was put together from need not live until the batch is written.
 *
 * @param write takes whole lines; the bytes are its own
 * @param wall epoch milliseconds
 */
export function createLogger(level: LogLevel, write: (lines: Buffer) => void, wall: () => number): Logger {
  let lowest = RANK[level];
  const time = isoTime();
  const batch = Buffer.allocUnsafeSlow(BATCH_BYTES);
  let used = 0;
  let timer: ReturnType<typeof setTimeout> | null = null;
  const flush = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (used > 0) write(Buffer.from(batch.subarray(0, used)));
    used = 0;
  };
  const log = (at: LogLevel, message: string, fields: Record<string, unknown> = {}) => {
    if (RANK[at] >= lowest) append(at, line(at, message, fields, wall()));
  };
  const append = (at: LogLevel, text: string) => {
    const most = text.length * MOST_BYTES_PER_UNIT;
    if (most > BATCH_BYTES - used) flush();
    if (most > BATCH_BYTES) write(Buffer.from(text));
    else used += batch.write(text, used);
    if (at === 'error') flush();
    else if (used > 0) timer ??= setTimeout(flush, FLUSH_AFTER_MS);
  };
  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
    line: (at, rest) => {
      if (RANK[at] >= lowest) append(at, `{"time":"${time(wall())}","level":"${at}",${rest()}\n`);
    },
    setLevel: (next) => {
      lowest = RANK[next];
    },
    flush,
  };
}

/** `Date.toISOString`, with the part down to the second made once a second. */
function isoTime(): (wall: number) => string {
  let second = Number.NaN;
  let prefix = '';
  return (wall) => {
    const of = Math.floor(wall / 1000);
    if (of !== second) {
      second = of;
      prefix = new Date(of * 1000).toISOString().slice(0, -4);
    }
    return `${prefix}${String(Math.floor(wall) - of * 1000).padStart(3, '0')}Z`;
  };
}

function line(level: LogLevel, message: string, fields: Record<string, unknown>, wall: number): string {
  return `${JSON.stringify({ time: new Date(wall).toISOString(), level, message: redact(message), ...fields }, clean)}\n`;
}

function clean(_key: string, value: unknown): unknown {
  if (typeof value === 'string') return redact(value);
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Secret) return value.toString();
  if (value instanceof Error) {
    return { name: value.name, message: redact(value.message), stack: redact(value.stack ?? '') };
  }
  return value;
}
