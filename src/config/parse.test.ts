import { describe, expect, test } from 'bun:test';
import { Findings } from './findings.ts';
import { parseYaml } from './parse.ts';
import { locate, member, type Path, plain, scalars } from './tree.ts';

function parse(text: string) {
  const findings = new Findings(false);
  const tree = parseYaml(text, 'f.yaml', findings);
  return { tree, findings: findings.all };
}

function parsed(text: string) {
  const { tree, findings } = parse(text);
  if (tree === null) throw new Error(JSON.stringify(findings));
  return tree;
}

describe('values', () => {
  test.each([
    ['yes', true],
    ['off', false],
    ['~', null],
    ['2024-10-21', '2024-10-21'],
    ['2024-02-15-preview', '2024-02-15-preview'],
    ['12345678901234567890', '12345678901234567890'],
    ['0x10', 16],
    ['1.50', 1.5],
    ['"1.50"', '1.50'],
    ['!!binary aGk=', 'aGk='],
  ])('%s is read as LiteLLM reads it', (text, value) => {
    const tree = member(parsed(`a: ${text}\n`), 'a');
    expect(tree?.kind === 'scalar' ? tree.value : undefined).toBe(value);
  });

  test('merge keys merge, own members first', () => {
    const tree = parsed('base: &b {x: 1, y: 2}\nother: &o {y: 7, z: 8}\na: {<<: [*b, *o], x: 3}\n');
    expect(plain(locate(tree, ['a']))).toEqual({ x: 3, y: 2, z: 8 });
  });

  test('the last of two equal keys counts, with a warning that names both lines', () => {
    const { tree, findings } = parse('a: 1\nb: 2\na: 3\n');
    expect(tree === null ? null : plain(tree)).toEqual({ a: 3, b: 2 });
    expect(findings).toMatchObject([{ severity: 'warning', line: 3, column: 1, path: 'a' }]);
    expect(findings[0]?.message).toContain('line 1');
  });

  test('__proto__ is a key like any other', () => {
    const tree = parsed('{"__proto__": {"polluted": true}}\n');
    expect([...scalars(tree)].map(({ path }) => path as Path)).toEqual([['__proto__', 'polluted']]);
    plain(tree);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('places', () => {
  const text = 'a:\n  - b: 1\n    "c d": [x, {e: two}]\n\r\nf: |\n  long\n  text\ng: "ü" # comment\n';

  test.each([
    [['a'], 2, 3],
    [['a', 0], 2, 5],
    [['a', 0, 'b'], 2, 8],
    [['a', 0, 'c d'], 3, 12],
    [['a', 0, 'c d', 0], 3, 13],
    [['a', 0, 'c d', 1, 'e'], 3, 20],
    [['f'], 5, 4],
    [['g'], 8, 4],
  ] as const)('%j stands in line %d, column %d', (path, line, column) => {
    const { at } = locate(parsed(text), path);
    expect([at.line, at.column]).toEqual([line, column]);
  });
});

describe('bad YAML', () => {
  test.each([
    ['an unclosed bracket', 'a: [1, 2\nb: 3\n', 2],
    ['a tab', 'a:\n\tb: 1\n', 2],
    ['bad indentation', 'a:\n    b: 1\n  c: 2\n', 3],
    ['an unknown alias', 'a: *nope\n', 1],
    ['two documents', 'a: 1\n---\nb: 2\n', 2],
  ])('%s is an error in its line', (_, text, line) => {
    const { tree, findings } = parse(text);
    expect(tree).toBeNull();
    expect(findings[0]).toMatchObject({ severity: 'error', file: 'f.yaml', line });
  });

  test('a file that is no map says what is expected', () => {
    expect(parse('- a\n').findings[0]).toMatchObject({ found: 'a list', expected: 'a map with model_list' });
    expect(parse('').findings[0]).toMatchObject({ message: 'The file is empty.' });
  });

  test('a very long file is refused', () => {
    expect(parse(`a: "${'x'.repeat(8_000_001)}"`).findings[0]?.message).toContain('longer than');
  });
});
