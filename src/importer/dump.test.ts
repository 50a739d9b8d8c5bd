import { expect, test } from 'bun:test';
import { dumpSource } from './dump.ts';
import { SourceRefused, type SourceRow } from './source.ts';

const sourceOf = (text: string) =>
  dumpSource('dump.sql', async function* () {
    yield* text.split('\n');
  });

const KEYS = 'LiteLLM_VerificationToken';

test('COPY: escapes, NULL, empty text, tabs and line ends inside of values', async () => {
  const rows = await sourceOf(
    `COPY public."${KEYS}" (token, "key_alias", metadata, expires) FROM stdin;\na\tone\\ttwo\\nthree\\\\\t{"a": "\\\\n"}\t\\N\nb\t\t{}\t2026-01-01 00:00:00\n\\.\n`,
  ).rows();
  expect(rows.get(KEYS)).toEqual([
    { token: 'a', key_alias: 'one\ttwo\nthree\\', metadata: '{"a": "\\n"}', expires: null },
    { token: 'b', key_alias: '', metadata: '{}', expires: '2026-01-01 00:00:00' },
  ]);
});

test('INSERT: with and without names of columns, several rows, quotes, brackets and line ends inside of texts', async () => {
  const rows = await sourceOf(
    [
      `CREATE TABLE public."${KEYS}" (`,
      '    token text NOT NULL,',
      '    key_alias text,',
      '    spend double precision DEFAULT 0.0 NOT NULL,',
      '    blocked boolean',
      ');',
      `INSERT INTO public."${KEYS}" VALUES ('a', 'it''s (one), two;', 1e-07, NULL);`,
      `INSERT INTO public."${KEYS}" (token, "key_alias") VALUES ('b', 'first line`,
      `INSERT INTO x VALUES (1);`,
      `last line'), ('c', '');`,
    ].join('\n'),
  ).rows();
  expect(rows.get(KEYS)).toEqual([
    { token: 'a', key_alias: "it's (one), two;", spend: '1e-07', blocked: null },
    { token: 'b', key_alias: 'first line\nINSERT INTO x VALUES (1);\nlast line' },
    { token: 'c', key_alias: '' },
  ]);
});

test('tables of others are not read, those of LiteLLM without a home are counted, spend logs come in batches', async () => {
  const logs = Array.from({ length: 1_201 }, (_, index) => `r${index}`);
  const source = sourceOf(
    `COPY public.users (id) FROM stdin;\n1\n\\.\nCOPY public."LiteLLM_Config" (param_name) FROM stdin;\nx\n\\.\nCOPY public."LiteLLM_SpendLogs" (request_id) FROM stdin;\n${logs.join('\n')}\n\\.\n`,
  );
  expect([...(await source.others())]).toEqual([['LiteLLM_Config', 1]]);
  const batches: (readonly SourceRow[])[] = [];
  for await (const batch of source.spendLogs()) batches.push(batch);
  expect(batches.map((batch) => batch.length)).toEqual([500, 500, 201]);
  expect(batches.flat().map(({ request_id }) => request_id ?? '')).toEqual(logs);
});

test('a file that is no such dump is refused', () => {
  expect(sourceOf('PGDMP binary').rows()).rejects.toThrow(SourceRefused);
});
