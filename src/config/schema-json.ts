import { z } from 'zod';
import { fileSchema } from './keys/root.ts';

/**
 * JSON Schema of the configuration file for editors, from the table of keys that the gateway itself checks with.
 *
 * Unknown keys are allowed, as LiteLLM allows them; editors still complete and explain the known ones. A copy is committed
 * as `config/tollgate-config.schema.json`.
 */
export function jsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(fileSchema, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      // Neither says anything: unknown members are allowed anyway, and names are always text.
      if (isEmptyObject(jsonSchema.additionalProperties)) delete jsonSchema.additionalProperties;
      if (jsonSchema.propertyNames !== undefined && isPlainText(jsonSchema.propertyNames))
        delete jsonSchema.propertyNames;
    },
  });
  const { $schema, ...rest } = schema;
  return { $schema, title: 'Configuration of Tollgate (LiteLLM’s format)', ...rest };
}

/** The committed file's exact text. */
export const schemaText = (): string => `${JSON.stringify(jsonSchema(), null, 2)}\n`;

const isEmptyObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

const isPlainText = (value: unknown): boolean => JSON.stringify(value) === '{"type":"string"}';
