import { expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { jsonSchema, schemaText } from './schema-json.ts';

const FILE = new URL('../../config/tollgate-config.schema.json', import.meta.url);

test('the committed schema is the one that the table makes (UPDATE_SCHEMA=1 writes it)', () => {
  if (process.env.UPDATE_SCHEMA === '1') writeFileSync(FILE, schemaText());
  expect(JSON.parse(readFileSync(FILE, 'utf8'))).toEqual(jsonSchema());
});

test('it explains keys, asks for the required ones, and refers to nothing that is not there', () => {
  const text = schemaText();
  const schema = JSON.parse(text) as {
    definitions: Record<string, unknown>;
    properties: { model_list: { items: { required: string[] } } };
  };
  expect(schema.properties.model_list.items.required).toEqual(['model_name', 'litellm_params']);
  const used = [...text.matchAll(/"#\/definitions\/([^"]+)"/g)].map(([, name]) => name ?? '');
  expect(used.length).toBeGreaterThan(50);
  for (const name of used) expect(Object.keys(schema.definitions)).toContain(name);
});
