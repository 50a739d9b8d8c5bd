import { z } from 'zod';
import type { JsonObject } from '../../core/json.ts';
import { VERSION } from '../../core/version.ts';
import type { AdminRoute, Method } from '../http/admin-route.ts';
import { shapeOf } from '../http/input.ts';
import { LLM_PATHS } from './llm-paths.ts';

/** Who may call, in words. */
export const AUDIENCES = {
  public: 'Anybody.',
  role: 'The master key, admins, and other keys as far as the role of their user lets them: what is their own.',
  organization:
    'The master key, admins, and `org_admin`s of an organization, for what belongs to it; a proxy_admin_viewer may read.',
  admin: 'The master key and admins; a proxy_admin_viewer may read.',
} as const satisfies Record<AdminRoute['audience'], string>;

/**
 * The OpenAPI 3.1 document of the admin API, made from the table that serves it, and of the LLM paths in brief.
 *
 * @param server where clients reach the gateway, for the "try it" of tools
 * @see https://spec.openapis.org/oas/v3.1.1 (read 2026)
 */
export function openApiDocument(routes: readonly AdminRoute[], server: string): JsonObject {
  const operations = routes.flatMap((route) =>
    route.paths.flatMap((path) =>
      route.methods.map((method) => ({ path, method: method.toLowerCase(), is: operation(route, method, path) })),
    ),
  );
  const paths = [...Map.groupBy(operations, ({ path }) => path)].map(([path, of]) => [
    path,
    Object.fromEntries(of.map(({ method, is }) => [method, is])),
  ]);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tollgate',
      version: VERSION,
      description: 'An LLM gateway. The admin API has the paths and fields of the LiteLLM proxy.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: server === '' ? '/' : server }],
    security: [{ key: [] }],
    tags: [...new Set(routes.map(({ tag }) => tag)), 'models'].map((name) => ({ name })),
    paths: { ...Object.fromEntries(paths), ...LLM_PATHS },
    components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } }, schemas: { Error: ERROR } },
  };
}

const ERROR: JsonObject = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        param: { type: ['string', 'null'] },
        code: { type: 'string', description: 'The status.' },
      },
    },
    detail: {
      type: 'array',
      description: 'Of a 422: each wrong field.',
      items: { type: 'object', properties: { type: {}, loc: { type: 'array' }, msg: { type: 'string' }, input: {} } },
    },
  },
};

function operation(route: AdminRoute, method: Method, path: string): JsonObject {
  const { contentType = 'application/json' } = route;
  const inPath = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name = '']) => name);
  return {
    operationId: operationId(method, path),
    summary: route.summary,
    description: AUDIENCES[route.audience],
    tags: [route.tag],
    ...(route.audience === 'public' && { security: [] }),
    parameters: [
      ...inPath.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ...(method === 'GET' ? queryParameters(route, inPath) : []),
    ],
    ...(method !== 'GET' && hasFields(route.input) && { requestBody: requestBody(route) }),
    responses: {
      200: { description: 'Done.', content: { [contentType]: {} } },
      default: {
        description: 'What was wrong, and what to do.',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

const operationId = (method: Method, path: string): string =>
  `${method.toLowerCase()}${path.replace(/[^a-zA-Z0-9]+(.)?/g, (_, letter?: string) => (letter ?? '').toUpperCase())}`;

const hasFields = (schema: z.ZodType): boolean => Object.keys(shapeOf(schema) ?? {}).length > 0;

/** JSON Schema of what a client may send. */
function schemaOf(schema: z.ZodType): JsonObject {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonObject; // it is JSON
  return rest;
}

function requestBody(route: AdminRoute): JsonObject {
  const schema = schemaOf(route.input);
  const required = Array.isArray(schema.required) && schema.required.length > 0;
  return { required, content: { 'application/json': { schema: withIgnored(schema, route.ignored ?? {}) } } };
}

/** Fields without effect say why. */
function withIgnored(schema: JsonObject, ignored: Readonly<Record<string, string>>): JsonObject {
  const properties = (schema.properties ?? {}) as JsonObject; // an object's schema
  const notes = Object.entries(ignored).filter(([name]) => properties[name] !== undefined);
  const noted = notes.map(([name, why]) => [
    name,
    { description: `Accepted, without effect: ${why}.`, deprecated: true },
  ]);
  return { ...schema, properties: { ...properties, ...Object.fromEntries(noted) } };
}

function queryParameters(route: AdminRoute, inPath: readonly string[]): readonly JsonObject[] {
  const shape = shapeOf(route.input) ?? {};
  return Object.entries(shape)
    .filter(([name]) => !inPath.includes(name))
    .map(([name, schema]) => ({
      name,
      in: 'query',
      required: !schema.safeParse(undefined).success,
      schema: schemaOf(schema),
    }));
}
