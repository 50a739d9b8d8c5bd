import { arrayMember, isObject, type Json, type JsonObject, objectMember, stringMember } from '../../core/json.ts';
import { pick, type Random } from './seed.ts';

const NOUNS = ['Boston', 'simulated', 'harbour', 'Lisbon', 'lantern', 'Größe'] as const;
const MAX_DEPTH = 6;

/**
 * A value that fits a JSON Schema, for tool arguments and structured answers.
 *
 * Knows types, enum, const, properties, items, anyOf/oneOf/allOf (first branch) and local `$ref`; every property is
 * filled in. Beyond six levels the answer is null.
 */
export function sample(schema: Json | undefined, random: Random, root: Json | undefined = schema, depth = 0): Json {
  if (!isObject(schema) || depth > MAX_DEPTH) return null;
  const reference = stringMember(schema, '$ref');
  if (reference !== null) return sample(resolve(root, reference), random, root, depth + 1);
  if (schema.const !== undefined) return schema.const;
  const choices = arrayMember(schema, 'enum');
  if (choices.length > 0) return pick(random, choices);
  for (const key of ['anyOf', 'oneOf', 'allOf']) {
    const branch = arrayMember(schema, key)[0];
    if (branch !== undefined) return sample(branch, random, root, depth + 1);
  }
  return sampleType(schema, random, root, depth);
}

function sampleType(schema: JsonObject, random: Random, root: Json | undefined, depth: number): Json {
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case 'string':
      return pick(random, NOUNS);
    case 'integer':
      return 1 + Math.floor(random() * 99);
    case 'number':
      return Math.round(random() * 1000) / 10;
    case 'boolean':
      return random() < 0.5;
    case 'array':
      return [sample(schema.items, random, root, depth + 1)];
    case 'null':
      return null;
    default:
      return sampleObject(schema, random, root, depth);
  }
}

function sampleObject(schema: JsonObject, random: Random, root: Json | undefined, depth: number): JsonObject {
  const members = Object.entries(objectMember(schema, 'properties') ?? {});
  return Object.fromEntries(members.map(([name, member]) => [name, sample(member, random, root, depth + 1)]));
}

function resolve(root: Json | undefined, reference: string): Json | undefined {
  let at: Json | undefined = root;
  for (const step of reference.replace(/^#\/?/, '').split('/').filter(Boolean)) {
    at = isObject(at) ? at[step] : undefined;
  }
  return at;
}
