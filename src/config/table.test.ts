import { describe, expect, test } from 'bun:test';
import { z } from 'zod';
import { fileSchema, root } from './keys/root.ts';
import { loadText } from './load.fixture.ts';
import { type Row, rowAt, type Section } from './table.ts';

/** Every row of the table with the path at which it stands in a file. */
function* rows(
  section: Section,
  path: readonly (string | number)[] = [],
): Generator<{ path: (string | number)[]; row: Row }> {
  for (const [key, row] of Object.entries(section)) {
    const here = [...path, key];
    if (row.below === null) yield { path: here, row };
    else {
      const step = { map: [], items: [0], values: ['group'] }[row.below.kind];
      yield* rows(row.below.section, [...here, ...step]);
    }
  }
}

const ALL = [...rows(root)].map(({ path, row }) => [path.join('.'), path, row] as const);

/** Some value of a row's kind, made from its JSON Schema. */
function sample(schema: z.ZodType): unknown {
  return sampleOf(z.toJSONSchema(schema, { io: 'input', target: 'draft-7', unrepresentable: 'any' }) as JsonSchema);
}

/** The parts of JSON Schema that the table's schemas use. */
interface JsonSchema {
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, JsonSchema>>;
  readonly allOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly type?: string | readonly string[];
  readonly minimum?: number;
  readonly pattern?: string;
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema;
}

function sampleOf(schema: JsonSchema, definitions = schema.definitions ?? {}): unknown {
  if (schema.$ref !== undefined)
    return sampleOf(definitions[schema.$ref.replace('#/definitions/', '')] ?? {}, definitions);
  const [choice] = schema.allOf ?? schema.anyOf ?? [];
  if (choice !== undefined) return sampleOf(choice, definitions);
  if (schema.enum !== undefined) return schema.enum[0];
  switch (typeof schema.type === 'string' ? schema.type : schema.type?.[0]) {
    case 'number':
    case 'integer':
      return Math.max(1, Math.ceil(schema.minimum ?? 1));
    case 'boolean':
      return true;
    case 'array':
      return [sampleOf(schema.items ?? {}, definitions)];
    case 'object':
      return { name: sampleOf(schema.additionalProperties ?? {}, definitions) };
    default:
      // Of the patterns here only spans of time are not met by any text.
      return schema.pattern === undefined || new RegExp(schema.pattern).test('text') ? 'text' : '30d';
  }
}

/** A file with one value at a path, and what an entry of `model_list` needs. */
function fileWith(path: readonly (string | number)[], value: unknown): object {
  const nested = path.reduceRight<unknown>(
    (inner, part) => (typeof part === 'number' ? [inner] : { [part]: inner }),
    value,
  );
  // The path starts with a name, so the outermost value is an object.
  const file = nested as { model_list?: { model_name?: string; litellm_params?: object }[] };
  const entry = Array.isArray(file.model_list) ? file.model_list[0] : undefined;
  if (entry !== undefined) {
    entry.model_name ??= 'm';
    entry.litellm_params = { model: 'openai/m', ...entry.litellm_params };
  }
  return file;
}

describe('the table of keys', () => {
  test('knows the keys of litellm.md, and says of each what becomes of it', () => {
    expect(ALL.length).toBeGreaterThan(350);
    for (const [name, , row] of ALL) {
      expect(row.note, name).not.toBe('');
      expect(['honoured', 'approximated', 'ignored'], name).toContain(row.fate);
    }
  });

  test.each(ALL)('%s takes a value of its kind, with one row in the report', (name, path, row) => {
    if (name === 'include') return;
    const result = loadText(JSON.stringify(fileWith(path, sample(row.schema))));
    expect(result.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(result.findings.filter(({ message }) => /did you mean|no key that|belongs under/.test(message))).toEqual([]);
    const report = result.kind === 'loaded' ? result.report : [];
    const written = path.map(String).join('.');
    expect(report.filter((each) => each.path.replace(/\[(\d+)\]/g, '.$1') === written)).toHaveLength(1);
  });

  test.each(ALL)('%s says what it wants in words of ours', (_, path, row) => {
    for (const bad of [-7.5, 'no such word', ['x', 7, { a: 1 }], { a: { b: [1] }, c: 3 }, true, '', [], {}]) {
      const parsed = fileSchema.safeParse(fileWith(path, bad));
      for (const { message } of parsed.error?.issues ?? [])
        expect(message).not.toMatch(/^(Invalid|Too|Unrecognized|Expected)/);
    }
    expect(row.schema).toBeDefined();
  });

  test.each([
    [['router_settings', 'timeout'], 'timeout'],
    [['model_list', 3, 'litellm_params', 'order'], 'order'],
    [['router_settings', 'model_group_retry_policy', 'any', 'TimeoutErrorRetries'], 'TimeoutErrorRetries'],
  ] as const)('a path leads to its row', (path, key) => {
    expect(rowAt(root, path)).toBe(
      ALL.find(([, rowPath]) => rowPath.at(-1) === key && rowPath[0] === path[0])?.[2] ?? null,
    );
  });

  test('a path beyond the table leads nowhere', () => {
    expect(rowAt(root, ['router_settings', 'timeout', 'x'])).toBeNull();
    expect(rowAt(root, ['constructor'])).toBeNull();
  });
});
