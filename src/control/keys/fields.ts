import { z } from 'zod';
import { column, type Fields, handled, ignored, inMetadata, schemaOf } from '../fields/field.ts';
import { limitFields, metadataLimitFields } from '../fields/limits.ts';
import { objectPermission } from '../fields/object-permission.ts';
import { amount, flag, id, map, moment, span, text, textMap, texts } from '../fields/values.ts';

/** `-1` is LiteLLM's word for a key that never expires. */
const lifetime = z.union([span, z.literal('-1')]);

/** What a key has, as clients say it (litellm.md §3.4). */
export const keyFields = {
  key_alias: column(id),
  duration: handled(lifetime),
  models: column(texts, []),
  aliases: column(textMap, {}),
  config: column(map, {}),
  spend: handled(amount),
  user_id: column(id),
  team_id: column(id),
  organization_id: column(id),
  budget_id: column(id),
  ...limitFields,
  soft_budget: handled(amount),
  ...metadataLimitFields,
  metadata: handled(map),
  permissions: column(map, {}),
  allowed_cache_controls: column(texts, []),
  allowed_routes: column(texts, []),
  policies: column(texts, []),
  blocked: column(flag, false),
  object_permission: handled(objectPermission),
  key_type: handled(z.enum(['default', 'llm_api', 'management', 'read_only'])),
  auto_rotate: column(flag, false),
  rotation_interval: column(span),
  router_settings: column(map, {}),
  access_group_ids: column(texts, []),
  allowed_vector_store_indexes: ignored('vector stores are not served'),
  send_invite_email: ignored('no mail is sent'),
} as const satisfies Fields;

export const keyUpdateFields = {
  ...keyFields,
  temp_budget_increase: inMetadata(amount),
  temp_budget_expiry: inMetadata(moment),
} as const satisfies Fields;

export const keyInput = schemaOf(keyFields);
export const generateInput = keyInput.extend({ key: text.nullish() });
export const keyChanges = schemaOf(keyUpdateFields);

export type KeyInput = z.output<typeof generateInput>;
export type KeyChanges = z.output<typeof keyChanges>;

/** What `key_type` stands for. */
export const ROUTES_OF_TYPE = {
  default: [],
  llm_api: ['llm_api_routes'],
  management: ['management_routes'],
  read_only: ['info_routes'],
} as const;
