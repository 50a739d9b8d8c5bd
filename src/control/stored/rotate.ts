import type { SecretBox } from '../../secrets/secret-box.ts';
import type { Actor } from '../../store/change-log.ts';
import type { Store } from '../../store/store.ts';
import { openParams, openValues, sealParams, sealValues } from './rows.ts';

/** How many rows were sealed anew, or those that no key opens; then nothing was changed. */
export type Rotation =
  | { readonly kind: 'rotated'; readonly models: number; readonly credentials: number }
  | { readonly kind: 'unreadable'; readonly rows: readonly string[] };

/** More rows than anybody has; a page that is not whole would leave the rest under the old key. */
const EVERYTHING = 1_000_000;

/** Undoes the transaction of a rotation that found rows which it cannot open. */
class Unreadable extends Error {
  readonly rows: readonly string[];

  constructor(rows: readonly string[]) {
    super(rows.join('\n'));
    this.rows = rows;
  }
}

/**
 * Seals every model and credential under the box's current key, in one transaction: all or none.
 *
 * @throws StoreUnavailable
 */
export async function rotateSecrets(store: Store, box: SecretBox, actor: Actor): Promise<Rotation> {
  try {
    return await store.change(actor, async (writers) => {
      const unreadable: string[] = [];
      const models = (await writers.models.list({ limit: EVERYTHING })).rows;
      for (const row of models) {
        const opened = openParams(box, row);
        if (opened.kind !== 'opened') unreadable.push(`model ${row.model_name} (${row.model_id}): ${opened.reason}`);
        else await writers.models.update(row.model_id, { litellm_params: sealParams(box, row.model_id, opened.value) });
      }
      const credentials = (await writers.credentials.list({ limit: EVERYTHING })).rows;
      for (const row of credentials) {
        const opened = openValues(box, row);
        if (opened.kind !== 'opened') unreadable.push(`credential ${row.credential_name}: ${opened.reason}`);
        else {
          const sealed = sealValues(box, row.credential_id, opened.value);
          await writers.credentials.update(row.credential_id, { credential_values: sealed });
        }
      }
      if (unreadable.length > 0) throw new Unreadable(unreadable);
      return { kind: 'rotated', models: models.length, credentials: credentials.length };
    });
  } catch (error) {
    if (error instanceof Unreadable) return { kind: 'unreadable', rows: error.rows };
    throw error;
  }
}
