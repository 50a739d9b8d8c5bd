import type { JsonObject } from '../core/json.ts';
import { looksEncrypted, openLitellm } from '../secrets/litellm.ts';
import { sealJson } from '../secrets/sealed-json.ts';
import type { SecretBox } from '../secrets/secret-box.ts';
import type { credentialTable, modelTable } from '../store/schema/identity.ts';
import type { NewRowOf } from '../store/schema/table.ts';
import type { Columns } from './columns.ts';
import { BadValue } from './text-form.ts';

/** What opens LiteLLM's secrets, and what seals ours. */
export interface Secrets {
  /** LiteLLM's salt key and master key, as far as they are known. */
  readonly litellmKeys: readonly string[];
  /** Null when no key is set: then nothing can be kept. */
  readonly box: SecretBox | null;
}

/** A row whose secrets are sealed anew, and what a person should know of it. */
export interface Resealed<Row> {
  readonly row: Row;
  readonly notes: readonly string[];
}

/** A deployment: LiteLLM encrypts every text of `litellm_params`, the model's name too. */
export function modelRow(row: Columns, secrets: Secrets): Resealed<NewRowOf<typeof modelTable>> {
  const modelId = row.name('model_id');
  const opened = openValues(row.object('litellm_params'), secrets.litellmKeys);
  return {
    row: {
      model_id: modelId,
      model_name: row.name('model_name'),
      litellm_params: sealed(opened.values, secrets, `litellm_modeltable/${modelId}`),
      model_info: row.object('model_info'),
      blocked: row.flag('blocked'),
      ...audited(row),
    },
    notes: opened.plain.map((name) => `litellm_params.${name} could not be decrypted and was taken as it is`),
  };
}

/** A named credential: every value is encrypted. */
export function credentialRow(row: Columns, secrets: Secrets): Resealed<NewRowOf<typeof credentialTable>> {
  const credentialId = row.name('credential_id');
  const opened = openValues(row.object('credential_values'), secrets.litellmKeys);
  return {
    row: {
      credential_id: credentialId,
      credential_name: row.name('credential_name'),
      credential_values: sealed(opened.values, secrets, `litellm_credentialstable/${credentialId}`),
      credential_info: row.object('credential_info'),
      ...audited(row),
    },
    notes: opened.plain.map((name) => `credential_values.${name} could not be decrypted and was taken as it is`),
  };
}

function audited(row: Columns) {
  const [createdBy, createdAt] = [row.filled('created_by'), row.time('created_at')];
  return { ...(createdAt !== null && { created_at: createdAt }), ...(createdBy !== null && { created_by: createdBy }) };
}

interface OpenedValues {
  readonly values: JsonObject;
  /** Members that look encrypted and did not open, beside others that did. */
  readonly plain: readonly string[];
}

/**
 * Every text decrypted. Nothing marks one as encrypted, so what does not open is taken as it is, as LiteLLM does; but
 * when none opens and one looks encrypted, the key is wrong, and ciphertext would be sent to a provider as a credential.
 *
 * @throws BadValue in that case
 */
function openValues(values: JsonObject, keys: readonly string[]): OpenedValues {
  const plain: string[] = [];
  let isAnyOpen = false;
  const opened = Object.entries(values).map(([name, value]) => {
    if (typeof value !== 'string') return [name, value] as const;
    const text = openLitellm(value, keys);
    if (text !== null) isAnyOpen = true;
    else if (looksEncrypted(value)) plain.push(name);
    return [name, text ?? value] as const;
  });
  if (!isAnyOpen && plain.length > 0)
    throw new BadValue('it cannot be decrypted: set LITELLM_SALT_KEY (or the master key) to the one that LiteLLM used');
  return { values: Object.fromEntries(opened), plain };
}

function sealed(values: JsonObject, { box }: Secrets, place: string): JsonObject {
  if (box === null)
    throw new BadValue('there is no key to encrypt it with: set LITELLM_SALT_KEY or LITELLM_MASTER_KEY');
  return sealJson(box, values, place);
}
