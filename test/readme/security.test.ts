import { describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { read, root, tableRows } from './documents.ts';

const page = read('SECURITY.md');
const threats = tableRows(page.split('## Threats')[1]?.split('\n## ')[0] ?? '').filter(([name]) => name !== 'threat');

/** The names that a test file gives to its tests, groups and rows; those with a part that is filled in as they are written. */
function namesIn(path: string): ReadonlySet<string> {
  const source = read(path);
  const strings = source.matchAll(/(?:test|describe|\))(?:\.each)?\(\s*(?:'((?:[^'\\]|\\.)*)'|`([^`]*)`)/g);
  return new Set([...strings].map(([, plain, template]) => (plain ?? template ?? '').replaceAll("\\'", "'")));
}

describe('the threat model', () => {
  test('has a mitigation and a proof for every threat', () => {
    expect(threats.length).toBeGreaterThan(20);
    for (const row of threats)
      expect([row[0], row.length, row.every((cell) => cell !== '')]).toEqual([row[0], 3, true]);
  });

  test.each(threats.map(([threat = '', , proof = '']) => [threat, proof]))(
    'the proof is a test that exists: %s',
    (_threat, proof) => {
      const [, path = '', name = ''] = /^`([^`]+)`: “(.+)”$/.exec(proof) ?? [];
      expect([proof, existsSync(join(root, path))]).toEqual([proof, true]);
      expect([...namesIn(path)]).toContain(name);
    },
  );
});
