import { z } from 'zod';
import { column, type Fields, handled, ignored, schemaOf } from '../fields/field.ts';
import { limitFields, metadataLimitFields } from '../fields/limits.ts';
import { objectPermission } from '../fields/object-permission.ts';
import { amount, id, map, text, texts } from '../fields/values.ts';

/** LiteLLM's roles that mean something here, and what each may do. */
export const ROLES = {
  proxy_admin: {
    description: 'admin over the gateway, has all permissions',
    ui_label: 'Admin (All Permissions)',
  },
  proxy_admin_viewer: {
    description: 'looks at all keys, users, teams and spend, and changes nothing',
    ui_label: 'Admin (View Only)',
  },
  internal_user: {
    description: 'uses models, and makes, looks at and deletes keys of his own',
    ui_label: 'Internal User (Create/Delete/View)',
  },
  internal_user_viewer: {
    description: 'looks at his own keys and spend',
    ui_label: 'Internal Viewer (View Only)',
  },
} as const;

/** What a user has, as clients say it (litellm.md §3.5). */
export const userFields = {
  user_alias: column(text),
  user_email: column(id),
  user_role: column(z.enum(Object.keys(ROLES) as [keyof typeof ROLES, ...(keyof typeof ROLES)[]])), // there are four
  sso_user_id: column(id),
  organization_id: column(id),
  ...limitFields,
  ...metadataLimitFields,
  metadata: handled(map),
  models: column(texts, []),
  allowed_cache_controls: column(texts, []),
  policies: column(texts, []),
  spend: handled(amount),
  object_permission: handled(objectPermission),
  password: ignored('nobody signs in with a password'),
  send_invite_email: ignored('no mail is sent'),
} as const satisfies Fields;

export const userInput = schemaOf(userFields);
export type UserInput = z.output<typeof userInput>;
