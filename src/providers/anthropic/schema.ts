import { isObject, type Json, type JsonObject } from '../../core/json.ts';

/** Keywords of JSON Schema that Anthropic's decoder honours as they are (specs/anthropic.md §9). */
const KEPT: ReadonlySet<string> = new Set(['type', 'enum', 'const', '$ref', 'required', 'title', 'default']);
/** Annotations that bind nothing and are left out. */
const WITHOUT_MEANING: ReadonlySet<string> = new Set([
  '$schema',
  '$id',
  '$comment',
  'examples',
  'additionalProperties',
]);
const FORMATS: ReadonlySet<string> = new Set([
  'date-time',
  'time',
  'date',
  'duration',
  'email',
  'hostname',
  'uri',
  'ipv4',
  'ipv6',
  'uuid',
]);

/**
 * A schema that Anthropic's structured output accepts, and that says as much as the given one.
 *
 * What it cannot enforce (lengths, ranges, patterns) moves into the description, where the model still reads it.
 * Every object is closed, as the API demands.
 *
 * @see Anthropic's "Structured outputs", JSON Schema limitations, read November 2026; recording messages-json-schema
 */
export function sanitisedSchema(schema: JsonObject): JsonObject {
  const result: Record<string, Json> = {};
  const notes: string[] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    if (value === undefined) continue;
    const kept = keptKeyword(keyword, value);
    if (kept !== null) Object.assign(result, kept);
    else if (keyword !== 'description' && !WITHOUT_MEANING.has(keyword))
      notes.push(`${keyword}: ${JSON.stringify(value)}`);
  }
  if (describesObject(schema)) result.additionalProperties = false;
  const description = describe(schema.description, notes);
  return description === null ? result : { ...result, description };
}

/** The member that stands for the keyword in the result; null when there is none. */
function keptKeyword(keyword: string, value: Json): JsonObject | null {
  if (KEPT.has(keyword)) return { [keyword]: value };
  switch (keyword) {
    case 'properties':
    case '$defs':
    case 'definitions':
      return isObject(value) ? { [keyword]: eachSchema(value) } : null;
    case 'anyOf':
    case 'allOf':
      return Array.isArray(value) ? { [keyword]: value.map(subschema) } : null;
    case 'oneOf':
      return Array.isArray(value) ? { anyOf: value.map(subschema) } : null;
    case 'items':
      return isObject(value) ? { items: sanitisedSchema(value) } : null;
    case 'format':
      return typeof value === 'string' && FORMATS.has(value) ? { format: value } : null;
    case 'minItems':
      return value === 0 || value === 1 ? { minItems: value } : null;
    default:
      return null;
  }
}

function eachSchema(schemas: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, subschema(schema ?? {})]));
}

function subschema(schema: Json): Json {
  return isObject(schema) ? sanitisedSchema(schema) : schema;
}

function describesObject(schema: JsonObject): boolean {
  const { type } = schema;
  return type === 'object' || (Array.isArray(type) && type.includes('object')) || isObject(schema.properties);
}

function describe(description: Json | undefined, notes: readonly string[]): string | null {
  const text = typeof description === 'string' ? description : null;
  if (notes.length === 0) return text;
  const note = `{${notes.join(', ')}}`;
  return text === null ? note : `${text}\n\n${note}`;
}
