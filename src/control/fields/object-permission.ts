import type { z } from 'zod';
import type { Writers } from '../../store/resources/resources.ts';
import { column, columnsOf, type Fields, schemaOf } from './field.ts';
import { map, texts } from './values.ts';

/** Which tools, stores and agents may be used (litellm.md §3.4): a row of its own that others point at. */
const permissionFields = {
  mcp_servers: column(texts, []),
  mcp_access_groups: column(texts, []),
  mcp_tool_permissions: column(map, {}),
  vector_stores: column(texts, []),
  agents: column(texts, []),
  agent_access_groups: column(texts, []),
} as const satisfies Fields;

export const objectPermission = schemaOf(permissionFields);

/**
 * Writes what a request says of it.
 *
 * @param current the row that is pointed at now, or null
 * @returns the column to set; nothing when the request does not speak of it
 */
export async function objectPermissionColumn(
  writers: Writers,
  sent: z.output<typeof objectPermission> | null | undefined,
  current: string | null,
) {
  if (sent === undefined) return {};
  if (sent === null) return { object_permission_id: null };
  const columns = columnsOf(permissionFields, sent);
  if (current !== null && (await writers.objectPermissions.update(current, columns)) !== null) return {};
  const row = { object_permission_id: crypto.randomUUID(), ...columns };
  await writers.objectPermissions.create(row);
  return { object_permission_id: row.object_permission_id };
}
