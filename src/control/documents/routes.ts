import { z } from 'zod';
import { type AdminRoute, adminRoute } from '../http/admin-route.ts';
import { openApiDocument } from './openapi.ts';
import { documentsPage } from './page.ts';

/** Documents of the routes that are given, and of themselves. */
export function documentRoutes(routes: readonly AdminRoute[]): readonly AdminRoute[] {
  const documented: readonly AdminRoute[] = [
    adminRoute({
      methods: ['GET'],
      paths: ['/openapi.json'],
      summary: 'The OpenAPI 3.1 document of this gateway.',
      tag: 'documents',
      audience: 'public',
      input: z.object({}),
      handle: (_, { ports }) => openApiDocument([...routes, ...documented], ports.settings().rootPath),
    }),
    adminRoute({
      methods: ['GET'],
      paths: ['/docs'],
      summary: 'The same for people.',
      tag: 'documents',
      audience: 'public',
      contentType: 'text/html; charset=utf-8',
      input: z.object({}),
      handle: (_, { ports }) => documentsPage([...routes, ...documented], ports.settings().rootPath),
    }),
  ];
  return documented;
}
