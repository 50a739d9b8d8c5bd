import { describe, expect, test } from 'bun:test';
import zlib from 'node:zlib';
import { decodeBody } from './body.ts';

const LIMIT = 1 << 20;
const PLAIN = Buffer.from(JSON.stringify({ messages: ['hello'.repeat(50)] }));

/** The default quality takes seconds for the bombs. */
const FAST = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 2 } };
const CHECKSUM = { params: { [zlib.constants.ZSTD_c_checksumFlag]: 1 } };
const ENCODERS: readonly (readonly [title: string, name: string, encode: (bytes: Buffer) => Buffer])[] = [
  ['gzip', 'gzip', (bytes) => zlib.gzipSync(bytes)],
  ['x-gzip', 'x-gzip', (bytes) => zlib.gzipSync(bytes)],
  ['GZIP', 'GZIP', (bytes) => zlib.gzipSync(bytes)],
  ['deflate', 'deflate', (bytes) => zlib.deflateSync(bytes)],
  ['br', 'br', (bytes) => zlib.brotliCompressSync(bytes, FAST)],
  ['zstd', 'zstd', (bytes) => zlib.zstdCompressSync(bytes)],
  ['zstd with a checksum', 'zstd', (bytes) => zlib.zstdCompressSync(bytes, CHECKSUM)],
];

/** The text, or the kind of the fault. */
async function decoded(bytes: Buffer, codings: string | null): Promise<string> {
  const result = await decodeBody(bytes, codings, LIMIT);
  return result instanceof Uint8Array ? Buffer.from(result).toString() : result.kind;
}

describe.each(ENCODERS)('%s', (_title, name, encode) => {
  test('is undone', async () => {
    expect(await decoded(encode(PLAIN), name)).toBe(PLAIN.toString());
  });

  test('is undone above the size that goes to a thread', async () => {
    const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(60_000)));
    const body = Buffer.concat([noise, noise.toReversed()]);
    expect((await decodeBody(encode(body), name, LIMIT)) as Uint8Array).toEqual(new Uint8Array(body));
  });

  test.each([
    ['small', 2 << 20],
    ['large', 40 << 20],
  ])('a %s bomb is given up at the limit', async (_size, length) => {
    const bomb = encode(Buffer.alloc(length));
    const before = process.memoryUsage.rss();
    expect(await decoded(bomb, name)).toBe('too-large');
    expect(process.memoryUsage.rss() - before).toBeLessThan(30 << 20);
  });

  test('of exactly the limit is taken', async () => {
    expect(await decoded(encode(Buffer.alloc(LIMIT, 'a')), name)).toHaveLength(LIMIT);
  });

  test('cut short anywhere is bad', async () => {
    const whole = encode(PLAIN);
    for (let length = 0; length < whole.length; length += 1) {
      expect([length, await decoded(whole.subarray(0, length), name)]).toEqual([length, 'bad-encoding']);
    }
  });

  test('that is something else is bad', async () => {
    expect(await decoded(PLAIN, name)).toBe('bad-encoding');
  });
});

test.each([
  ['none', null, PLAIN],
  ['identity', 'identity', PLAIN],
  ['an empty list', ' , ', PLAIN],
  ['deflate without its wrapper', 'deflate', zlib.deflateRawSync(PLAIN)],
  ['two, the last named undone first', 'br, gzip', zlib.gzipSync(zlib.brotliCompressSync(PLAIN))],
  [
    'two zstd frames, one of them to be skipped',
    'zstd',
    Buffer.concat([Buffer.from('502a4d1802000000aabb', 'hex'), zlib.zstdCompressSync(PLAIN)]),
  ],
])('%s', async (_name, codings, bytes) => {
  expect(await decoded(bytes, codings)).toBe(PLAIN.toString());
});

test.each([
  ['compress', 'unknown-encoding'],
  ['gzip, rot13', 'unknown-encoding'],
  ['constructor', 'unknown-encoding'],
  ['gzip, gzip, gzip, gzip, gzip', 'unknown-encoding'],
])('"%s" is refused before any work', async (codings, kind) => {
  expect(await decoded(PLAIN, codings)).toBe(kind);
});
