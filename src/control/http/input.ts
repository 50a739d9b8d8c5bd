import { z } from 'zod';
import { gatewayError } from '../../core/errors.ts';
import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import type { BodyFault, ServerRequest } from '../../transport/server.ts';
import type { AdminRoute } from './admin-route.ts';
import { invalidFields } from './invalid.ts';
import { Refused, refused } from './refused.ts';

/** What a client sent, checked, and the fields that nobody reads. */
export interface ReadInput {
  readonly input: unknown;
  readonly unread: readonly string[];
}

/**
 * Reads body or query, and the values inside the path, by the route's schema.
 *
 * Fields that LiteLLM does not know are ignored there; here as well, but named in the answer's head.
 *
 * @throws Refused
 */
export async function readInput(
  request: ServerRequest,
  route: AdminRoute,
  pathValues: Readonly<Record<string, string>>,
): Promise<ReadInput> {
  const isQuery = request.method === 'GET' || request.method === 'HEAD';
  const sent = isQuery ? queryFields(request.query, route.input) : await bodyFields(request);
  const fields = { ...sent, ...decoded(pathValues) };
  const parsed = route.input.safeParse(fields);
  if (!parsed.success) throw invalidFields(parsed.error, isQuery ? 'query' : 'body', fields);
  const known = shapeOf(route.input);
  const unread = Object.keys(sent).filter((name) => known !== null && known[name] === undefined);
  const ignored = Object.keys(route.ignored ?? {}).filter((name) => sent[name] !== undefined);
  return { input: parsed.data, unread: [...new Set([...unread, ...ignored])] };
}

/** The fields of an object's schema; null for another kind of schema. */
export function shapeOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> | null {
  return schema instanceof z.ZodObject ? (schema.shape as Readonly<Record<string, z.ZodType>>) : null;
}

/** A field given once is text, more than once a list, and always a list where the schema has one. */
function queryFields(query: string, schema: z.ZodType): JsonObject {
  const fields = new URLSearchParams(query);
  const shape = shapeOf(schema) ?? {};
  const entries = [...new Set(fields.keys())].map((name) => {
    const values = fields.getAll(name);
    return [name, isList(shape[name]) || values.length > 1 ? values : values[0]];
  });
  return Object.fromEntries(entries) as JsonObject; // texts and lists of texts
}

function isList(schema: z.ZodType | undefined): boolean {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault)
    return isList(schema.unwrap() as z.ZodType); // wrappers know their content by a narrower type
  return schema instanceof z.ZodArray;
}

/** A body must be a JSON object; none at all is an empty one, as in LiteLLM's `-X POST` without data. */
async function bodyFields(request: ServerRequest): Promise<JsonObject> {
  const body = await request.readBody();
  if (!(body instanceof Uint8Array)) throw new Refused(faultError(body));
  if (body.length === 0) return {};
  const value = parseJson(body);
  if (isObject(value)) return value;
  throw refused(
    'malformed-body',
    'The request body is not a JSON object. Send one with content-type application/json.',
  );
}

function parseJson(body: Uint8Array): Json {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as Json; // what the parser gives
  } catch {
    // The parser's own words repeat the text, which may hold a credential.
    throw refused('malformed-body', 'The request body is not JSON in UTF-8. Send a JSON object.');
  }
}

function faultError(fault: BodyFault) {
  const kind = { 'too-large': 'body-too-large', timeout: 'body-timeout', 'unknown-encoding': 'unsupported-encoding' };
  const named = kind[fault.kind as keyof typeof kind] as 'body-too-large' | undefined; // other faults have no row
  return gatewayError(named ?? 'malformed-body', `The request body could not be read. ${fault.message}`);
}

function decoded(values: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, decodedText(value)]));
}

function decodedText(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw refused('bad-fields', 'The path holds a percent sign that begins no character: write it as %25.');
  }
}
