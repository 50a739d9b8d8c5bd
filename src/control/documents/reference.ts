import { z } from 'zod';
import { isObject, type Json, type JsonObject } from '../../core/json.ts';
import type { AdminRoute } from '../http/admin-route.ts';
import { AUDIENCES } from './openapi.ts';

const INTRODUCTION = `# Admin API

<!-- Generated from the routes in src/control by src/control/documents/reference.ts. Do not edit: UPDATE_REFERENCE=1 npm test -- src/control/documents/reference.test.ts -->

Paths and fields are LiteLLM's, but for \`/tenant/*\` and \`key_id\`, which are ours. A running gateway has the same as OpenAPI 3.1 at
\`/openapi.json\` and as a page at \`/docs\`. [Virtual keys](../guides/virtual-keys.md) shows how to use it.

- Requests carry \`Authorization: Bearer\` with the master key, or with a key whose user's role allows the path. GET takes its fields from
  the query, everything else from a JSON body. Amounts are US dollars, spans are written \`30s\`, \`15m\`, \`6h\`, \`30d\`, \`2w\`, \`1mo\`.
- In a change, a field that is not sent stays as it is, and null empties it. In the making of something null is the same as not sent.
- Errors have [LiteLLM's envelope](errors.md#of-the-admin-api). Fields that nobody reads are named in \`x-tollgate-ignored-fields\`.
- Wherever a key is meant, the key itself, its hash or its \`key_id\` will do.
- A change is in the database, with its line in the audit log, when the answer is out; it is in force then on the instance that answered, and
  on all others within a second. The header \`litellm-changed-by\` of an admin is the name that the audit log has.

Who may call:

| | |
|---|---|
${Object.entries(AUDIENCES)
  .map(([name, words]) => `| ${name} | ${words} |`)
  .join('\n')}
`;

/**
 * The reference page of the admin API, in Markdown, from the table of routes that serves it. Pure.
 *
 * @returns the committed file's exact text (`docs/reference/admin-api.md`)
 */
export function adminReference(routes: readonly AdminRoute[]): string {
  const tags = [...new Set(routes.map(({ tag }) => tag))];
  const chapters = tags.map((tag) => {
    const rows = routes.filter((route) => route.tag === tag).map(row);
    return `## ${tag}\n\n| path | who | | fields |\n|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  return [INTRODUCTION, ...chapters].join('\n');
}

function row({ methods, paths, audience, summary, input, ignored = {} }: AdminRoute): string {
  const places = paths.map((path) => `\`${methods.join('`, `')} ${path}\``).join('<br>');
  return `| ${places} | ${audience} | ${cell(summary)} | ${fieldsOf(input, ignored)} |`;
}

/** Required fields first, in bold; then the others; those without effect last. */
function fieldsOf(input: z.ZodType, ignored: Readonly<Record<string, string>>): string {
  const schema = z.toJSONSchema(input, { io: 'input', unrepresentable: 'any' }) as JsonObject; // it is JSON
  const names = Object.keys(isObject(schema.properties) ? schema.properties : {});
  const required = new Set<Json>(Array.isArray(schema.required) ? schema.required : []);
  const without = names.filter((name) => ignored[name] !== undefined);
  const shown = [
    ...names.filter((name) => required.has(name)).map((name) => `**\`${name}\`**`),
    ...names.filter((name) => !required.has(name) && !without.includes(name)).map((name) => `\`${name}\``),
    ...(without.length > 0 ? [`without effect: ${without.map((name) => `\`${name}\``).join(' ')}`] : []),
  ];
  return shown.join(' ');
}

const cell = (text: string): string => text.replaceAll('|', '\\|');
