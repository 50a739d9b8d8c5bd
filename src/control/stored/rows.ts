import type { StoredCredential, StoredModel } from '../../config/stored.ts';
import type { JsonObject } from '../../core/json.ts';
import { type OpenedJson, openJson, sealJson } from '../../secrets/sealed-json.ts';
import type { SecretBox } from '../../secrets/secret-box.ts';
import { credentialTable, modelTable } from '../../store/schema/identity.ts';
import type { RowOf } from '../../store/schema/table.ts';

/** Rows of models and credentials, with what is sealed in them opened. */

export type ModelRow = RowOf<typeof modelTable>;
export type CredentialRow = RowOf<typeof credentialTable>;

const modelPlace = (id: string): string => `${modelTable.name}/${id}`;
const credentialPlace = (id: string): string => `${credentialTable.name}/${id}`;

export const sealParams = (box: SecretBox, id: string, params: JsonObject): JsonObject =>
  sealJson(box, params, modelPlace(id));

export const openParams = (box: SecretBox, row: ModelRow): OpenedJson =>
  openJson(box, row.litellm_params, modelPlace(row.model_id));

export const sealValues = (box: SecretBox, id: string, values: JsonObject): JsonObject =>
  sealJson(box, values, credentialPlace(id));

export const openValues = (box: SecretBox, row: CredentialRow): OpenedJson =>
  openJson(box, row.credential_values, credentialPlace(row.credential_id));

/** The row for the compiler of the configuration; one that cannot be opened carries the reason. */
export function storedModel(box: SecretBox, row: ModelRow): StoredModel {
  const opened = openParams(box, row);
  const isOpen = opened.kind === 'opened';
  return {
    id: row.model_id,
    name: row.model_name,
    params: isOpen ? opened.value : {},
    info: { ...row.model_info, ...(row.blocked && { blocked: true }) },
    problem: isOpen ? null : `its parameters cannot be read: ${opened.reason}`,
  };
}

/** The credential, or null when it cannot be opened: deployments that name it are disabled then. */
export function storedCredential(box: SecretBox, row: CredentialRow): StoredCredential | null {
  const opened = openValues(box, row);
  return opened.kind === 'opened' ? { name: row.credential_name, values: opened.value } : null;
}
