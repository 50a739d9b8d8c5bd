import type { z } from 'zod';
import { column, type Fields, handled, ignored, inMetadata, schemaOf } from '../fields/field.ts';
import { limitFields, metadataLimitFields, softBudgetField } from '../fields/limits.ts';
import { objectPermission } from '../fields/object-permission.ts';
import { amount, count, flag, id, ids, map, span, text, textMap, texts } from '../fields/values.ts';

/** What a team has, as clients say it (litellm.md §3.6). */
export const teamFields = {
  team_alias: column(text),
  organization_id: column(id),
  ...limitFields,
  ...softBudgetField,
  ...metadataLimitFields,
  metadata: handled(map),
  models: column(texts, []),
  blocked: column(flag, false),
  admins: column(ids, []),
  members: column(ids, []),
  model_aliases: column(textMap, {}),
  object_permission: handled(objectPermission),
  team_member_permissions: column(texts, []),
  router_settings: column(map, {}),
  access_group_ids: column(texts, []),
  policies: column(texts, []),
  allow_team_guardrail_config: column(flag, false),
  team_member_key_duration: inMetadata(span),
  team_member_budget: handled(amount),
  team_member_budget_duration: handled(span),
  team_member_rpm_limit: handled(count),
  team_member_tpm_limit: handled(count),
  secret_manager_settings: ignored('keys are kept in no other place'),
} as const satisfies Fields;

export const teamInput = schemaOf(teamFields);
export type TeamInput = z.output<typeof teamInput>;
