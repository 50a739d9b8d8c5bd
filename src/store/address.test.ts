import { expect, test } from 'bun:test';
import { parsePostgresUrl } from './address.ts';

test.each([
  [
    'as Prisma writes it',
    'postgresql://u:p%40ss@h:6432/ai_agents?schema=llm&connection_limit=7&pool_timeout=3&sslmode=require',
    {
      url: 'postgresql://u:p%40ss@h:6432/ai_agents?sslmode=require',
      schema: 'llm',
      place: 'h:6432/ai_agents',
      maxConnections: 7,
    },
  ],
  [
    'with nothing but a place',
    'postgres://h/db',
    { url: 'postgres://h/db', schema: 'public', place: 'h:5432/db', maxConnections: null },
  ],
  [
    'of an IPv6 host, with a limit that is none',
    'postgres://u@[::1]/d%20b?connection_limit=none',
    { url: 'postgres://u@[::1]/d%20b', schema: 'public', place: '[::1]:5432/d b', maxConnections: null },
  ],
])('an address %s is taken apart', (_, text, expected) => {
  expect(parsePostgresUrl(text)).toEqual(expected);
});
