import type { JsonObject } from '../../core/json.ts';
import { type EpochMillis, epochMillis } from '../../core/units.ts';
import { after, parseDuration } from '../../metering/period.ts';
import type { Writers } from '../../store/resources/resources.ts';
import type { KeyPatch, KeyRow, NewKey } from '../../store/schema/identity.ts';
import { createBudget } from '../budgets.ts';
import { columnsOf, metadataFields, metadataOf } from '../fields/field.ts';
import { checkSoftBudget, resetMoment } from '../fields/limits.ts';
import { objectPermissionColumn } from '../fields/object-permission.ts';
import { shown } from '../fields/shown.ts';
import { nanoOf } from '../fields/values.ts';
import type { AdminContext } from '../http/admin-route.ts';
import { refused } from '../http/refused.ts';
import { type KeyChanges, type KeyInput, keyUpdateFields, ROUTES_OF_TYPE } from './fields.ts';
import { chosenKeyText, newKeyText, traceOf } from './key-text.ts';

/** A key that was just made or rotated: the only time its text is there. */
export interface MadeKey {
  readonly text: string;
  readonly row: KeyRow;
}

/**
 * Makes a key inside a transaction; rights and bounds have been looked at.
 *
 * @param keyId its stable name, where the caller has one to give
 * @throws Refused, Conflict
 */
export async function makeKey(
  writers: Writers,
  input: KeyInput,
  context: AdminContext,
  keyId: string = crypto.randomUUID(),
): Promise<MadeKey> {
  await checkTeam(writers, input.team_id ?? null);
  const text = input.key == null ? newKeyText(context.ports) : chosenKeyText(input.key, 'key');
  const columns = await keyColumns(writers, input, null, context);
  const row = await writers.keys.create({ ...columns, ...traceOf(text), key_id: keyId } as NewKey); // columns are the table's
  return { text, row };
}

/** The columns that a request sets, with the rows beside the key that it makes. @throws Refused */
export async function keyColumns(
  writers: Writers,
  sent: KeyChanges,
  before: KeyRow | null,
  context: AdminContext,
): Promise<KeyPatch> {
  checkSoftBudget(sent.soft_budget, sent.max_budget);
  checkIncrease(sent);
  const metadata = metadataOf(keyUpdateFields, sent, before?.metadata ?? {});
  return {
    ...columnsOf(keyUpdateFields, sent),
    ...resetMoment(sent, context.now),
    ...(metadata !== undefined && { metadata }),
    ...(sent.duration !== undefined && { expires: expiry(sent.duration, context.now) }),
    ...(sent.spend != null && { spend_nano: nanoOf(sent.spend) }),
    ...(sent.key_type != null && { allowed_routes: routesOf(sent) }),
    ...(await softBudgetColumn(writers, sent, before, context)),
    ...(await objectPermissionColumn(writers, sent.object_permission, before?.object_permission_id ?? null)),
  };
}

const routesOf = ({ key_type, allowed_routes }: KeyChanges): readonly string[] =>
  key_type == null || (allowed_routes ?? []).length > 0 ? (allowed_routes ?? []) : ROUTES_OF_TYPE[key_type];

function expiry(duration: string | null, now: EpochMillis): Date | null {
  const span = duration === null ? null : parseDuration(duration);
  return span === null ? null : new Date(after(epochMillis(now), span));
}

function checkIncrease({ temp_budget_increase, temp_budget_expiry }: KeyChanges): void {
  if ((temp_budget_increase == null) === (temp_budget_expiry == null)) return;
  const message = 'temp_budget_increase and temp_budget_expiry go together: send both, or null for both.';
  throw refused('bad-fields', message, temp_budget_increase == null ? 'temp_budget_increase' : 'temp_budget_expiry');
}

/** A key has no soft budget of its own: LiteLLM makes a budget for it. */
async function softBudgetColumn(writers: Writers, sent: KeyChanges, before: KeyRow | null, context: AdminContext) {
  if (sent.soft_budget == null) return {};
  const budgetId = sent.budget_id ?? before?.budget_id ?? null;
  if (budgetId !== null) {
    const message = `This key points at the budget ${budgetId}, others may too: set soft_budget there, with /budget/update.`;
    throw refused('bad-fields', message, 'soft_budget');
  }
  return { budget_id: await createBudget(writers, { soft_budget: sent.soft_budget }, context) };
}

async function checkTeam({ teams }: Writers, teamId: string | null): Promise<void> {
  if (teamId === null || (await teams.get(teamId)) !== null) return;
  const message = `Unable to find team object in database. Team=${teamId}. Create it with /team/new.`;
  throw refused('bad-fields', message, 'team_id');
}

/** The answer to the making and the rotation of a key, and nowhere else the key itself. */
export async function madeKeyAnswer({ text, row }: MadeKey, { store }: AdminContext): Promise<JsonObject> {
  const budget = row.budget_id === null ? null : await store.read.budgets.get(row.budget_id);
  return {
    ...metadataFields(keyUpdateFields, row.metadata),
    ...shown(row),
    key: text,
    token_id: row.token,
    litellm_budget_table: budget === null ? null : shown(budget),
  };
}
