import { z } from 'zod';
import type { JsonObject } from '../core/json.ts';
import { LONGEST_LIST } from './budgets.ts';
import { id, map } from './fields/values.ts';
import { type AdminContext, adminRoute } from './http/admin-route.ts';
import { found, refused } from './http/refused.ts';
import { boxOf } from './models.ts';
import { type CredentialRow, openParams, openValues, sealValues } from './stored/rows.ts';

/** Named credentials that deployments take over by `litellm_credential_name` (litellm.md §3.3). */

const TAG = 'credentials';
const unknown = (name: string): string => `Credential ${name} not found. GET /credentials lists the credentials.`;

export const credentialRoutes = [
  adminRoute({
    methods: ['POST'],
    paths: ['/credentials'],
    summary: 'Keep a credential under a name, encrypted.',
    tag: TAG,
    audience: 'admin',
    input: z.object({
      credential_name: id,
      credential_values: map.nullish(),
      credential_info: map.nullish(),
      model_id: id.nullish(),
    }),
    async handle(input, context) {
      const box = boxOf(context);
      const credentialId = crypto.randomUUID();
      const values = input.credential_values ?? (await valuesOfModel(input.model_id ?? null, context));
      const row = {
        credential_id: credentialId,
        credential_name: input.credential_name,
        credential_values: sealValues(box, credentialId, values),
        credential_info: (input.credential_info ?? {}) as JsonObject, // its schema is JSON
      };
      await context.store.change(context.actor, ({ credentials }) => credentials.create(row));
      return { success: true, message: 'Credential created successfully' };
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/credentials'],
    summary: 'List the credentials, their values masked.',
    tag: TAG,
    audience: 'admin',
    input: z.object({}),
    async handle(_, context) {
      const { rows } = await context.store.read.credentials.list({ sort: 'credential_name', limit: LONGEST_LIST });
      return { success: true, credentials: rows.map((row) => shownCredential(row, context)) };
    },
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/credentials/by_name/{credential_name}'],
    summary: 'Show one credential, its values masked.',
    tag: TAG,
    audience: 'admin',
    input: z.object({ credential_name: id }),
    handle: async ({ credential_name }, context) => shownCredential(await named(credential_name, context), context),
  }),
  adminRoute({
    methods: ['GET'],
    paths: ['/credentials/by_model/{model_id}'],
    summary: 'Show the credential of a deployment of the database, its values masked.',
    tag: TAG,
    audience: 'admin',
    input: z.object({ model_id: id }),
    async handle({ model_id }, context) {
      const values = await valuesOfModel(model_id, context);
      return {
        credential_name: `${model_id}-credential-${values.litellm_credential_name ?? ''}`.replace(/-$/, ''),
        credential_values: context.ports.models.masked(values),
        credential_info: {},
      };
    },
  }),
  adminRoute({
    methods: ['PATCH'],
    paths: ['/credentials/{credential_name}'],
    summary: 'Change a credential; values that are not sent stay, null takes away.',
    tag: TAG,
    audience: 'admin',
    input: z.object({ credential_name: id, credential_values: map.nullish(), credential_info: map.nullish() }),
    async handle(input, context) {
      const box = boxOf(context);
      const row = await named(input.credential_name, context);
      await context.store.change(context.actor, async ({ credentials }) => {
        const before = found(await credentials.get(row.credential_id), unknown(input.credential_name));
        const opened = openValues(box, before);
        if (opened.kind !== 'opened') throw refused('bad-fields', `${UNREADABLE} (${opened.reason})`);
        const values = withoutNulls({ ...opened.value, ...input.credential_values });
        return credentials.update(row.credential_id, {
          credential_values: sealValues(box, row.credential_id, values),
          credential_info: withoutNulls({ ...before.credential_info, ...input.credential_info }),
        });
      });
      return { success: true, message: 'Credential updated successfully' };
    },
  }),
  adminRoute({
    methods: ['DELETE'],
    paths: ['/credentials/{credential_name}'],
    summary: 'Delete a credential; deployments that name it are out of use from then on.',
    tag: TAG,
    audience: 'admin',
    input: z.object({ credential_name: id }),
    async handle({ credential_name }, context) {
      boxOf(context);
      const row = await named(credential_name, context);
      await context.store.change(context.actor, ({ credentials }) => credentials.delete(row.credential_id));
      return { success: true, message: 'Credential deleted successfully' };
    },
  }),
];

const UNREADABLE = 'This credential cannot be decrypted, so it cannot be changed: delete it and add it anew.';

async function named(name: string, { store }: AdminContext): Promise<CredentialRow> {
  return found(await store.read.credentials.find({ credential_name: name }), unknown(name), 'credential_name');
}

/** A credential as answers show it: names of values, secrets masked; why it cannot be read, when it cannot. */
function shownCredential(row: CredentialRow, context: AdminContext) {
  const { box, masked } = context.ports.models;
  const opened = box === null ? null : openValues(box, row);
  return {
    credential_name: row.credential_name,
    credential_values: opened?.kind === 'opened' ? masked(opened.value) : {},
    credential_info: row.credential_info,
    ...(opened?.kind === 'unreadable' && { error: opened.reason }),
  };
}

/** What a deployment of the database is reached with, for a credential that is made of it. @throws Refused */
async function valuesOfModel(modelId: string | null, context: AdminContext): Promise<JsonObject> {
  if (modelId === null) throw refused('bad-fields', 'Send credential_values, or a model_id to take them from.');
  const words = `Model with id=${modelId} not found in the database.`;
  const row = found(await context.store.read.models.get(modelId), words, 'model_id');
  const opened = openParams(boxOf(context), row);
  if (opened.kind !== 'opened') throw refused('bad-fields', `${UNREADABLE} (${opened.reason})`);
  const { model: _, ...values } = opened.value;
  return values;
}

const withoutNulls = (value: Readonly<Record<string, unknown>>): JsonObject =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null)) as JsonObject; // JSON in, JSON out
